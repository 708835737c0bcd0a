import type { MnetEvent, Observer } from "../core/events.ts";
import { eventMessage } from "./event-message.ts";

/** What spans and metrics say beside their name. */
export type TelemetryAttributes = Record<string, string | number | boolean>;

/** What the observer needs of a `Span` of `@opentelemetry/api`. */
export interface Span {
  /** Called for what went wrong. */
  setStatus(status: { code: number; message?: string }): unknown;
  /** Called once. */
  end(endTime?: Date): void;
}

/** What the observer needs of a `Tracer` of `@opentelemetry/api`. */
export interface Tracer {
  /** Called when a call is over, with the moment at which it began. */
  startSpan(name: string, options?: { kind?: number; startTime?: Date; attributes?: TelemetryAttributes }): Span;
}

/** What the observer needs of a `Counter` of `@opentelemetry/api`. */
export interface Counter {
  /** Called for each event. */
  add(value: number, attributes?: TelemetryAttributes): void;
}

/** What the observer needs of a `Histogram` of `@opentelemetry/api`. */
export interface Histogram {
  /** Called for each call. */
  record(value: number, attributes?: TelemetryAttributes): void;
}

/** What the observer needs of a `Meter` of `@opentelemetry/api`. */
export interface Meter {
  /** Called once for each metric. */
  createCounter(name: string, options?: { description?: string; unit?: string }): Counter;
  /** Called once for each metric. */
  createHistogram(name: string, options?: { description?: string; unit?: string }): Histogram;
}

/** Of the enumerations of `@opentelemetry/api`. */
const SERVER = 1;
const CLIENT = 2;
const ERROR = 2;

/** More methods than any host has. A program that calls names made of data must not make a metric of each. */
const MAXIMUM_METHODS = 200;
const OTHER_METHODS = "other";

/**
 * Spans and metrics for OpenTelemetry; the two objects come from `@opentelemetry/api`, which is not imported.
 *
 * A span for each call, ours (client) and the peers' (server), made when it is over: a child of whatever span is active
 * then. The metrics:
 *
 * - `mnet.calls` counts calls, `mnet.call.duration` measures them in milliseconds, by `mnet.direction` (`in`, `out`),
 *   `rpc.method`, `mnet.outcome` (`ok`, `fault`, `failed`) and for failed ones `mnet.code`.
 * - `mnet.bytes` counts bytes of calls that were answered, by `network.io.direction` (`receive`, `transmit`).
 * - `mnet.refusals` counts requests that were refused, by `mnet.code` and `mnet.fault_code`.
 * - `mnet.events` counts everything else, by `mnet.event` and `mnet.level`.
 *
 * No metric has an attribute that other sites could fill with values of their own; peers stand on spans only, figures by
 * peer are in `host.stats`.
 *
 * @example
 * const tracer = trace.getTracer("mnet");
 * const meter = metrics.getMeter("mnet");
 * const host = await createHost({ ...options, observer: openTelemetryObserver({ tracer, meter }) });
 */
export function openTelemetryObserver({ tracer, meter }: { readonly tracer: Tracer; readonly meter: Meter }): Observer {
  const calls = meter.createCounter("mnet.calls", { description: "Calls, peers' and ours", unit: "{call}" });
  const durations = meter.createHistogram("mnet.call.duration", { description: "How long calls took", unit: "ms" });
  const bytes = meter.createCounter("mnet.bytes", { description: "Bytes of calls, envelopes included", unit: "By" });
  const refusals = meter.createCounter("mnet.refusals", {
    description: "Requests that were refused",
    unit: "{request}",
  });
  const others = meter.createCounter("mnet.events", { description: "Everything else that happened", unit: "{event}" });
  const methods = new Set<string>();

  return (event) => {
    switch (event.type) {
      case "call.served":
        observeCall(event, event.faultCode === undefined ? "ok" : "fault");
        break;
      case "call.sent":
        observeCall(event, "ok");
        break;
      case "call.failed":
        observeCall(event, event.faultCode === undefined ? "failed" : "fault");
        break;
      case "call.refused":
        // Both come from tables of our own.
        refusals.add(1, { "mnet.code": event.code, "mnet.fault_code": event.faultCode });
        break;
      default:
        others.add(1, { "mnet.event": event.type, "mnet.level": event.level });
    }
  };

  function observeCall(
    event: Extract<MnetEvent, { type: "call.served" | "call.sent" | "call.failed" }>,
    outcome: "ok" | "fault" | "failed",
  ): void {
    const direction = event.type === "call.served" ? "in" : "out";
    const attributes: TelemetryAttributes = {
      "mnet.direction": direction,
      "rpc.method": boundedMethod(event.method),
      "mnet.outcome": outcome,
      ...(event.type === "call.failed" && { "mnet.code": event.code }),
    };
    calls.add(1, attributes);
    durations.record(event.durationMs, attributes);
    if (event.type !== "call.failed") {
      bytes.add(event.bytesIn, { "network.io.direction": "receive" });
      bytes.add(event.bytesOut, { "network.io.direction": "transmit" });
    }
    addSpan(event, direction);
  }

  function addSpan(
    event: Extract<MnetEvent, { type: "call.served" | "call.sent" | "call.failed" }>,
    direction: "in" | "out",
  ): void {
    const faultCode = "faultCode" in event ? event.faultCode : undefined;
    const span = tracer.startSpan(event.method, {
      kind: direction === "in" ? SERVER : CLIENT,
      startTime: new Date(event.at.getTime() - event.durationMs),
      attributes: {
        "rpc.system": "mnet",
        "rpc.method": event.method,
        ...(event.peer && { "mnet.peer": event.peer.wwwroot }),
        ...(event.exchange !== undefined && { "mnet.exchange": event.exchange }),
        ...(faultCode !== undefined && { "mnet.fault_code": faultCode }),
        ...(event.type === "call.failed" && { "mnet.code": event.code }),
      },
    });
    // A fault of a method is an answer to the one who serves; to the one who called it is a failure.
    if (event.type === "call.failed") span.setStatus({ code: ERROR, message: eventMessage(event) });
    span.end(event.at);
  }

  function boundedMethod(method: string): string {
    if (methods.size < MAXIMUM_METHODS) methods.add(method);
    return methods.has(method) ? method : OTHER_METHODS;
  }
}
