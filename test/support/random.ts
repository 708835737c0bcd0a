/** Numbers that look random and are the same for the same seed, so that what failed can be repeated. */
export interface Random {
  /** From 0 to `limit` − 1. */
  below(limit: number): number;
  of<T>(list: readonly T[]): T;
}

/** Marsaglia's xorshift32. */
export function xorshift(seed: number): Random {
  let state = seed >>> 0 || 1;
  const below = (limit: number): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
  return { below, of: (list) => list[below(list.length)]! };
}
