import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import { testNetwork } from "../../src/testing/test-network.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import {
  aliceCalls,
  isSignedBy,
  keyedSite,
  keyedStore,
  openAnswer,
  OUR_WWWROOT,
  padded,
  request,
  rig as makeRig,
  summary,
  withBadSignature,
  withoutSignature,
  wrap,
  type Rig,
} from "../support/hosts.ts";

// Threads run what stands in `src`.
process.execArgv.push("--import", new URL("../support/typescript.mjs", import.meta.url).href);

const MB = 1024 * 1024;
const LARGE = "course ".repeat(MB / 7 + 1);
const mallory = keyedSite("https://mallory.example", 3);

const files = defineService({
  name: "files",
  methods: {
    put: { params: { text: t.string() }, returns: t.int() },
    get: { params: { length: t.int() }, returns: t.string() },
  },
});
const service = files.implement({
  put: ({ text }) => text.length,
  get: ({ length }) => LARGE.slice(0, length),
});
const rig = (workers: number, options: Parameters<typeof makeRig>[0] = {}): Promise<Rig> =>
  makeRig({ services: [service], crypto: { workers }, alicePeer: { services: { files: "publish" } }, ...options });

/** Threads that were sent a large message. */
const threads = new Set<Worker>();
/** Whether a thread dies of the next one, memory and all. */
let isDeadly = false;
beforeEach(() => {
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const { postMessage } = Worker.prototype;
  vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker, message, memory) {
    threads.add(this);
    if (!isDeadly) {
      postMessage.call(this, message, memory);
      return;
    }
    structuredClone(message, { transfer: [...(memory ?? [])] as ArrayBuffer[] });
    void this.terminate();
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  isDeadly = false;
  threads.clear();
});

/** What an operator and a peer see of a request. */
async function seen(us: Rig, body: Uint8Array): Promise<unknown> {
  const before = us.events.length;
  const { status, body: answer } = await request(us.host, { body });
  const events = us.events.slice(before).flatMap((event): object[] => {
    if (event.type === "call.refused")
      return [{ type: event.type, code: event.code, fault: event.faultCode, detail: event.detail }];
    if (event.type === "call.served") return [{ type: event.type, bytesIn: event.bytesIn, bytesOut: event.bytesOut }];
    return [{ type: event.type }];
  });
  const opened = openAnswer(answer, us.alice);
  return { status, ...summary(opened), isSigned: isSignedBy(opened, us.ours), events };
}

describe("a message of megabytes", () => {
  const calls: Record<string, (us: Rig) => Uint8Array> = {
    "a call": (us) => aliceCalls(us, "files/put", [LARGE]),
    "a call in another layout": (us) => padded(aliceCalls(us, "files/put", [LARGE]), 3 * MB),
    "an answer": (us) => aliceCalls(us, "files/get", [MB]),
    "a fault": (us) => aliceCalls(us, "files/none", [LARGE]),
    "one to another key": ({ alice }) => wrap(encodeCall("files/put", [LARGE]), { from: alice, to: mallory }),
    "one of somebody else": ({ ours }) => wrap(encodeCall("files/put", [LARGE]), { from: mallory, to: ours }),
    "one with damaged base64": (us) =>
      Buffer.from(aliceCalls(us, "files/put", [LARGE]).toString("latin1").replace("<CipherValue>", "<CipherValue>*")),
    "one with a wrong signature": (us) => aliceCalls(us, "files/put", [LARGE], { damage: withBadSignature }),
    "one without a signature": (us) => aliceCalls(us, "files/put", [LARGE], { damage: withoutSignature }),
    "one that is cut inside": (us) =>
      aliceCalls(us, "files/put", [LARGE], { damage: (signed) => signed.subarray(0, -1) }),
    "one with two senders": (us) => aliceCalls(us, "files/put", [LARGE], { inner: mallory.wwwroot }),
    "one that is not encrypted": (us) => aliceCalls(us, "files/put", [LARGE], { form: "signed" }),
    "one that is not signed": (us) => aliceCalls(us, "files/put", [LARGE], { form: "encrypted" }),
    "one in clear": (us) => aliceCalls(us, "files/put", [LARGE], { form: "plain" }),
    "one that is too large": (us) => padded(aliceCalls(us, "files/put", [LARGE]), 8 * MB + 1),
    "no message": () => Buffer.from(LARGE),
  };

  it.each(Object.entries(calls))("%s is answered alike with a thread and without", async (name, call) => {
    await using here = await rig(0);
    const body = call(here);
    const without = await seen(here, body);
    expect(threads.size).toBe(0);
    await using us = await rig(1);
    expect(await seen(us, body)).toEqual(without);
    expect(threads.size).toBe(name === "one that is too large" ? 0 : 1);
  });

  it("does not take the memory of whoever called handle", async () => {
    await using us = await rig(1);
    const body = aliceCalls(us, "files/put", [LARGE]);
    const before = Buffer.from(body);
    async function* inOnePart(): AsyncGenerator<Uint8Array> {
      yield body;
    }
    expect((await request(us.host, { body })).status).toBe(200);
    expect((await request(us.host, { body: inOnePart() })).status).toBe(200);
    expect(before.equals(body)).toBe(true);
  });

  it.each([0, 1])("goes both ways between two hosts, with %d workers", async (workers) => {
    await using network = testNetwork();
    const [a, b] = await Promise.all(
      ["https://a.example", "https://b.example"].map(async (wwwroot, n) =>
        network.host(wwwroot, { services: [service], crypto: { workers }, store: await keyedStore(wwwroot, n) }),
      ),
    );
    await network.connect(a!, b!, { files: "both" });
    const peer = await a!.peers.get("https://b.example");
    expect(await a!.call(peer, files.methods.put, { text: LARGE })).toBe(LARGE.length);
    expect((await a!.call(peer, files.methods.get, { length: LARGE.length })) === LARGE).toBe(true);
    expect(threads.size).toBe(workers);
  });

  it("SEC-083 too many at once are refused, clearly, and the others served", async () => {
    await using us = await rig(1);
    const bodies = Array.from({ length: 20 }, () => aliceCalls(us, "files/put", [LARGE]));
    const replies = await Promise.all(
      bodies.map((body, n) => request(us.host, { body, remoteAddress: `192.0.2.${n}` })),
    );
    expect(replies.map(({ status }) => status)).toEqual([...Array(17).fill(200), ...Array(3).fill(503)]);
    expect(replies.at(-1)?.headers["retry-after"]).toBe("1");
    const refused = await Promise.all(bodies.slice(17).map((body) => request(us.host, { body })));
    expect(refused.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it("can be sent again if its thread dies", async () => {
    await using us = await rig(1);
    await request(us.host, { body: aliceCalls(us, "files/put", [LARGE]) });
    isDeadly = true;
    const bodies = Array.from({ length: 3 }, () => aliceCalls(us, "files/put", [LARGE]));
    const [first, ...others] = await Promise.all(bodies.map((body) => request(us.host, { body })));
    expect([first?.status, first?.headers["retry-after"]]).toEqual([503, "1"]);
    expect(others.map(({ status }) => status)).toEqual([200, 200]);
    const again = await request(us.host, { body: bodies[0]! });
    expect(summary(openAnswer(again.body, us.alice))).toMatchObject({ value: LARGE.length });
  });

  it("an answer whose thread dies is refused like what there is no time for", async () => {
    await using us = await rig(1);
    await request(us.host, { body: aliceCalls(us, "files/get", [LARGE.length]) });
    isDeadly = true;
    const { status } = await request(us.host, { body: aliceCalls(us, "files/get", [LARGE.length]) });
    expect(status).toBe(503);
    expect(us.told("request.failed")).toEqual([]);
  });

  it("an outgoing call of ours loses nothing if its thread dies", async () => {
    await using network = testNetwork();
    const a = await network.host("https://a.example", {
      crypto: { workers: 1 },
      services: [service],
      store: await keyedStore("https://a.example", 0),
    });
    const b = await network.host(OUR_WWWROOT, {
      crypto: { workers: 0 },
      services: [service],
      store: await keyedStore(OUR_WWWROOT, 1),
    });
    await network.connect(a, b, { files: "both" });
    const peer = await a.peers.get(OUR_WWWROOT);
    isDeadly = true;
    expect((await a.call(peer, files.methods.get, { length: LARGE.length })) === LARGE).toBe(true);
    expect(threads.size).toBe(1);
  });

  it("leaves no thread behind when the last host is closed", async () => {
    const [one, two] = [await rig(1), await rig(1, { wwwroot: "https://other.example" })];
    await request(one.host, { body: aliceCalls(one, "files/put", [LARGE]) });
    await one.host.close();
    const [thread] = threads;
    expect(thread?.threadId).not.toBe(-1);
    const pending = request(two.host, { body: aliceCalls(two, "files/put", [LARGE]) });
    await two.host.close();
    expect((await pending).status).toBe(200);
    expect([...threads].map(({ threadId }) => threadId)).toEqual([-1]);
  });
});
