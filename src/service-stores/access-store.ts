import type { Cursor, PeerId } from "../core/ids.ts";
import type { Page } from "../core/listing.ts";

/** May the user log in here? */
export type AccessRule = "allow" | "deny";

/** Rules for single users of peers (Moodle's `mnet_sso_access_control`, spec 9.12). Names are compared exactly. */
export interface AccessStore {
  /** `undefined`: no rule of her own any more. */
  set(peer: PeerId, username: string, rule: AccessRule | undefined): Promise<void>;
  /** The rule for her, if there is one. */
  get(peer: PeerId, username: string): Promise<AccessRule | undefined>;
  /** By name. */
  list(
    peer: PeerId,
    after: Cursor | undefined,
    limit: number,
  ): Promise<Page<{ readonly username: string; readonly rule: AccessRule }>>;
}
