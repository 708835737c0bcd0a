import { describe, expect, it } from "vitest";
import { defineService } from "../../src/host/define-service.ts";
import { Fault } from "../../src/host/fault.ts";
import type { IncomingCall } from "../../src/host/service.ts";
import { t } from "../../src/host/wire-type.ts";
import type { ServiceFlag } from "../../src/peer/service-flags.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";
import {
  aliceCalls,
  insertPeer,
  keyedSite,
  openAnswer,
  post,
  request,
  rig,
  summary,
  wrap,
  type KeyedSite,
  type Rig,
} from "../support/hosts.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const BOTH = "signed and encrypted";
const FLAGS = ["publish", "subscribe", "both", "off", undefined] as const;

const call = async (us: Rig, method: string, params: readonly XmlRpcValue[] = []) =>
  summary(openAnswer(await post(us.host, aliceCalls(us, method, params)), us.alice));

describe("who may call what", () => {
  /** A service with two methods, each of which notes that it ran. */
  function served(name: string, executed: string[]) {
    const service = defineService({ name, methods: { one: { returns: t.string() }, two: { returns: t.string() } } });
    const run = (_: object, { method, peer }: IncomingCall): string => {
      executed.push(`${peer.wwwroot} ${method}`);
      return method;
    };
    return service.implement({ one: run, two: run });
  }

  const publishes = (flag: ServiceFlag | undefined): boolean => flag === "publish" || flag === "both";
  const expectedFault = (own: ServiceFlag | undefined, all: ServiceFlag | undefined): number | undefined => {
    if (publishes(own) || publishes(all)) return undefined;
    return own === "subscribe" || all === "subscribe" ? 707 : 7012;
  };
  const cases = FLAGS.flatMap((own) => FLAGS.map((all) => [own, all] as const));

  it.each(cases)(
    "SEC-055 MNET-088 MNET-089 every peer × service × method, with alpha %s for alice and %s for all hosts",
    async (own, all) => {
      const executed: string[] = [];
      const unserved = defineService({ name: "gamma", methods: { one: { returns: t.string() } } });
      await using us = await rig({
        services: [served("alpha", executed), served("beta", executed), unserved],
        alicePeer: { services: own ? { alpha: own } : {} },
      });
      const bob = keyedSite("https://bob.example", 2);
      await insertPeer(us.store, bob, { services: { beta: "both", gamma: "both" } });
      if (all) await us.store.peers.changeAllHostsServices({ alpha: all });

      const boxes: Record<string, Record<string, ServiceFlag | undefined>> = {
        [us.alice.wwwroot]: { alpha: own },
        [bob.wwwroot]: { beta: "both", gamma: "both" },
      };
      const ran: string[] = [];
      for (const peer of [us.alice, bob]) {
        for (const service of ["alpha", "beta", "gamma"]) {
          for (const name of ["one", "two"]) {
            const method = `${service}/${name}`;
            const body = wrap(encodeCall(method, []), { from: peer, to: us.ours });
            const answer = summary(openAnswer(await post(us.host, body), peer));
            const isKnown = method !== "gamma/two";
            const permitted = expectedFault(boxes[peer.wwwroot]![service], service === "alpha" ? all : undefined);
            const fault = !isKnown ? 7012 : service === "gamma" && permitted === undefined ? 707 : permitted;
            expect({ peer: peer.wwwroot, method, ...answer }).toEqual({
              peer: peer.wwwroot,
              method,
              form: BOTH,
              ...(fault === undefined ? { value: method } : { fault }),
            });
            if (fault === undefined) ran.push(`${peer.wwwroot} ${method}`);
          }
        }
      }
      expect(executed).toEqual(ran);
      expect(us.told("call.refused")).toHaveLength(12 - ran.length);
      expect(us.told("call.served").map(({ method, peer }) => `${peer!.wwwroot} ${method}`)).toEqual(ran);
    },
  );

  it("SEC-055 a box that is unticked counts with the next call", async () => {
    const executed: string[] = [];
    await using us = await rig({ services: [served("alpha", executed)] });
    const alice = { id: us.aliceId };
    await us.host.peers.setServices(alice, { alpha: "publish" });
    expect(await call(us, "alpha/one")).toEqual({ form: BOTH, value: "alpha/one" });
    await us.host.peers.setServices(alice, { alpha: "off" });
    expect(await call(us, "alpha/one")).toEqual({ form: BOTH, fault: 7012 });
    expect(executed).toHaveLength(1);
  });

  it("MNET-089 a host row without publish does not cancel an All Hosts row with publish", async () => {
    await using us = await rig({ services: [served("alpha", [])], alicePeer: { services: { alpha: "subscribe" } } });
    expect(await call(us, "alpha/one")).toEqual({ form: BOTH, fault: 707 });
    await us.host.peers.setServices("all-hosts", { alpha: "publish" });
    expect(await call(us, "alpha/one")).toEqual({ form: BOTH, value: "alpha/one" });
  });
});

describe("names of methods", () => {
  const executed: string[] = [];
  const service = defineService({
    name: "auth_like",
    path: "auth/like/auth.php",
    methods: { run: { returns: t.string() }, hasOwnProperty: { returns: t.string() } },
  }).implement({
    run: (_, { method }) => {
      executed.push(method);
      return "ran";
    },
    hasOwnProperty: () => "ran",
  });
  const withService = () => rig({ services: [service], alicePeer: { services: { auth_like: "publish" } } });

  it("MNET-087 the exact name runs, any other is 7012 and nothing runs", async () => {
    await using us = await withService();
    executed.length = 0;
    expect(await call(us, "auth/like/auth.php/run")).toEqual({ form: BOTH, value: "ran" });
    expect(await call(us, "auth/like/auth.php/hasOwnProperty")).toEqual({ form: BOTH, value: "ran" });
    for (const name of [
      "auth/like/auth.php/Run",
      "Auth/like/auth.php/run",
      "auth/like/run",
      "auth/like/auth.php//run",
    ]) {
      expect({ name, ...(await call(us, name)) }).toEqual({ name, form: BOTH, fault: 7012 });
    }
    expect(executed).toEqual(["auth/like/auth.php/run"]);
    expect(new Set(us.told("call.refused").map(({ code }) => code))).toEqual(new Set(["MNET_CALL_METHOD_UNKNOWN"]));
  });

  it.each([
    "listMethods",
    "",
    "bad method!",
    "/auth/like/auth.php/run",
    "auth/like/auth.php/run/",
    "auth/like/auth.php/run\n",
    "auth/../like/auth.php/run",
    "auth/like/../like/auth.php/run",
    "../../etc/passwd",
    "auth\\like\\auth.php\\run",
    "auth/like/auth．php/run",
    "auth/like/auth․php/run",
    "auth／like／auth.php／run",
    "http://evil.example/x",
    "auth_like/run",
    "system.listMethods",
    "system.keyswap",
  ])("MNET-085 SEC-056 %j → 713, nothing runs", async (name) => {
    await using us = await withService();
    executed.length = 0;
    expect(await call(us, name)).toEqual({ form: BOTH, fault: 713 });
    expect(executed).toEqual([]);
    expect(us.told("call.refused")).toMatchObject([{ code: "MNET_CALL_METHOD_UNKNOWN", faultCode: 713 }]);
  });

  it.each(["constructor", "__proto__", "toString", "hasOwnProperty", "prototype"])(
    "SEC-056 the object property %s is no method and no service",
    async (property) => {
      await using us = await withService();
      for (const name of [`auth/${property}`, `${property.replaceAll("_", "")}/xx`, `auth/like/${property}`]) {
        expect(await call(us, name)).toEqual({ form: BOTH, fault: 7012 });
      }
      expect(await call(us, `system/${property}`)).toEqual({ form: BOTH, fault: 7018 });
      expect(await call(us, property)).toEqual({ form: BOTH, fault: 713 });
    },
  );

  it.each([
    ["system.listMethods", 713],
    ["system.keyswap", 713],
    ["system/nosuch", 7018],
    ["system/listFiles", 7018],
    ["system/retrieveFile", 7018],
    ["system/ListMethods", 7018],
    ["system/listMethods/x", 7018],
    ["System/listMethods", 7012],
  ])("MNET-086 %s → %i", async (name, fault) => {
    await using us = await rig();
    expect(await call(us, name)).toEqual({ form: BOTH, fault });
    expect(us.told("call.refused")).toMatchObject([{ faultCode: fault, code: "MNET_CALL_METHOD_UNKNOWN" }]);
  });

  it("MNET-086 of the system methods those that exist answer", async () => {
    await using us = await rig();
    expect(await call(us, "system/listMethods")).toEqual({ form: BOTH, value: [] });
    expect(await call(us, "system/keyswap")).toEqual({ form: BOTH, value: us.ours.certificate.pem });
  });

  it("SEC-090 a refusal is in the log, with what the sender was not told", async () => {
    await using us = await withService();
    await call(us, "auth/like/auth.php/nosuch");
    await us.host.close();
    const { items } = await us.store.log.list({ type: "call.refused" }, undefined, 10);
    expect(items).toMatchObject([{ faultCode: 7012, peer: { wwwroot: us.alice.wwwroot } }]);
    expect(items[0]).toHaveProperty("detail", expect.stringContaining("nosuch"));
  });
});

describe("handlers", () => {
  type Handler = (
    params: { readonly text: string; readonly count?: number | undefined },
    call: IncomingCall,
  ) => string | Promise<string>;
  const described = defineService({
    name: "work",
    methods: {
      run: { params: { text: t.string(), count: t.int({ min: 1 }).optional() }, returns: t.string({ maxLength: 5 }) },
    },
  });
  const working = (run: Handler) =>
    rig({ services: [described.implement({ run })], alicePeer: { services: { work: "publish" } } });

  it("MNET-130 wrong or missing parameters → 17, nothing executed, told with the path", async () => {
    const seen: unknown[] = [];
    await using us = await working((params) => {
      seen.push(params);
      return "ok";
    });
    expect(await call(us, "work/run", ["x", 2])).toEqual({ form: BOTH, value: "ok" });
    expect(await call(us, "work/run", ["x", "2", "one more"])).toEqual({ form: BOTH, value: "ok" });
    expect(seen).toEqual([
      { text: "x", count: 2 },
      { text: "x", count: 2 },
    ]);
    for (const params of [[], [["x"]], [{ text: "x" }], ["x", 0], ["x", "many"], ["x", true]]) {
      expect({ params, ...(await call(us, "work/run", params)) }).toEqual({ params, form: BOTH, fault: 17 });
    }
    expect(seen).toHaveLength(2);
    expect(us.told("handler.failed")).toEqual([]);
    const refusals = us.told("call.refused");
    expect(refusals.map(({ code, faultCode }) => ({ code, faultCode }))).toEqual(
      Array.from({ length: 6 }, () => ({ code: "MNET_CALL_PARAMS_INVALID", faultCode: 17 })),
    );
    expect(refusals.map(({ detail }) => /\b(text|count)\b/.exec(detail)?.[1])).toEqual([
      "text",
      "text",
      "text",
      "count",
      "count",
      "count",
    ]);
  });

  it("SEC-020 parameters named __proto__ pollute nothing", async () => {
    let seen: unknown;
    const open = defineService({ name: "open", methods: { run: { params: { of: t.value() }, returns: t.value() } } });
    const run = ({ of }: { readonly of: XmlRpcValue }): XmlRpcValue => {
      seen = of;
      return of;
    };
    await using us = await rig({ services: [open.implement({ run })], alicePeer: { services: { open: "publish" } } });
    const hostile = JSON.parse('{"__proto__":{"polluted":"yes"},"constructor":"c"}') as XmlRpcValue;
    const answer = await call(us, "open/run", [hostile]);
    expect(Object.keys(seen as object)).toEqual(["__proto__", "constructor"]);
    expect(JSON.stringify(answer.value)).toBe('{"__proto__":{"polluted":"yes"},"constructor":"c"}');
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("a Fault passes with its code and text", async () => {
    await using us = await working(() => {
      throw new Fault(9001, "No copy is free");
    });
    const answer = openAnswer(await post(us.host, aliceCalls(us, "work/run", ["x"])), us.alice);
    expect(answer.decoded).toMatchObject({ kind: "fault", faultCode: 9001, faultString: "No copy is free" });
    expect(answer.form).toBe(BOTH);
    expect(us.told("handler.failed")).toEqual([]);
    expect(us.told("call.served")).toMatchObject([{ method: "work/run", faultCode: 9001 }]);
  });

  it("MNET-094 the text of a fault is escaped, and comes back as it was", async () => {
    const text = `<b>&amp; "]]>'</b> ë 日本 </string></fault>`;
    await using us = await working(() => {
      throw new Fault(9001, text);
    });
    const answer = openAnswer(await post(us.host, aliceCalls(us, "work/run", ["x"])), us.alice);
    expect(answer.decoded).toMatchObject({ faultString: text });
    expect(answer.document.toString()).not.toContain("<b>");
    expect(answer.document.toString().match(/<\/fault>/g)).toHaveLength(1);
  });

  const unusable: [string, Handler][] = [
    [
      "an error",
      () => {
        throw new Error("secret detail");
      },
    ],
    ["a rejection", () => Promise.reject(new TypeError("secret detail"))],
    [
      "no error at all",
      () => {
        throw "secret detail" as unknown as Error;
      },
    ],
    [
      "nothing",
      () => {
        throw undefined as unknown as Error;
      },
    ],
    [
      "what only looks like a fault",
      () => {
        throw Object.assign(new Error("secret detail"), { faultCode: 9001, faultString: "x" });
      },
    ],
    ["a result of another type", () => 5 as unknown as string],
    ["no result", () => undefined as unknown as string],
    ["a result that is too long", () => "secret detail"],
  ];
  it.each(unusable)("a handler that gives %s → 17 without a word of detail, told as handler.failed", async (_, run) => {
    await using us = await working(run);
    const answer = openAnswer(await post(us.host, aliceCalls(us, "work/run", ["x"])), us.alice);
    expect(answer.decoded).toMatchObject({ kind: "fault", faultCode: 17, faultString: "Internal server error" });
    expect(answer.form).toBe(BOTH);
    expect(us.told("handler.failed")).toMatchObject([{ method: "work/run", peer: { wwwroot: us.alice.wwwroot } }]);
    // The next call is served as if nothing had been.
    expect(await call(us, "system/listServices")).toMatchObject({ form: BOTH });
  });

  it("a handler knows who calls what", async () => {
    let seen: IncomingCall | undefined;
    await using us = await working((_, incoming) => {
      seen = incoming;
      return "ok";
    });
    await call(us, "work/run", ["x"]);
    expect(seen?.method).toBe("work/run");
    expect(seen?.peer).toMatchObject({ wwwroot: us.alice.wwwroot, id: us.aliceId, state: "active" });
    expect(seen?.signal.aborted).toBe(false);
  });

  /** A handler that waits until its signal aborts, and says why. */
  function waiting() {
    const begun = withResolvers<IncomingCall>();
    const run: Handler = (_, incoming) => {
      begun.resolve(incoming);
      return new Promise((resolve) => {
        incoming.signal.addEventListener("abort", () => {
          resolve("ended");
        });
      });
    };
    return { begun: begun.promise, run };
  }

  it("call.signal aborts when the caller hangs up", async () => {
    const { begun, run } = waiting();
    await using us = await working(run);
    const caller = new AbortController();
    const answer = request(us.host, { body: aliceCalls(us, "work/run", ["x"]), signal: caller.signal });
    const { signal } = await begun;
    expect(signal.aborted).toBe(false);
    caller.abort(new Error("gone"));
    expect(signal.reason).toMatchObject({ message: "gone" });
    expect(summary(openAnswer((await answer).body, us.alice)).value).toBe("ended");
  });

  it("call.signal aborts when the host has waited long enough to close, and not before", async () => {
    const { begun, run } = waiting();
    await using us = await working(run);
    const answer = request(us.host, { body: aliceCalls(us, "work/run", ["x"]) });
    const { signal } = await begun;
    const closed = us.host.close({ timeoutMs: 2000 });
    await us.clock.advance(1999);
    expect(signal.aborted).toBe(false);
    await us.clock.advance(1);
    expect(signal.reason).toMatchObject({ code: "MNET_HOST_CLOSED" });
    expect(summary(openAnswer((await answer).body, us.alice)).value).toBe("ended");
    await closed;
  });

  it("a handler may answer two peers at once, each with its own", async () => {
    const gate = withResolvers<undefined>();
    await using us = await working(async ({ text }, { peer }) => {
      await gate.promise;
      return `${peer.wwwroot.slice(8, 11)}${text}`;
    });
    const bob: KeyedSite = keyedSite("https://bob.example", 2);
    await insertPeer(us.store, bob, { services: { work: "publish" } });
    const answers = Promise.all(
      [us.alice, bob].map(async (peer) => {
        const body = wrap(encodeCall("work/run", ["!"]), { from: peer, to: us.ours });
        return summary(openAnswer(await post(us.host, body), peer)).value;
      }),
    );
    gate.resolve(undefined);
    expect(await answers).toEqual(["ali!", "bob!"]);
  });
});
