/** Enough for the longest time limit that a peer can have. */
const BUCKETS = 63;

/** The bucket of a duration: bucket n takes what is above 2^((n−1)/2) ms, up to 2^(n/2) ms; bucket 0 all up to 1 ms. */
export function bucketOf(ms: number): number {
  if (!(ms > 1)) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(2 * Math.log2(ms)));
}

/**
 * The duration in milliseconds that the part `q` (0 to 1) of what was counted did not exceed, to a tenth. Between the ends
 * of its bucket it is estimated, so above 1 ms it is off by a factor of 1.4 at most. 0 where nothing was counted.
 *
 * @param counts by bucket.
 */
export function quantile(counts: readonly number[], q: number): number {
  const rank = q * counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const part = (rank - below) / count;
      const ms = bucket === 0 ? part : 2 ** ((bucket - 1 + part) / 2);
      return Math.round(ms * 10) / 10;
    }
    below += count;
  }
  return 0;
}
