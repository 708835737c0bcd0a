import type { PeerId } from "../core/ids.ts";
import type { StoredKey } from "../keys/key-store.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import type { ServiceFlags } from "../peer/service-flags.ts";
import type { PeerCounters } from "../peer/stats-store.ts";
import type { AccessRule } from "../service-stores/access-store.ts";
import type { CachedCourse, CachedEnrolment } from "../service-stores/remote-course-store.ts";
import type { SessionRecord } from "../service-stores/session-store.ts";

/**
 * One piece of what a site must not lose, with the ids that others know. Not among it: what lives for minutes (tokens, jobs,
 * journals of bulk work), messages that were taken, and the log.
 */
export type StoreRecord =
  | { readonly kind: "key"; readonly key: StoredKey }
  | { readonly kind: "all-hosts"; readonly services: ServiceFlags }
  | { readonly kind: "peer"; readonly peer: PeerRecord }
  | { readonly kind: "stats"; readonly peer: PeerId; readonly counters: PeerCounters }
  | { readonly kind: "access"; readonly peer: PeerId; readonly username: string; readonly rule: AccessRule }
  | { readonly kind: "session"; readonly session: SessionRecord }
  | {
      /** A peer's list of courses. */
      readonly kind: "courses";
      readonly peer: PeerId;
      readonly fetchedAt: number;
      readonly courses: readonly CachedCourse[];
    }
  | {
      /** Who of ours is in a course of that list. */
      readonly kind: "enrolments";
      readonly peer: PeerId;
      readonly course: number;
      readonly fetchedAt?: number | undefined;
      readonly rows: readonly CachedEnrolment[];
    };
