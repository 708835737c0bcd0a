import * as v from "valibot";
import { ConfigError } from "../core/errors.ts";
import { listing, type Listing } from "../core/listing.ts";
import type { EventHub } from "./event-hub.ts";
import type { LogEntry, LogFilter, LogStore } from "./log-store.ts";

const text = v.optional(v.string());
const moment = v.optional(
  v.pipe(
    v.date(),
    v.check((date) => !Number.isNaN(date.getTime()), "Expected a valid date"),
  ),
);

const FILTER = v.strictObject({
  peer: v.optional(v.looseObject({ id: v.pipe(v.number(), v.integer()) })),
  type: text,
  code: text,
  since: moment,
  until: moment,
});

/**
 * What was done and refused, newest first (SEC-090). What this process emitted before a page is read stands in it.
 *
 * Throws `MNET_CONFIG_INVALID` for a filter that is none.
 */
export function logView(log: LogStore, events: EventHub, filter: LogFilter = {}): Listing<LogEntry> {
  const result = v.safeParse(FILTER, filter, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    const option = ["filter", v.getDotPath(issue) ?? []].flat().join(".");
    throw new ConfigError("MNET_CONFIG_INVALID", `${option} is not right: ${issue.message}.`, { option });
  }
  return listing(async (after, limit) => {
    await events.flush();
    return log.list(filter, after, limit);
  });
}
