import type { Observer } from "../core/events.ts";
import { neutralText } from "../core/neutral-text.ts";
import { eventMessage } from "./event-message.ts";

/** Writes an object and a text, as pino's methods do. */
export type LogMethod = (fields: object, message: string) => void;

/** Four methods of a pino logger. Anything that has them will do. */
export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
}

/**
 * Tells a pino logger of every event, at the event's level: a sentence for people, and the event's fields for programs.
 *
 * `type` is called `event` there, because pino's own fields are flat. What a handler threw is `err`, with name, message and
 * stack: its other properties may hold whole requests, with their tokens (SEC-089).
 *
 * @example
 * const host = await createHost({ ...options, observer: pinoObserver(pino()) });
 */
export function pinoObserver(logger: Logger): Observer {
  return (event) => {
    // pino writes a level and a time of its own, and would write two of each.
    const { type, level, at: _at, ...fields } = event;
    const shown: object = "error" in fields ? withoutError(fields) : fields;
    logger[level]({ event: type, ...shown }, eventMessage(event));
  };
}

function withoutError({ error, ...fields }: { readonly error: unknown }): object {
  return { ...fields, err: describeThrown(error) };
}

/** How pino itself writes an error, without what else hangs on it. */
function describeThrown(thrown: unknown): { readonly type: string; readonly message: string; readonly stack?: string } {
  try {
    if (!(thrown instanceof Error))
      return { type: typeof thrown, message: typeof thrown === "string" ? neutralText(thrown) : "" };
    const { name, message, stack = "" } = thrown;
    // The message stands in the stack as well, and may have lines of its own.
    const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
    return {
      type: neutralText(name),
      message: neutralText(message),
      stack: frames.map((frame) => neutralText(frame)).join("\n"),
    };
  } catch {
    // A getter or a proxy threw.
    return { type: "unknown", message: "" };
  }
}
