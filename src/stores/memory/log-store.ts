import type { LogEntry, LogStore } from "../../host/log-store.ts";
import { cursorAt, numberOf } from "../cursor.ts";
import { decodeEvent, encodeEvent, type EventRow } from "../event-json.ts";

/** How many entries a memory store keeps; the oldest go first. */
export const MEMORY_LOG_ENTRIES = 10_000;

/** The log in memory. Events are kept as JSON, so that nobody can change one afterwards. */
export function memoryLogStore(): LogStore {
  let rows: (EventRow & { readonly sequence: number })[] = [];
  let lastSequence = 0;

  return {
    async append(events) {
      // Encoded before the first is added: all of them, or none.
      for (const row of events.map(encodeEvent)) {
        lastSequence += 1;
        rows.push({ ...row, sequence: lastSequence });
      }
      // Cutting moves the whole array, so it happens once for every thousand entries; `list` and `prune` do not see the rest.
      if (rows.length > MEMORY_LOG_ENTRIES + 1000) rows = kept();
    },
    async list(filter, after, limit) {
      const below = after === undefined ? Infinity : numberOf(after);
      const since = filter.since?.getTime() ?? -Infinity;
      const until = filter.until?.getTime() ?? Infinity;
      const found = kept()
        .reverse()
        .filter(
          (row) =>
            row.sequence < below &&
            (filter.peer === undefined || row.peer === filter.peer.id) &&
            (filter.type === undefined || row.type === filter.type) &&
            (filter.code === undefined || row.code === filter.code) &&
            row.at >= since &&
            row.at < until,
        );
      const items = found
        .slice(0, limit)
        .map((row): LogEntry => ({ ...decodeEvent(row.json), sequence: row.sequence }));
      const last = items.at(-1);
      return found.length > limit && last ? { items, next: cursorAt(last.sequence) } : { items };
    },
    async prune(before, limit) {
      const current = kept();
      let forgotten = 0;
      rows = current.filter((row) => row.at >= before || (forgotten += 1) > limit);
      return current.length - rows.length;
    },
  };

  function kept(): typeof rows {
    return rows.slice(-MEMORY_LOG_ENTRIES);
  }
}
