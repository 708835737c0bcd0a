import type { VerifiedMessage } from "../envelope/verified-message.ts";
import type { SecureMessage } from "./secure-message.ts";

/** What a peer really said, in either profile. */
export type AuthenticMessage = VerifiedMessage | SecureMessage;

/** The version of the secure profile in which it came; `undefined`: in MNet's own. */
export const secureProfileOf = (message: AuthenticMessage): SecureMessage["profile"] | undefined =>
  "profile" in message ? message.profile : undefined;
