import { ROWS_AT_ONCE } from "./engine.ts";

/** A list in pieces of at most as many rows as one statement may have. */
export function* chunksOf<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) yield rows.slice(from, from + ROWS_AT_ONCE);
}
