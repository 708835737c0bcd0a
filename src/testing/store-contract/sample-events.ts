import type { MnetEvent } from "../../core/events.ts";
import type { LogEntry, LogFilter } from "../../host/log-store.ts";
import type { Store } from "../../host/store.ts";
import { everyPage, START } from "./check.ts";

/** An event that can be told apart, `number` milliseconds after the start. */
export const event = (number: number): MnetEvent => ({
  type: "call.unchecked",
  method: `${number}`,
  at: new Date(START + number),
  level: "info",
});

export const numberOf = (entry: LogEntry): number =>
  Number("method" in entry ? entry.method : "detail" in entry ? entry.detail : NaN);

export const everyEntry = (store: Store, filter: LogFilter = {}, limit = 50): Promise<readonly LogEntry[]> =>
  everyPage((after) => store.log.list(filter, after, limit));
