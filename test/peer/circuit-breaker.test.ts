import { describe, expect, it } from "vitest";
import { TransportError, type MnetError } from "../../src/core/errors.ts";
import type { NewEvent } from "../../src/core/events.ts";
import type { PeerId, Wwwroot } from "../../src/core/ids.ts";
import {
  CircuitBreaker,
  FIRST_BACK_OFF_MS,
  LONGEST_BACK_OFF_MS,
  type Outcome,
} from "../../src/peer/circuit-breaker.ts";
import { HttpClient, type Route } from "../../src/peer/http-exchange.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import type { Transport, TransportResponse } from "../../src/transport/transport.ts";
import { usedHeap } from "../support/used-heap.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { aliceCalls, post, rig, transportTo } from "../support/hosts.ts";

const URL_ = "https://alice.example/mnet/xmlrpc/server.php";
const peerNumber = (n: number) => ({ id: n as PeerId, wwwroot: `https://peer${n}.example` as Wwwroot });

/** Without jitter unless told. */
function setUp({ random = () => 0 }: { readonly random?: () => number } = {}) {
  const clock = fakeClock();
  const events: NewEvent[] = [];
  const emit = (event: NewEvent): void => void events.push(event);
  const breaker = new CircuitBreaker({ clock, random });
  const enter = (n = 1) => breaker.enter({ peer: peerNumber(n), url: URL_, timeoutMs: 30_000, emit });
  const exchange = (outcome: Outcome, n = 1): void => enter(n)(outcome);
  const fail = (times: number, n = 1): void => {
    for (let time = 0; time < times; time += 1) exchange("failed", n);
  };
  const isOpen = async (n = 1): Promise<boolean> => {
    try {
      enter(n)("unknown");
      return false;
    } catch {
      return true;
    }
  };
  const retryIn = async (n = 1): Promise<number> => {
    const error = await errorOf(() => enter(n));
    return (error as { retryAt?: Date }).retryAt!.getTime() - clock.now();
  };
  return { clock, events, emit, breaker, enter, exchange, fail, isOpen, retryIn };
}

describe("CircuitBreaker", () => {
  it("opens after five failures in a row, for one peer, with an event and a retryable error that says until when", async () => {
    const { clock, events, fail, isOpen, enter } = setUp();
    fail(4);
    expect([await isOpen(), events]).toEqual([false, []]);
    fail(1);
    const retryAt = new Date(clock.now() + FIRST_BACK_OFF_MS);
    expect(events).toEqual([{ type: "peer.circuit", level: "warn", peer: peerNumber(1), open: true, retryAt }]);
    expect(await errorOf(() => enter())).toMatchObject({
      code: "MNET_TRANSPORT_CIRCUIT_OPEN",
      retryable: true,
      retryAt,
      url: URL_,
      peer: peerNumber(1).wwwroot,
    });
    expect(await isOpen(2)).toBe(false);
  });

  it("an answer in between, or a quarter of an hour, begins the row anew", async () => {
    const { clock, exchange, fail, isOpen } = setUp();
    fail(4);
    exchange("answered");
    fail(4);
    expect(await isOpen()).toBe(false);
    await clock.advance(15 * 60_000 + 1);
    fail(4);
    expect(await isOpen()).toBe(false);
    fail(1);
    expect(await isOpen()).toBe(true);
  });

  it("what was broken off counts neither way", async () => {
    const { exchange, fail, isOpen } = setUp();
    fail(4);
    exchange("unknown");
    expect(await isOpen()).toBe(false);
    fail(1);
    expect(await isOpen()).toBe(true);
  });

  it("lets one exchange try when the back-off is over; its answer closes the circuit", async () => {
    const { clock, events, fail, enter, isOpen } = setUp();
    fail(5);
    await clock.advance(FIRST_BACK_OFF_MS - 1);
    expect(await isOpen()).toBe(true);
    await clock.advance(1);
    const settle = enter();
    expect(await isOpen()).toBe(true);
    settle("answered");
    expect(events.at(-1)).toEqual({ type: "peer.circuit", level: "info", peer: peerNumber(1), open: false });
    expect(await isOpen()).toBe(false);
    expect(events).toHaveLength(2);
  });

  it("the back-off doubles with each failed trial, up to five minutes", async () => {
    const { clock, events, fail, retryIn } = setUp();
    fail(5);
    const waits: number[] = [];
    for (let trial = 0; trial < 9; trial += 1) {
      waits.push(await retryIn());
      await clock.advance(waits.at(-1)!);
      fail(1);
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300].map((seconds) => seconds * 1000));
    // A peer that is away for days is one event.
    expect(events).toHaveLength(1);
  });

  it("jitter shortens it by up to a half", async () => {
    for (const [random, part] of [
      [0, 1],
      [0.5, 0.75],
      [0.999999, 0.5],
    ] as const) {
      const { clock, fail, retryIn } = setUp({ random: () => random });
      fail(5);
      expect((await retryIn()) / FIRST_BACK_OFF_MS).toBeCloseTo(part, 3);
      for (let trial = 0; trial < 20; trial += 1) {
        await clock.advance(await retryIn());
        fail(1);
      }
      expect((await retryIn()) / LONGEST_BACK_OFF_MS).toBeCloseTo(part, 3);
    }
  });

  it("a trial that is broken off gives way to the next, one that never ends after its time", async () => {
    const { clock, fail, enter, isOpen, retryIn } = setUp();
    fail(5);
    await clock.advance(FIRST_BACK_OFF_MS);
    enter()("unknown");
    const hanging = enter();
    expect(await retryIn()).toBe(30_000);
    await clock.advance(30_000);
    const next = enter();
    hanging("failed");
    next("failed");
    expect(await retryIn()).toBe(2 * FIRST_BACK_OFF_MS);
    expect(await isOpen()).toBe(true);
  });

  it("what was sent before it opened neither prolongs it nor is overheard when it is answered", async () => {
    const { clock, fail, enter, isOpen, retryIn } = setUp();
    const early = Array.from({ length: 20 }, () => enter());
    fail(5);
    for (const settle of early.slice(1)) settle("failed");
    expect(await retryIn()).toBe(FIRST_BACK_OFF_MS);
    await clock.advance(FIRST_BACK_OFF_MS);
    const trial = enter();
    early[1]!("failed");
    expect(await isOpen()).toBe(true);
    early[0]!("answered");
    expect(await isOpen()).toBe(false);
    trial("failed");
    expect(await isOpen()).toBe(false);
  });

  it("a peer that is heard from has its circuit closed, and its row forgotten", async () => {
    const { breaker, events, emit, fail, isOpen } = setUp();
    fail(5);
    breaker.heardFrom(peerNumber(1), emit);
    expect(await isOpen()).toBe(false);
    expect(events.map((event) => event.type === "peer.circuit" && event.open)).toEqual([true, false]);
    fail(4);
    breaker.heardFrom(peerNumber(1), emit);
    fail(4);
    expect([await isOpen(), events.length]).toEqual([false, 2]);
  });

  it("SEC-084 a million peers that fail leave memory flat", async () => {
    const { events, fail, isOpen } = setUp();
    fail(5, 0);
    const before = usedHeap();
    for (let n = 1; n < 1_000_000; n += 1) fail(1, n);
    expect(usedHeap() - before).toBeLessThan(10 * 1024 * 1024);
    expect([await isOpen(0), events.length]).toEqual([false, 1]);
  });
});

describe("which exchanges count", () => {
  const route = (more: Partial<Route> = {}): Route => ({
    wwwroot: peerNumber(1).wwwroot,
    peer: peerNumber(1).id,
    tls: "verify",
    allowAddresses: [],
    timeoutMs: 1000,
    emit: () => undefined,
    ...more,
  });
  const status = (code: number): TransportResponse => ({ status: code, headers: {}, body: Buffer.from("x") });
  const failing = (code: TransportError["code"]) => () => Promise.reject(new TransportError(code, "no", { url: URL_ }));

  /** How five such answers leave the circuit. */
  async function afterFive(
    answer: () => Promise<TransportResponse>,
    more?: Partial<Route>,
  ): Promise<"open" | "closed"> {
    const clock = fakeClock();
    let asked = 0;
    const transport: Transport = {
      exchange: () => {
        asked += 1;
        return answer();
      },
    };
    const client = new HttpClient(transport, clock, new CircuitBreaker({ clock }));
    const ask = () => codeOf(() => client.exchange(route(more), { method: "POST", url: new URL(URL_), maxBytes: 100 }));
    for (let n = 0; n < 5; n += 1) await ask();
    const last = await ask();
    // While it is open, nothing is sent.
    expect(asked).toBe(last === "MNET_TRANSPORT_CIRCUIT_OPEN" ? 5 : 6);
    return last === "MNET_TRANSPORT_CIRCUIT_OPEN" ? "open" : "closed";
  }

  it.each(["MNET_TRANSPORT_UNREACHABLE", "MNET_TRANSPORT_TIMEOUT", "MNET_TRANSPORT_TLS"] as const)(
    "%s does",
    async (code) => {
      expect(await afterFive(failing(code))).toBe("open");
    },
  );

  it.each(["MNET_TRANSPORT_NOT_MNET", "MNET_TRANSPORT_TOO_LARGE", "MNET_TRANSPORT_ADDRESS_REFUSED"] as const)(
    "%s does not",
    async (code) => {
      expect(await afterFive(failing(code))).toBe("closed");
    },
  );

  it.each([429, 502, 503, 504])("status %i does", async (code) => {
    expect(await afterFive(() => Promise.resolve(status(code)))).toBe("open");
  });

  it.each([200, 302, 403, 404, 500])("status %i does not: somebody is there", async (code) => {
    expect(await afterFive(() => Promise.resolve(status(code)))).toBe("closed");
  });

  it("strangers have no circuit", async () => {
    const { peer: _peer, ...stranger } = route();
    const clock = fakeClock();
    const client = new HttpClient(
      { exchange: failing("MNET_TRANSPORT_UNREACHABLE") },
      clock,
      new CircuitBreaker({ clock }),
    );
    for (let n = 0; n < 20; n += 1) {
      const code = await codeOf(() => client.exchange(stranger, { method: "GET", url: new URL(URL_), maxBytes: 100 }));
      expect(code).toBe("MNET_TRANSPORT_UNREACHABLE");
    }
  });

  it("a silent peer: five calls wait, the sixth does not; an aborted call is no failure", async () => {
    const clock = fakeClock();
    const client = new HttpClient(
      {
        exchange: ({ signal }) =>
          new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
      },
      clock,
      new CircuitBreaker({ clock }),
    );
    const ask = (signal?: AbortSignal) =>
      client.exchange(route(), { method: "GET", url: new URL(URL_), maxBytes: 9, signal });
    for (let n = 0; n < 10; n += 1) {
      const caller = new AbortController();
      const aborted = ask(caller.signal);
      caller.abort(new Error("enough"));
      await expect(aborted).rejects.toThrow("enough");
    }
    for (let n = 0; n < 5; n += 1) {
      const code = codeOf(() => ask());
      await clock.advance(1000);
      expect(await code).toBe("MNET_TRANSPORT_TIMEOUT");
    }
    expect(await codeOf(() => ask())).toBe("MNET_TRANSPORT_CIRCUIT_OPEN");
  });
});

describe("a host", () => {
  it("spares a peer that does not answer, until it answers, or calls itself", async () => {
    let asked = 0;
    await using us = await rig({
      transport: transportTo(({ url }) => {
        asked += 1;
        throw new TransportError("MNET_TRANSPORT_UNREACHABLE", "no", { url: url.href, retryable: true });
      }),
    });
    const call = async (): Promise<MnetError> => errorOf(() => us.host.call({ id: us.aliceId }, "system/listServices"));
    for (let n = 0; n < 5; n += 1) expect((await call()).code).toBe("MNET_TRANSPORT_UNREACHABLE");
    expect(await call()).toMatchObject({ code: "MNET_TRANSPORT_CIRCUIT_OPEN", retryable: true });
    expect(asked).toBe(5);
    expect(us.told("peer.circuit")).toMatchObject([{ open: true, peer: { id: us.aliceId } }]);

    const overheard = aliceCalls(us, "system/listServices");
    await post(us.host, overheard);
    expect(us.told("peer.circuit")).toMatchObject([{ open: true }, { open: false }]);
    for (let n = 0; n < 5; n += 1) expect((await call()).code).toBe("MNET_TRANSPORT_UNREACHABLE");
    expect((await call()).code).toBe("MNET_TRANSPORT_CIRCUIT_OPEN");
    // Only a message of its own does that: not one that is sent again, nor one that says it is from there.
    await post(us.host, overheard);
    await post(us.host, aliceCalls(us, "system/listServices", [], { form: "encrypted" }));
    expect((await call()).code).toBe("MNET_TRANSPORT_CIRCUIT_OPEN");
    await us.clock.advance(FIRST_BACK_OFF_MS);
    expect((await call()).code).toBe("MNET_TRANSPORT_UNREACHABLE");
    expect((await call()).code).toBe("MNET_TRANSPORT_CIRCUIT_OPEN");
  });
});
