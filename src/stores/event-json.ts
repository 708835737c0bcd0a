import { types } from "node:util";
import type { EventMap, MnetEvent } from "../core/events.ts";

type DateFieldOf<T> = { [K in keyof T]-?: NonNullable<T[K]> extends Date ? K : never }[keyof T];

/** Fields that are dates. The type makes forgetting a new one an error of the compiler. */
const DATE_FIELDS: {
  readonly [K in "at" | { [T in keyof EventMap]: DateFieldOf<EventMap[T]> }[keyof EventMap]]: true;
} = { at: true, notAfter: true, retryAt: true };

const LONGEST_THROWN = 2000;

/** What a log keeps of an event: the fields that are searched, and the whole as JSON. */
export interface EventRow {
  /** Unix milliseconds. */
  readonly at: number;
  readonly type: MnetEvent["type"];
  /** Id of the peer. */
  readonly peer: number | undefined;
  readonly code: string | undefined;
  /** For `decodeEvent`. */
  readonly json: string;
}

/** Writes an event as JSON. Works for whatever a handler threw: of an `Error` the name and the message are kept. */
export function encodeEvent(event: MnetEvent): EventRow {
  const fields: Record<string, unknown> = { ...event };
  // The whole snapshot of a peer is a valid `peer` too, and does not belong into every line of the log.
  if (event.peer) fields["peer"] = { id: event.peer.id, wwwroot: event.peer.wwwroot };
  if ("error" in event) fields["error"] = describeThrown(event.error);
  return {
    at: event.at.getTime(),
    type: event.type,
    peer: event.peer?.id,
    code: "code" in event ? event.code : undefined,
    json: JSON.stringify(fields),
  };
}

/** Reads what `encodeEvent` wrote; dates are dates again. */
export function decodeEvent(json: string): MnetEvent {
  const fields = JSON.parse(json) as Record<string, unknown>;
  for (const name of Object.keys(DATE_FIELDS)) {
    const value = fields[name];
    if (typeof value === "string") fields[name] = new Date(value);
  }
  return fields as unknown as MnetEvent;
}

/** A thrown value as plain data. Its other properties are dropped: an HTTP client's error holds whole requests, with their tokens. */
function describeThrown(thrown: unknown): unknown {
  try {
    if (thrown instanceof Error || types.isNativeError(thrown)) {
      const { name, message }: { readonly name: unknown; readonly message: unknown } = thrown;
      return { name: cut(String(name)), message: cut(String(message)) };
    }
    if (typeof thrown === "string") return cut(thrown);
    if (typeof thrown === "number" || typeof thrown === "boolean" || thrown === null) return thrown;
    // Says little of an object, and so nothing that the application did not mean to show.
    return Object.prototype.toString.call(thrown);
  } catch {
    // A getter or a proxy threw. The log must not.
    return "[unreadable]";
  }
}

const cut = (text: string): string => (text.length > LONGEST_THROWN ? `${text.slice(0, LONGEST_THROWN)}…` : text);
