import { randomBytes } from "node:crypto";
import type { Cursor } from "../../core/ids.ts";
import type { Page } from "../../core/listing.ts";
import type { Store } from "../../host/store.ts";

/** Two stores on one place, as two processes would have them. */
export type Check = (store: Store, other: Store) => Promise<void>;

/** Cases by their names. */
export type Checks = Readonly<Record<string, Check>>;

export const START = Date.UTC(2026, 0, 1);
export const CONTENDERS = 20;
export const DAY_MS = 86_400_000;

/** Texts that break what is pasted together or compared loosely. */
export const HOSTILE_TEXTS: readonly string[] = [
  "'",
  "''",
  '"',
  "`",
  "\\",
  "\\'",
  "\\\\' or 1=1 -- ",
  "'; drop table mnet_peer; --",
  '"; drop table mnet_peer; --',
  "%",
  "_",
  "$1 ? :name @name ${x} {{x}}",
  "/* */ # --",
  " leading and trailing ",
  "tab\tline\r\nend",
  "null",
  "",
  "e\u0301 \u00e9 \u212b \ufeff \u202e \u200d",
  "日本語 עברית",
  "\u{1f600}\u{10ffff}",
];

/** Opens two stores on a place where nothing is yet. */
export async function onFreshPlace(
  open: (place: string) => Promise<Store>,
  check: (place: string, store: Store, other: Store) => Promise<void>,
): Promise<void> {
  const place = `mnet_${randomBytes(8).toString("hex")}`;
  const store = await open(place);
  try {
    await store.open();
    const other = await open(place);
    try {
      await other.open();
      await check(place, store, other);
    } finally {
      await other.close();
    }
  } finally {
    await store.close();
  }
}

/** Lets all contenders begin before any can end, half of them on each store. */
export function race<T>(
  run: (store: Store, index: number) => Promise<T>,
  store: Store,
  other: Store,
  contenders = CONTENDERS,
): Promise<T[]> {
  return Promise.all(Array.from({ length: contenders }, (_, index) => run(index % 2 === 0 ? store : other, index)));
}

export async function everyPage<T>(read: (after: Cursor | undefined) => Promise<Page<T>>): Promise<readonly T[]> {
  const all: T[] = [];
  let after: Cursor | undefined;
  do {
    const page = await read(after);
    all.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return all;
}
