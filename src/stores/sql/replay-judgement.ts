import type { PeerId } from "../../core/ids.ts";
import type { ReplayStore } from "../../peer/replay-store.ts";
import type { Schema } from "./schema.ts";

/** A message that is to be remembered. */
export interface Message {
  readonly peer: PeerId;
  readonly key: string;
  readonly until: number;
  readonly maxEntries: number;
  readonly now: number;
}

/** What is said of it. */
export type Seen = Awaited<ReturnType<ReplayStore["remember"]>>;

/** A message that is remembered. */
export type ReplayRow = Schema["replay"];

/** How many a peer has, and the age that was given last. */
export type Count = Pick<Schema["replay_peer"], "entries" | "newest">;

/** What messages of one peer are, and what they change. */
export interface Judgement {
  readonly peer: PeerId;
  readonly seen: ReadonlyMap<Message, Seen["seen"]>;
  readonly added: readonly ReplayRow[];
  /** Ages of rows whose time has passed and whose keys came again: they make room for those that are added. */
  readonly replaced: readonly number[];
  /** After that. */
  readonly count: Count;
  /** The last message of which a row was made. */
  readonly last: Message | undefined;
}

/**
 * Judges a peer's messages in the order in which they came. Those of other peers, and rows of theirs, do not matter.
 *
 * @param rows those with the messages' keys.
 */
export function judge(
  peer: PeerId,
  messages: readonly Message[],
  rows: readonly ReplayRow[],
  { entries, newest: newestBefore }: Count,
): Judgement {
  const known = new Map(rows.filter((row) => row.peer === peer).map((row) => [row.key, row]));
  const added = new Map<string, ReplayRow>();
  const seen = new Map<Message, Seen["seen"]>();
  const replaced: number[] = [];
  let newest = newestBefore;
  let last: Message | undefined;
  for (const message of messages) {
    if (message.peer !== peer) continue;
    const { key, until, now } = message;
    const before = added.get(key) ?? known.get(key);
    const isKnown = before !== undefined && before.until > now;
    seen.set(message, isKnown ? "again" : "first");
    if (isKnown || until <= now) continue;
    if (before && !added.has(key)) replaced.push(before.age);
    newest += 1;
    added.set(key, { peer, key, age: newest, until });
    last = message;
  }
  const count = { entries: entries - replaced.length + added.size, newest };
  return { peer, seen, added: [...added.values()], replaced, count, last };
}
