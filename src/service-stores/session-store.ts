import type { Cursor, PeerId } from "../core/ids.ts";
import type { Page } from "../core/listing.ts";

/** A browser session that two sites share (Moodle's `mnet_session`, spec 9.3 and 9.7). */
export interface SessionRecord {
  /** `"idp"`: a user of ours is at the peer. `"sp"`: a user of the peer is here. */
  readonly role: "idp" | "sp";
  readonly peer: PeerId;
  readonly accountId: string;
  /** On the wire. */
  readonly username: string;
  /** Lower-case hex SHA-1 of the browser's `User-Agent` header. */
  readonly userAgentHash: string;
  /** Of the application's browser session. */
  readonly sessionId: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/** Which sessions. What is left out does not restrict. */
export type SessionMatch = Partial<
  Pick<SessionRecord, "role" | "peer" | "accountId" | "username" | "userAgentHash" | "sessionId">
>;

/** Sessions with peers. */
export interface SessionStore {
  /** One row per (role, peer, account, user agent); the newer replaces. */
  save(session: SessionRecord): Promise<void>;
  /** Removes and returns what matches, expired or not; each row goes to one caller. At least one member must be given. */
  take(match: SessionMatch): Promise<readonly SessionRecord[]>;
  /** What matches, expired or not, in a stable order. */
  find(match: SessionMatch, after: Cursor | undefined, limit: number): Promise<Page<SessionRecord>>;
  /**
   * Sessions of these users with this peer that have not expired at `now` last until `expiresAt`, if that is later.
   * Returns all of these sessions.
   */
  extend(
    match: { readonly role: "idp" | "sp"; readonly peer: PeerId; readonly usernames: readonly string[] },
    expiresAt: number,
    now: number,
  ): Promise<readonly Pick<SessionRecord, "username" | "sessionId">[]>;
  /**
   * Forgets at most `limit` sessions that expired before `expiredBefore`.
   *
   * @returns how many.
   */
  prune(expiredBefore: number, limit: number): Promise<number>;
}
