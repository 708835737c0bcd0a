import type { Generated } from "kysely";
import type { PeerState, ApplicationName } from "../../core/peer-snapshot.ts";
import type { StoredKey } from "../../keys/key-store.ts";
import type { AccessRule } from "../../service-stores/access-store.ts";
import type { SessionRecord } from "../../service-stores/session-store.ts";
import type { Dialect } from "../../xmlrpc/dialect.ts";
import type { CounterRow } from "../counter-rows.ts";

/** Which migrations have run. */
interface MigrationTable {
  name: string;
  /** For people; the database's own clock and format. */
  applied_at: Generated<string>;
}

/** One row, with the id 1: what the site has once. */
interface SiteTable {
  id: number;
  generation: number;
  /** JSON. */
  all_hosts_services: string;
}

interface KeyTable {
  id: Generated<number>;
  fingerprint: string;
  certificate: string;
  private_key: Uint8Array;
  state: StoredKey["state"];
  created_at: number;
  /** When the state was last changed. */
  changed_at: number;
  /** The peer that it is for; `null`: shared. */
  peer: number | null;
}

interface PeerTable {
  id: Generated<number>;
  version: number;
  wwwroot: string;
  canonical: string;
  name: string;
  application: ApplicationName;
  state: PeerState;
  certificate: string;
  /** JSON. */
  retired: string;
  /** JSON. */
  held: string | null;
  /** JSON. */
  settings: string;
  /** JSON. */
  services: string;
  dialect: Dialect | null;
  last_contact_at: number | null;
  /** JSON. */
  profile: string | null;
}

interface ReplayTable {
  peer: number;
  key: string;
  /** Counts up from 1 for each peer. */
  age: number;
  until: number;
}

/** One row of each peer that has or had rows in the table of replays. Whoever changes those locks this first. */
interface ReplayPeerTable {
  peer: number;
  /** How many rows the peer has. */
  entries: number;
  /** The age given last. */
  newest: number;
}

interface StatsTable {
  peer: number;
  counter: CounterRow["counter"];
  part: number;
  total: number;
}

interface LogTable {
  sequence: Generated<number>;
  at: number;
  type: string;
  peer: number | null;
  code: string | null;
  /** JSON; the columns before are copies to search by. */
  event: string;
}

interface TokenTable {
  /** Of the token, which is nowhere. */
  hash: string;
  peer: number;
  account_id: string;
  session_id: string;
  user_agent_hash: string;
  expires_at: number;
  /** How often it was redeemed. */
  uses: number;
  first_used_at: number | null;
}

interface SessionTable {
  id: Generated<number>;
  role: SessionRecord["role"];
  peer: number;
  account_id: string;
  username: string;
  user_agent_hash: string;
  session_id: string;
  started_at: number;
  expires_at: number;
}

interface AccessTable {
  peer: number;
  username: string;
  rule: AccessRule;
}

interface OutboxTable {
  /** In the order in which they were put. */
  sequence: Generated<number>;
  id: string;
  kind: string;
  peer: number;
  data: string;
  attempts: number;
  /** While it is claimed: when the lease ends. */
  due_at: number;
}

/** One row of each peer of which we know courses or enrolments. Whoever changes those locks this first. */
interface RemotePeerTable {
  peer: number;
  /** When the list of courses was replaced. */
  fetched_at: number | null;
}

interface RemoteCourseTable {
  peer: number;
  course: number;
  /** JSON. */
  fields: string;
}

/** When the enrolments in a course were replaced. */
interface RemoteRosterTable {
  peer: number;
  course: number;
  fetched_at: number;
}

interface RemoteEnrolmentTable {
  peer: number;
  course: number;
  username: string;
  method: string;
  role_name: string;
  changed_at: number | null;
}

interface RunTable {
  id: Generated<number>;
  key: string;
  owner: string | null;
  lease_until: number;
}

interface RunEntryTable {
  run: number;
  row: number;
  digest: string;
  /** JSON. */
  outcome: string;
}

/** Our tables, by their names without the prefix. Times are Unix milliseconds, text in JSON is text to the database. */
export interface Schema {
  migration: MigrationTable;
  site: SiteTable;
  key: KeyTable;
  peer: PeerTable;
  replay: ReplayTable;
  replay_peer: ReplayPeerTable;
  stats: StatsTable;
  log: LogTable;
  token: TokenTable;
  session: SessionTable;
  access: AccessTable;
  outbox: OutboxTable;
  remote_peer: RemotePeerTable;
  remote_course: RemoteCourseTable;
  remote_roster: RemoteRosterTable;
  remote_enrolment: RemoteEnrolmentTable;
  run: RunTable;
  run_entry: RunEntryTable;
}

/** The names of our tables in the database. Give queries these, never a literal name. */
export type TableNames = { readonly [Name in keyof Schema]: Name };

/** The names with a prefix. To the types of Kysely a table keeps its short name, which is what lets one schema have any prefix. */
export function tableNames(prefix: string): TableNames {
  const named = <Name extends keyof Schema>(name: Name): Name => `${prefix}${name}` as Name;
  return {
    migration: named("migration"),
    site: named("site"),
    key: named("key"),
    peer: named("peer"),
    replay: named("replay"),
    replay_peer: named("replay_peer"),
    stats: named("stats"),
    log: named("log"),
    token: named("token"),
    session: named("session"),
    access: named("access"),
    outbox: named("outbox"),
    remote_peer: named("remote_peer"),
    remote_course: named("remote_course"),
    remote_roster: named("remote_roster"),
    remote_enrolment: named("remote_enrolment"),
    run: named("run"),
    run_entry: named("run_entry"),
  };
}
