import { ConfigError } from "./errors.ts";
import type { Cursor } from "./ids.ts";

/** Some of a list, and where to go on. */
export interface Page<T> {
  /** In the order of the list. */
  readonly items: readonly T[];
  /** Absent on the last page. */
  readonly next?: Cursor;
}

/** Every list that can be long. Iterate it whole, or take one page. Nothing is read before one of the two happens. */
export interface Listing<T> extends AsyncIterable<T> {
  /** `limit` 50 by default, at most 1,000. */
  page(options?: { readonly after?: Cursor | undefined; readonly limit?: number | undefined }): Promise<Page<T>>;
}

const DEFAULT_LIMIT = 50;
const MAXIMUM_LIMIT = 1000;
const ITERATION_LIMIT = 200;

/** Makes a `Listing` of a function that reads one page. */
export function listing<T>(readPage: (after: Cursor | undefined, limit: number) => Promise<Page<T>>): Listing<T> {
  return {
    async page({ after, limit = DEFAULT_LIMIT } = {}) {
      if (!Number.isInteger(limit) || limit < 1 || limit > MAXIMUM_LIMIT) {
        throw new ConfigError("MNET_CONFIG_INVALID", `limit must be an integer from 1 to ${MAXIMUM_LIMIT}.`, {
          option: "limit",
        });
      }
      return readPage(after, limit);
    },
    async *[Symbol.asyncIterator]() {
      let after: Cursor | undefined;
      do {
        const page = await readPage(after, ITERATION_LIMIT);
        yield* page.items;
        after = page.next;
      } while (after !== undefined);
    },
  };
}

/** The whole of a list, for those who know that it is short enough. */
export async function collect<T>(list: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of list) items.push(item);
  return items;
}
