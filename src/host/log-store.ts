import type { MnetErrorCode } from "../core/errors.ts";
import type { MnetEvent } from "../core/events.ts";
import type { Cursor } from "../core/ids.ts";
import type { Page } from "../core/listing.ts";
import type { PeerRef } from "../core/peer-snapshot.ts";

/** An event as it stands in the log. */
export type LogEntry = MnetEvent & {
  /** Goes up with every entry; never reused. */
  readonly sequence: number;
};

/** Which entries to list. What is left out does not restrict. */
export interface LogFilter {
  readonly peer?: PeerRef | undefined;
  readonly type?: MnetEvent["type"] | undefined;
  /** Only events that carry this code. */
  readonly code?: MnetErrorCode | undefined;
  /** From this moment on, inclusive. */
  readonly since?: Date | undefined;
  /** Up to this moment, exclusive. */
  readonly until?: Date | undefined;
}

/** Keeps what happened. Append-only (SEC-090). */
export interface LogStore {
  /** In the order given. */
  append(events: readonly MnetEvent[]): Promise<void>;
  /** Newest first. */
  list(filter: LogFilter, after: Cursor | undefined, limit: number): Promise<Page<LogEntry>>;
  /**
   * Forgets at most `limit` entries older than `before` (Unix milliseconds). Never blocks `append` for long.
   *
   * @returns how many.
   */
  prune(before: number, limit: number): Promise<number>;
}
