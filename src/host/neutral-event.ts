import { types } from "node:util";
import type { MnetEvent } from "../core/events.ts";
import { neutralText } from "../core/neutral-text.ts";

/**
 * Makes every text in an event neutral (SEC-089): names, methods, wwwroots and the words of errors come from other sites,
 * and end up in terminals, files and mails. Done once, here, so that no place that tells something can forget it.
 *
 * What a handler threw stays as it is: it is the application's, who may want to look at it.
 *
 * @param event a copy of ours.
 */
export function neutralize(event: MnetEvent): MnetEvent {
  const fields = event as unknown as Record<string, unknown>;
  for (const name in fields) {
    const value = fields[name];
    const neutral = neutralField(value);
    if (neutral !== value) fields[name] = neutral;
  }
  // The whole snapshot of a peer is a valid `peer`, too.
  if (event.peer) fields["peer"] = { id: event.peer.id, wwwroot: neutralText(event.peer.wwwroot) };
  return event;
}

/** The same for what a handler threw: of an error name and message, as the log keeps it. */
export function loggableEvent(event: MnetEvent): MnetEvent {
  return "error" in event ? { ...event, error: neutralThrown(event.error) } : event;
}

const neutralField = (value: unknown): unknown => {
  if (typeof value === "string") return neutralText(value);
  if (Array.isArray(value)) return value.map(neutralField);
  return value;
};

function neutralThrown(thrown: unknown): unknown {
  try {
    if (typeof thrown === "string") return neutralText(thrown);
    if (!(thrown instanceof Error) && !types.isNativeError(thrown)) return thrown;
    const { name, message }: { readonly name: unknown; readonly message: unknown } = thrown;
    const neutral = new Error(neutralText(String(message)));
    neutral.name = neutralText(String(name));
    return neutral;
  } catch {
    // A getter or a proxy threw.
    return "[unreadable]";
  }
}
