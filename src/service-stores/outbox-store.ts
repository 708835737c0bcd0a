import type { PeerId } from "../core/ids.ts";

/** Work that waits for a peer, such as the news of a logout. */
export interface Job {
  /** Unique; whoever puts it makes it. At most 64 characters. */
  readonly id: string;
  /** Who does it, such as `sso.kill-child`. At most 40 characters. */
  readonly kind: string;
  readonly peer: PeerId;
  /** For whoever does it; JSON. */
  readonly data: string;
  /** How often it was claimed before. */
  readonly attempts: number;
}

/** Queued work. A job is put, claimed, and then done or retried; a claim that nobody ends falls back into the queue. */
export interface OutboxStore {
  /** Durable before it returns: all of them, or none. An id that is there already is left as it is. */
  put(jobs: readonly Omit<Job, "attempts">[], dueAt: number): Promise<void>;
  /** At most `limit` jobs that are due, the longest due first. Each goes to one worker in all processes until its lease ends. */
  claim(kind: string, limit: number, leaseUntil: number, now: number): Promise<readonly Job[]>;
  /** Forgets jobs, whether they were claimed or not. Unknown ones are no error. */
  done(ids: readonly string[]): Promise<void>;
  /** Ends a claim: the job is due again at `dueAt`. Unknown ones are no error. */
  retry(id: string, dueAt: number): Promise<void>;
}
