import type { KeyStore } from "../keys/key-store.ts";
import type { PeerStore } from "../peer/peer-store.ts";
import type { ReplayStore } from "../peer/replay-store.ts";
import type { StatsStore } from "../peer/stats-store.ts";
import type { AccessStore } from "../service-stores/access-store.ts";
import type { OutboxStore } from "../service-stores/outbox-store.ts";
import type { RemoteCourseStore } from "../service-stores/remote-course-store.ts";
import type { RunStore } from "../service-stores/run-store.ts";
import type { SessionStore } from "../service-stores/session-store.ts";
import type { TokenStore } from "../service-stores/token-store.ts";
import type { LogStore } from "./log-store.ts";
import type { StoreRecord } from "./store-record.ts";

/**
 * Where a host keeps what is MNet's: all concerns of one database.
 * Every promise holds across processes. No store reads a clock: `now` is passed, in Unix milliseconds.
 */
export interface Store {
  /** Our own key pairs. */
  readonly keys: KeyStore;
  /** The other sites. */
  readonly peers: PeerStore;
  /** Messages that were taken. */
  readonly replay: ReplayStore;
  /** Figures of each peer. */
  readonly stats: StatsStore;
  /** What happened. */
  readonly log: LogStore;
  /** Tokens of single sign-on. */
  readonly tokens: TokenStore;
  /** Browser sessions that are shared with peers. */
  readonly sessions: SessionStore;
  /** Which users of peers may log in here. */
  readonly access: AccessStore;
  /** Work that waits for peers. */
  readonly outbox: OutboxStore;
  /** Courses of peers, and who of ours is in them. */
  readonly remoteCourses: RemoteCourseStore;
  /** Journals of bulk work. */
  readonly runs: RunStore;
  /** Makes a new, empty embedded database ready; checks that any other is up to date, else throws `MNET_STORE_MIGRATION_NEEDED` or `MNET_STORE_TOO_NEW`. */
  open(): Promise<void>;
  /** Brings the schema up to date under the database's own lock. */
  migrate(): Promise<{ readonly applied: readonly string[] }>;
  /** The SQL that `migrate` would run. */
  pendingMigrations(): Promise<readonly { readonly name: string; readonly sql: string }[]>;
  /**
   * Fills an empty store: all records, with their ids and versions, or none, whether the source fails half way or the
   * process dies. Peers that are added later get higher ids. In the order in which they come; a peer's `courses` come before
   * its `enrolments`, and nothing comes twice. Holds no more than a page of the records in memory, where the engine can.
   *
   * Throws `MNET_STORE_NOT_EMPTY`, and changes nothing, if there is a key, a peer or a box for All Hosts; and whatever the
   * source throws.
   */
  restore(records: AsyncIterable<StoreRecord>): Promise<void>;
  /** Ends all connections. */
  close(): Promise<void>;
}
