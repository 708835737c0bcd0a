/** One row of a run that is over. */
export interface RunEntry {
  /** From 1, in the order of the input; 0 is for whoever runs it. */
  readonly row: number;
  /** Of the row's content, so that a run with other rows is noticed. At most 64 characters. */
  readonly digest: string;
  /** JSON, for whoever runs it. */
  readonly outcome: string;
}

/** Journals of long work, such as bulk enrolment: one process at a time, and the next one goes on where it stopped. */
export interface RunStore {
  /** `false` while another owner's lease runs; the same owner renews. A `key` has at most 255 characters, an `owner` 64. */
  acquire(key: string, owner: string, leaseUntil: number, now: number): Promise<boolean>;
  /** Ends the lease of this owner, if it is its own. */
  release(key: string, owner: string): Promise<void>;
  /** Durable before it returns: all of them, or none. A row that is there already is replaced. */
  record(key: string, entries: readonly RunEntry[]): Promise<void>;
  /** By row, from `fromRow` on, at most `limit`. */
  outcomes(key: string, fromRow: number, limit: number): Promise<readonly RunEntry[]>;
  /** Forgets the run. */
  forget(key: string): Promise<void>;
  /**
   * Forgets runs whose last lease ended before `overBefore` (Unix milliseconds), in all at most `limit` rows. Of a run that
   * has more, the last rows go first: what is left is the journal of a run that stopped early.
   *
   * @returns how many rows were forgotten; each run is one, too.
   */
  prune(overBefore: number, limit: number): Promise<number>;
}
