import type { ProfileName, SecureProfileName } from "../core/profile-name.ts";
import { DEFAULT_SECURE_PROFILE, SUITES } from "../secure/suite.ts";
import type { PeerRecord } from "./peer-store.ts";

/** What is known of the profiles that a peer's software has (docs/secure-profile.md, 7). */
export interface PeerProfile {
  /** The version of the secure profile in which the last new proof came: a message that its pinned key has signed. */
  readonly proved?: SecureProfileName;
  /** Since when; Unix milliseconds. */
  readonly provedAt?: number;
  /** When it last told us that it has none; Unix milliseconds. */
  readonly askedAt?: number;
}

/** The method that tells which profiles a site has. A Moodle answers it with fault 7018. */
export const PROFILES_METHOD = "system/profiles";

type Known = Pick<PeerRecord, "settings" | "profile">;

/** In which profile we call the peer: the best that it has proved, unless an operator has fixed it. */
export function profileToCall({ settings, profile }: Known): ProfileName {
  switch (settings.profile ?? "automatic") {
    case "mnet":
      return "mnet";
    case "secure":
      return profile?.proved ?? DEFAULT_SECURE_PROFILE;
    case "automatic":
      return profile?.proved ?? "mnet";
  }
}

/** Whether the peer's messages in MNet's own profile are refused: once it has proved a better one, or by a setting. */
export const refusesMnet = (peer: Known): boolean => profileToCall(peer) !== "mnet";

/** What we tell the peer that we have, best first. */
export function profilesFor({ settings }: Known): readonly ProfileName[] {
  const secure = SUITES.map(({ name }) => name);
  switch (settings.profile ?? "automatic") {
    case "mnet":
      return ["mnet"];
    case "secure":
      return secure;
    case "automatic":
      return [...secure, "mnet"];
  }
}

/** Whether it is worth asking the peer what it has. A Mahara has none but MNet's own. */
export const isUndecided = ({ settings, profile, application }: Known & Pick<PeerRecord, "application">): boolean =>
  (settings.profile ?? "automatic") === "automatic" && profile?.proved === undefined && application === "moodle";
