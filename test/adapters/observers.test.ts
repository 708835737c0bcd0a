import { describe, expect, expectTypeOf, it } from "vitest";
import type { MnetEvent } from "../../src/core/events.ts";
import type { Fingerprint, PeerId, Wwwroot } from "../../src/core/ids.ts";
import { defineService } from "../../src/host/define-service.ts";
import { Fault } from "../../src/host/fault.ts";
import { t } from "../../src/host/wire-type.ts";
import {
  openTelemetryObserver,
  pinoObserver,
  type Meter,
  type TelemetryAttributes,
  type Tracer,
} from "../../src/observers.ts";
import { codeOf } from "../support/code-of.ts";
import { aliceCalls, post, rig } from "../support/hosts.ts";

const AT = new Date("2026-03-01T12:00:00Z");
const peer = { id: 7 as PeerId, wwwroot: "https://peer.example" as Wwwroot };
const fingerprint = "ab".repeat(32) as Fingerprint;
const sizes = { method: "a/b", durationMs: 12, bytesIn: 100, bytesOut: 200 };

type Bare = { [T in MnetEvent["type"]]: Omit<Extract<MnetEvent, { type: T }>, "type" | "at" | "level" | "peer"> };
/** One of each type, and how it reads. The type makes forgetting a new one an error of the compiler. */
const EVENTS: {
  readonly [T in MnetEvent["type"]]: readonly [level: MnetEvent["level"], event: Bare[T], text: string];
} = {
  "call.served": ["debug", sizes, "https://peer.example called a/b"],
  "call.refused": [
    "warn",
    { code: "MNET_ENVELOPE_REPLAYED", faultCode: 7000, detail: "It came twice." },
    "refused a request of https://peer.example with fault 7000: It came twice.",
  ],
  "request.throttled": [
    "warn",
    { reason: "private-key", requests: 12, remoteAddress: "192.0.2.7" },
    "turned away 12 requests of 192.0.2.7: too many that needed our private key and proved nothing",
  ],
  "trusted-machine.used": [
    "info",
    { remoteAddress: "192.0.2.7", accept: "plain", method: "a/b" },
    "the trusted machine 192.0.2.7 called a/b, in clear",
  ],
  "keyswap.answered": ["debug", { remoteAddress: "192.0.2.7" }, "gave our certificate to https://peer.example"],
  "call.sent": ["debug", sizes, "called a/b on https://peer.example"],
  "call.failed": [
    "warn",
    { method: "a/b", durationMs: 3, code: "MNET_REMOTE_FAULT", faultCode: 707 },
    "calling a/b on https://peer.example failed: MNET_REMOTE_FAULT 707",
  ],
  "call.retried": [
    "info",
    { method: "a/b", reason: "rekeyed" },
    "calling a/b on https://peer.example again, with its new key",
  ],
  "call.unchecked": ["info", { method: "a/b" }, "calling a/b on https://peer.example unchecked"],
  "envelope.remark": [
    "warn",
    { remark: "The digest differs." },
    "odd but accepted of https://peer.example: The digest differs.",
  ],
  "handler.failed": [
    "error",
    { method: "a/b", error: new Error("x") },
    "our handler of a/b failed when https://peer.example called it",
  ],
  "request.failed": ["error", { error: new Error("x") }, "a request could not be answered"],
  "clock.off": ["warn", { offsetMs: -90_400 }, "the clock of https://peer.example is 90 s behind ours"],
  "peer.added": ["info", { wwwroot: peer.wwwroot, by: "itself" }, "https://peer.example registered itself as a peer"],
  "peer.registration-refused": [
    "warn",
    { wwwroot: "https://x.example", detail: "Too many wait." },
    "https://x.example could not register itself: Too many wait.",
  ],
  "peer.changed": [
    "info",
    { state: "suspended", changed: ["state", "services"] },
    "changed state and services of https://peer.example, which is suspended",
  ],
  "peer.key-held": [
    "error",
    { fingerprint, reason: "signed-by-new-key" },
    `a key of https://peer.example waits for approval (signed by new key): ${fingerprint}`,
  ],
  "peer.circuit": [
    "warn",
    { open: true, retryAt: AT },
    "https://peer.example does not answer and is left alone until 2026-03-01T12:00:00.000Z",
  ],
  "peer.key-changed": [
    "warn",
    { from: fingerprint, to: fingerprint, how: "approved" },
    `approved a new key of https://peer.example: ${fingerprint}`,
  ],
  "peer.profile": ["info", { profile: "secure/1" }, "https://peer.example has proved the profile secure/1"],
  "peer.key-expiring": ["warn", { notAfter: AT, daysLeft: 1 }, "the key of https://peer.example expires in 1 day"],
  "key.created": ["info", { fingerprint }, `made our first key: ${fingerprint}`],
  "key.rotated": ["info", { from: fingerprint, to: fingerprint }, `made a new key of ours: ${fingerprint}`],
  "key.rewrapped": ["info", { keys: 2 }, "encrypted 2 private key(s) in the store anew"],
  "key.revoked": ["warn", { fingerprint, reason: "stolen" }, `revoked a key of ours (stolen): ${fingerprint}`],
  "sso.jumped": ["info", { accountId: "17" }, "sent account 17 to https://peer.example"],
  "sso.landed": [
    "info",
    { accountId: "17", created: true },
    "logged account 17 of https://peer.example in, for the first time",
  ],
  "sso.refused": [
    "warn",
    { code: "MNET_SSO_TOKEN_REFUSED", detail: "The token is not known." },
    "refused single sign-on with https://peer.example: The token is not known.",
  ],
  "sso.logged-out": ["info", { accountId: "17", told: 1 }, "account 17 logged out; 1 other site will hear of it"],
  "sso.access-changed": [
    "info",
    { username: "ada", rule: "deny" },
    "the user ada of https://peer.example: deny from now on",
  ],
  "sso.logout-untold": [
    "warn",
    { username: "ada", detail: "It did not answer." },
    "https://peer.example could not be told that ada has logged out: It did not answer.",
  ],
  "enrolment.changed": [
    "info",
    { side: "here", courseId: 3, username: "ada", change: "enrolled" },
    "enrolled ada in course 3 here, for https://peer.example",
  ],
  "enrolment.refused": [
    "warn",
    { side: "there", courseId: 3, username: "ada", faultCode: 5013 },
    "no enrolment of ada in course 3 at https://peer.example: fault 5013",
  ],
  "replay.refused": ["debug", {}, "a message of https://peer.example came a second time"],
  "replay.evicted": [
    "warn",
    { entries: 5 },
    "the replay memory of https://peer.example is full: forgot its 5 oldest messages",
  ],
  "legacy.used": ["warn", { setting: "tls" }, "made use of a weakness that is allowed for https://peer.example: tls"],
  "maintenance.failed": [
    "error",
    { task: "prune-log", code: "MNET_STORE_UNAVAILABLE", detail: "The database is away." },
    "the periodic task prune-log failed: The database is away.",
  ],
  "log.skipped": [
    "warn",
    { entries: 5, of: "call.refused" },
    "the log took 5 events less than there were: too many call.refused",
  ],
};
const eventOf = (type: MnetEvent["type"], more: object = {}): MnetEvent => {
  const [level, fields] = EVENTS[type];
  return { type, level, at: AT, peer, exchange: "e-1", ...fields, ...more } as MnetEvent;
};

function stubLogger() {
  const lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const at =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push({ level, fields: fields as Record<string, unknown>, message });
  return { lines, logger: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") } };
}

describe("pinoObserver", () => {
  it.each(Object.entries(EVENTS))("%s reads well", (type, [level, , text]) => {
    const { lines, logger } = stubLogger();
    pinoObserver(logger)(eventOf(type as MnetEvent["type"]));
    expect(lines).toMatchObject([{ level, message: text, fields: { event: type, exchange: "e-1" } }]);
    expect(lines[0]!.fields).not.toHaveProperty("level");
    expect(lines[0]!.fields).not.toHaveProperty("type");
  });

  it.each<[MnetEvent["type"], object, string]>([
    ["call.served", { faultCode: 17 }, "https://peer.example called a/b and got fault 17"],
    ["call.refused", { peer: undefined }, "refused a request of a stranger with fault 7000: It came twice."],
    [
      "call.refused",
      { peer: undefined, remoteAddress: "::1" },
      "refused a request of ::1 with fault 7000: It came twice.",
    ],
    [
      "request.throttled",
      { remoteAddress: undefined, addresses: 3, requests: 1 },
      "turned away 1 request of 3 further addresses: too many that needed our private key and proved nothing",
    ],
    [
      "call.failed",
      { faultCode: undefined, code: "MNET_TRANSPORT_TIMEOUT" },
      "calling a/b on https://peer.example failed: MNET_TRANSPORT_TIMEOUT",
    ],
    [
      "call.retried",
      { reason: "mahara-learned-our-key" },
      "calling a/b on https://peer.example again, because it has just learnt our new key",
    ],
    [
      "call.retried",
      { reason: "secure-profile" },
      "calling a/b on https://peer.example again, in the secure profile that it asks for",
    ],
    ["clock.off", { offsetMs: 60_000 }, "the clock of https://peer.example is 60 s ahead of ours"],
    ["peer.added", { by: "operator" }, "added the peer https://peer.example"],
    ["peer.changed", { peer: undefined, changed: ["services"] }, "changed services for all hosts"],
    ["peer.circuit", { open: false }, "https://peer.example answers again"],
    ["peer.key-changed", { how: "rekey" }, `https://peer.example has proved a new key: ${fingerprint}`],
    ["peer.key-expiring", { daysLeft: -3 }, "the key of https://peer.example expired 3 days ago"],
    ["legacy.used", { peer: undefined }, "made use of a weakness that is allowed for all peers: tls"],
    ["log.skipped", { of: undefined }, "the log took 5 events less than there were, because the store is away or slow"],
  ])("%s with %j", (type, more, text) => {
    const { lines, logger } = stubLogger();
    pinoObserver(logger)(eventOf(type, more));
    expect(lines[0]!.message).toBe(text);
  });

  it("SEC-089 of what a handler threw it shows name, message and stack, neutral, and nothing that hangs on it", () => {
    const { lines, logger } = stubLogger();
    const observe = pinoObserver(logger);
    const error = Object.assign(new RangeError("no\r\n    at fake (x:1)\u001b[2J"), {
      token: "CANARY",
      cause: "CANARY",
    });
    const trap = new Proxy(new Error("x"), {
      get: () => {
        throw new Error("trap");
      },
    });
    for (const thrown of [error, "text\n", 5, undefined, { token: "CANARY" }, trap]) {
      observe(eventOf("handler.failed", { error: thrown }));
    }
    const errors = lines.map(({ fields }) => fields["err"] as { type: string; message: string; stack?: string });
    expect(errors[0]).toMatchObject({ type: "RangeError", message: "no\\u000d\\u000a    at fake (x:1)\\u001b[2J" });
    expect(errors[0]!.stack).toContain("observers.test.ts");
    expect(errors.slice(1).map(({ type, message }) => [type, message])).toEqual([
      ["string", "text\\u000a"],
      ["number", ""],
      ["undefined", ""],
      ["object", ""],
      ["unknown", ""],
    ]);
    expect(JSON.stringify(lines)).not.toContain("CANARY");
    expect(lines[0]!.fields).not.toHaveProperty("error");
  });

  it("takes a logger as pino's types describe it", () => {
    /** As in pino.d.ts: overloads, the object first or the message alone. */
    interface LogFn {
      (obj: unknown, msg?: string, ...args: unknown[]): void;
      (msg: string, ...args: unknown[]): void;
    }
    interface PinoLogger {
      debug: LogFn;
      info: LogFn;
      warn: LogFn;
      error: LogFn;
      fatal: LogFn;
    }
    expectTypeOf<PinoLogger>().toExtend<Parameters<typeof pinoObserver>[0]>();
  });
});

/** As `@opentelemetry/api` has them. */
declare enum SpanKind {
  INTERNAL = 0,
  SERVER = 1,
  CLIENT = 2,
}
declare enum SpanStatusCode {
  UNSET = 0,
  OK = 1,
  ERROR = 2,
}

interface Span {
  readonly name: string;
  readonly kind: number | undefined;
  readonly startTime: Date | undefined;
  readonly attributes: TelemetryAttributes | undefined;
  endTime?: Date | undefined;
  status?: { code: number; message?: string };
}

function stubTelemetry() {
  const spans: Span[] = [];
  const measured: { name: string; value: number; attributes: TelemetryAttributes }[] = [];
  const instruments: string[] = [];
  const tracer: Tracer = {
    startSpan(name, { kind, startTime, attributes } = {}) {
      const span: Span = { name, kind, startTime, attributes };
      spans.push(span);
      return {
        setStatus(status) {
          span.status = status;
          return this;
        },
        end: (endTime) => void (span.endTime = endTime),
      };
    },
  };
  const record = (name: string) => {
    instruments.push(name);
    return (value: number, attributes: TelemetryAttributes = {}): void =>
      void measured.push({ name, value, attributes });
  };
  const meter: Meter = {
    createCounter: (name) => ({ add: record(name) }),
    createHistogram: (name) => ({ record: record(name) }),
  };
  const of = (name: string) => measured.filter((measurement) => measurement.name === name);
  return { tracer, meter, spans, measured, instruments, of };
}

describe("openTelemetryObserver", () => {
  it("makes a span of each call, from its beginning to its end", () => {
    const telemetry = stubTelemetry();
    const observe = openTelemetryObserver(telemetry);
    observe(eventOf("call.served"));
    observe(eventOf("call.sent"));
    observe(eventOf("call.failed"));
    const times = { startTime: new Date(AT.getTime() - 12), endTime: AT };
    const attributes = { "rpc.system": "mnet", "rpc.method": "a/b", "mnet.peer": peer.wwwroot, "mnet.exchange": "e-1" };
    expect(telemetry.spans).toEqual([
      { name: "a/b", kind: 1, attributes, ...times },
      { name: "a/b", kind: 2, attributes, ...times },
      {
        name: "a/b",
        kind: 2,
        attributes: { ...attributes, "mnet.code": "MNET_REMOTE_FAULT", "mnet.fault_code": 707 },
        startTime: new Date(AT.getTime() - 3),
        endTime: AT,
        status: { code: 2, message: "calling a/b on https://peer.example failed: MNET_REMOTE_FAULT 707" },
      },
    ]);
  });

  it("counts and measures calls, bytes, refusals and everything else", () => {
    const telemetry = stubTelemetry();
    const observe = openTelemetryObserver(telemetry);
    expect(telemetry.instruments.sort()).toEqual([
      "mnet.bytes",
      "mnet.call.duration",
      "mnet.calls",
      "mnet.events",
      "mnet.refusals",
    ]);
    for (const type of Object.keys(EVENTS) as MnetEvent["type"][]) observe(eventOf(type));
    observe(eventOf("call.served", { faultCode: 17 }));
    observe(eventOf("call.failed", { faultCode: undefined, code: "MNET_TRANSPORT_TIMEOUT" }));

    const calls = telemetry.of("mnet.calls");
    expect(
      calls.map(({ attributes }) => [
        attributes["mnet.direction"],
        attributes["mnet.outcome"],
        attributes["mnet.code"],
      ]),
    ).toEqual([
      ["in", "ok", undefined],
      ["out", "ok", undefined],
      ["out", "fault", "MNET_REMOTE_FAULT"],
      ["in", "fault", undefined],
      ["out", "failed", "MNET_TRANSPORT_TIMEOUT"],
    ]);
    expect(telemetry.of("mnet.call.duration").map(({ value }) => value)).toEqual([12, 12, 3, 12, 3]);
    const received = telemetry
      .of("mnet.bytes")
      .filter(({ attributes }) => attributes["network.io.direction"] === "receive");
    expect(received.map(({ value }) => value)).toEqual([100, 100, 100]);
    expect(telemetry.of("mnet.refusals")).toMatchObject([
      { value: 1, attributes: { "mnet.code": "MNET_ENVELOPE_REPLAYED", "mnet.fault_code": 7000 } },
    ]);
    const others = telemetry.of("mnet.events").map(({ attributes }) => attributes["mnet.event"]);
    expect(others.sort()).toEqual(
      Object.keys(EVENTS)
        .filter((type) => !["call.served", "call.sent", "call.failed", "call.refused"].includes(type))
        .sort(),
    );
  });

  it("SEC-084 attributes of metrics have few values, whatever peers and programs do", () => {
    const telemetry = stubTelemetry();
    const observe = openTelemetryObserver(telemetry);
    for (let n = 0; n < 5000; n += 1) {
      const who = { id: n as PeerId, wwwroot: `https://p${n}.example` };
      observe(eventOf("call.failed", { method: `a/m${n}`, faultCode: n, peer: who, exchange: `e-${n}` }));
      observe(eventOf("call.refused", { peer: who, detail: `d${n}`, remoteAddress: `192.0.2.${n}` }));
      observe(eventOf("peer.added", { wwwroot: `https://p${n}.example` }));
    }
    const combinations = new Set(
      telemetry.measured.map(({ name, attributes }) => `${name} ${JSON.stringify(attributes)}`),
    );
    expect(combinations.size).toBeLessThan(500);
  });

  it("takes a tracer and a meter as the types of @opentelemetry/api describe them", () => {
    type TimeInput = [number, number] | number | Date;
    type Attributes = Record<string, string | number | boolean | (string | null | undefined)[] | undefined>;
    interface RealSpan {
      setStatus(status: { code: SpanStatusCode; message?: string }): this;
      end(endTime?: TimeInput): void;
    }
    interface RealTracer {
      startSpan(
        name: string,
        options?: { kind?: SpanKind; attributes?: Attributes; startTime?: TimeInput; root?: boolean },
        context?: { getValue(key: symbol): unknown },
      ): RealSpan;
    }
    interface Instrument<A extends Attributes = Attributes> {
      add(value: number, attributes?: A, context?: object): void;
      record(value: number, attributes?: A, context?: object): void;
    }
    interface RealMeter {
      createCounter<A extends Attributes = Attributes>(
        name: string,
        options?: { description?: string; unit?: string; valueType?: number },
      ): Instrument<A>;
      createHistogram<A extends Attributes = Attributes>(
        name: string,
        options?: { description?: string; unit?: string },
      ): Instrument<A>;
    }
    expectTypeOf<RealTracer>().toExtend<Tracer>();
    expectTypeOf<RealMeter>().toExtend<Meter>();
  });
});

describe("on a host", () => {
  it("both are told of what happens", async () => {
    const service = defineService({ name: "work", methods: { run: { returns: t.string() } } });
    const { lines, logger } = stubLogger();
    const telemetry = stubTelemetry();
    await using us = await rig({
      services: [service.implement({ run: () => Promise.reject(new Fault(1001, "No.")) })],
      alicePeer: { services: { work: "both" } },
      observer: pinoObserver(logger),
    });
    us.host.observe(openTelemetryObserver(telemetry));
    await post(us.host, aliceCalls(us, "work/run"));
    await codeOf(() => us.host.call({ id: us.aliceId }, service.methods.run, {}));
    await post(us.host, Buffer.from("x"));
    expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "debug https://alice.example called work/run and got fault 1001",
      "warn calling work/run on https://alice.example failed: MNET_TRANSPORT_UNREACHABLE",
      "warn refused a request of 192.0.2.7 with fault 7021: The request is neither encrypted nor signed.",
    ]);
    expect(telemetry.spans.map(({ name, kind }) => [name, kind])).toEqual([
      ["work/run", 1],
      ["work/run", 2],
    ]);
    expect(telemetry.of("mnet.refusals")).toHaveLength(1);
  });
});
