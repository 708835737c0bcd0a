import { DEFAULT_LIMITS } from "../core/limits.ts";
import { rootNameOf } from "../xml/read-document.ts";
import { ALGORITHM } from "./algorithms.ts";
import { ENCRYPTED_MESSAGE, MAXIMUM_KEYS } from "./encrypted-message.ts";
import { open, type OpenOptions } from "./open.ts";
import type { Profile } from "./profile.ts";
import { seal, type SealOptions } from "./seal.ts";
import type { VerifiedMessage } from "./verified-message.ts";

/** The envelopes of Moodle and Mahara (spec 3 and 4): RSA-SHA1 over the document, RC4, RSA with PKCS#1 v1.5. */
export const mnetProfile: Profile<SealOptions, OpenOptions, VerifiedMessage> = {
  name: "mnet",
  algorithms: ALGORITHM,
  limits: { bytes: DEFAULT_LIMITS.requestBytes, unwrappings: MAXIMUM_KEYS },
  owns: (body) => rootNameOf(body) === ENCRYPTED_MESSAGE,
  seal: async (document, options) => ({ body: await seal(document, options) }),
  open,
};
