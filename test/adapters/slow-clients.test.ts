import { createServer, request as ask, type IncomingMessage, type RequestListener } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { nodeHandler } from "../../src/adapters/node-handler.ts";
import { Task } from "../../src/core/task.ts";
import {
  BODY_DEADLINE_MS,
  BodyReader,
  MAXIMUM_BODIES,
  MAXIMUM_PER_KNOWN,
  MAXIMUM_PER_STRANGER,
  MAXIMUM_STRANGERS,
} from "../../src/host/body-reader.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { aliceCalls, openAnswer, request, rig, summary, type Rig } from "../support/hosts.ts";
import { httpSite, type HttpSite } from "../support/http-site.ts";

const PATH = "/moodle/mnet/xmlrpc/server.php";
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

interface SlowClient {
  readonly socket: Socket;
  /** What came back so far. */
  readonly text: () => string;
  readonly closed: Promise<void>;
}

/** Sends a head that promises a body, and of that what is given. */
function slowClient({ port }: HttpSite, head = "Content-Length: 1000", body = "<", from = "127.0.0.1"): SlowClient {
  const socket = connect({ port, host: "127.0.0.1", localAddress: from });
  sockets.push(socket);
  let text = "";
  socket.on("error", () => undefined).on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.write(`POST ${PATH} HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`);
  return { socket, text: () => text, closed };
}

async function call({ port }: HttpSite, us: Rig): Promise<unknown> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    ask({ port, host: "127.0.0.1", path: PATH, method: "POST", agent: false }, resolve)
      .on("error", reject)
      .end(aliceCalls(us, "system/listServices"));
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return summary(openAnswer(Buffer.concat(chunks), us.alice));
}

const SERVED = { form: "signed and encrypted", value: [] };
/** Until the server has seen all of them. */
const arrived = async (site: HttpSite, count: number): Promise<void> => {
  const connections = () =>
    new Promise<number>((resolve) => site.server.getConnections((_error, found) => resolve(found)));
  await expect.poll(connections, { timeout: 5000 }).toBeGreaterThanOrEqual(count);
  await new Promise((resolve) => setTimeout(resolve, 100));
};

describe("slow clients", () => {
  it("SEC-082 a body that does not come to its end gets a 408, and its connection is closed", async () => {
    await using us = await rig();
    await using site = await httpSite(nodeHandler(us.host));
    const slow = [
      slowClient(site),
      slowClient(site, "Transfer-Encoding: chunked", "1\r\n<\r\n"),
      slowClient(site, "Content-Length: 1000", ""),
    ];
    await arrived(site, 3);
    await us.clock.advance(BODY_DEADLINE_MS - 1);
    expect(slow.map((client) => client.text())).toEqual(["", "", ""]);
    expect(await call(site, us)).toEqual(SERVED);
    await us.clock.advance(1);
    await Promise.all(slow.map(({ closed }) => closed));
    for (const client of slow) {
      expect(client.text()).toMatch(/^HTTP\/1\.1 408 /);
      expect(client.text().toLowerCase()).toContain("connection: close");
    }
    expect(us.told("request.throttled")).toMatchObject([
      { reason: "slow-body", requests: 1, remoteAddress: "127.0.0.1" },
    ]);
    await arrived(site, 0);
    expect(us.events.filter(({ type }) => type === "call.refused")).toEqual([]);
  });

  it("SEC-082 a byte now and then prolongs nothing", async () => {
    await using us = await rig();
    await using site = await httpSite(nodeHandler(us.host));
    const { socket, text, closed } = slowClient(site);
    await arrived(site, 1);
    for (let n = 0; n < 29; n += 1) {
      await us.clock.advance(1000);
      socket.write("x");
    }
    expect(text()).toBe("");
    await us.clock.advance(1000);
    await closed;
    expect(text()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("SEC-082 one address has so many bodies under way, and those who are known are served meanwhile", async () => {
    await using us = await rig();
    await using site = await httpSite(nodeHandler(us.host));
    const slow = Array.from({ length: MAXIMUM_PER_STRANGER + 5 }, () =>
      slowClient(site, undefined, undefined, "127.0.0.2"),
    );
    await arrived(site, MAXIMUM_PER_STRANGER);
    await expect.poll(() => slow.filter((client) => client.text().startsWith("HTTP/1.1 503 ")).length).toBe(5);
    const refused = slow.find((client) => client.text() !== "")!;
    expect(refused.text()).toMatch(/retry-after: 1\r\n/i);
    await refused.closed;
    expect(await call(site, us)).toEqual(SERVED);
    // Whoever hangs up makes room.
    for (const { socket } of slow) socket.destroy();
    await expect
      .poll(() => new Promise<number>((resolve) => site.server.getConnections((_error, found) => resolve(found))))
      .toBe(0);
    const next = slowClient(site, undefined, undefined, "127.0.0.2");
    await arrived(site, 1);
    expect(next.text()).toBe("");
  });

  it("SEC-082 strangers from everywhere leave room for the known", async () => {
    await using us = await rig();
    await using site = await httpSite(nodeHandler(us.host));
    expect(await call(site, us)).toEqual(SERVED);
    const slow = Array.from({ length: MAXIMUM_STRANGERS + 10 }, (_, n) =>
      slowClient(site, undefined, undefined, `127.0.1.${1 + (n % 200)}`),
    );
    await expect
      .poll(() => slow.filter((client) => client.text().startsWith("HTTP/1.1 503 ")).length, { timeout: 5000 })
      .toBe(10);
    expect(await call(site, us)).toEqual(SERVED);
    await us.clock.advance(BODY_DEADLINE_MS);
    await Promise.all(slow.map(({ closed }) => closed));
    expect(slow.filter((client) => client.text().startsWith("HTTP/1.1 408 "))).toHaveLength(MAXIMUM_STRANGERS);
  });

  it("SEC-082 a caller that hangs up in the middle is no error, and leaves nothing behind", async () => {
    await using us = await rig();
    const errors: unknown[] = [];
    let handled = 0;
    const listener: RequestListener = (req, res) => {
      handled += 1;
      nodeHandler(us.host)(req, res, (error) => errors.push(error));
    };
    await using site = await httpSite(listener, createServer(listener));
    for (let n = 0; n < 50; n += 1) {
      const { socket } = slowClient(site);
      await expect.poll(() => handled, { interval: 1 }).toBe(n + 1);
      socket.destroy();
    }
    await expect
      .poll(() => new Promise<number>((resolve) => site.server.getConnections((_error, found) => resolve(found))))
      .toBe(0);
    expect(errors).toEqual([]);
    expect(await call(site, us)).toEqual(SERVED);
  });

  it("SEC-082 a host that closes does not wait for them for long", async () => {
    const us = await rig();
    await using site = await httpSite(nodeHandler(us.host));
    const slow = slowClient(site);
    await arrived(site, 1);
    const closing = us.host.close({ timeoutMs: 1000 });
    await us.clock.advance(3000);
    await closing;
    await expect.poll(() => slow.text()).toMatch(/^HTTP\/1\.1 500 /);
  });

  it("SEC-081 a compressed body is refused without being read", async () => {
    await using us = await rig();
    await using site = await httpSite(nodeHandler(us.host));
    const { text } = slowClient(site, "Content-Encoding: gzip\r\nContent-Length: 1000000");
    await expect.poll(text).toMatch(/^HTTP\/1\.1 415 /);
  });
});

describe("SEC-082 BodyReader", () => {
  const never: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => undefined),
      return: () => new Promise(() => undefined),
    }),
  };
  const task = new Task({});
  const client = (block: string) => ({ address: block, block, isProxy: false });
  const asked = (body: AsyncIterable<Uint8Array> | Uint8Array, headers = {}) => ({
    method: "POST",
    path: "/",
    headers,
    body,
  });

  async function* parts(...sizes: number[]) {
    for (const size of sizes) yield new Uint8Array(size);
  }

  function reader({ maxBytes = 1000, known = [] as readonly string[] } = {}) {
    const clock = fakeClock();
    return { clock, bodies: new BodyReader({ clock, maxBytes, isKnown: (block) => known.includes(block) }) };
  }

  it.each([
    [[1000], 1000],
    [[400, 600], 1000],
    [[], 0],
    [[1001], "too-large"],
    [[600, 401], "too-large"],
  ] as const)("MNET-075 parts of %j bytes → %s", async (sizes, expected) => {
    const { bodies } = reader();
    const body = await bodies.read(asked(parts(...sizes)), client("a"), task);
    expect(typeof body === "string" ? body : body.length).toBe(expected);
  });

  it("MNET-075 a length that is too large is believed, one that is none is not looked at", async () => {
    const { bodies } = reader();
    expect(await bodies.read(asked(never, { "content-length": "1001" }), client("a"), task)).toBe("too-large");
    expect(await bodies.read(asked(parts(5), { "content-length": "many" }), client("a"), task)).toHaveLength(5);
  });

  it("SEC-082 one that is known has more room, all together no more than there is", async () => {
    const known = Array.from({ length: 5 }, (_, n) => `known ${n}`);
    const { bodies } = reader({ known });
    const counts = new Map<string, number>();
    const occupy = async (block: string, times: number) => {
      for (let n = 0; n < times; n += 1) {
        const first = await Promise.race([bodies.read(asked(never), client(block), task), Promise.resolve("reading")]);
        if (first === "reading") counts.set(block, (counts.get(block) ?? 0) + 1);
      }
    };
    // A refusal takes a turn of the event loop more than `Promise.resolve`.
    const refused = (block: string) =>
      Promise.race([
        bodies.read(asked(never), client(block), task),
        new Promise((resolve) => setImmediate(resolve, "reading")),
      ]);
    await occupy("known 0", MAXIMUM_PER_KNOWN);
    expect(await refused("known 0")).toBe("too-many");
    await occupy("known 1", MAXIMUM_BODIES - MAXIMUM_PER_KNOWN);
    expect(await refused("known 2")).toBe("too-many");
    expect(await refused("a stranger")).toBe("too-many");
    expect([...counts.values()]).toEqual([MAXIMUM_PER_KNOWN, MAXIMUM_BODIES - MAXIMUM_PER_KNOWN]);
  });

  it("SEC-082 SEC-084 what strangers send may hold so much memory together, and it is given back", async () => {
    const maxBytes = 40 * 1024 * 1024;
    const { clock, bodies } = reader({ maxBytes, known: ["known"] });
    const chunk = new Uint8Array(20 * 1024 * 1024);
    async function* large() {
      yield chunk;
      yield* never;
    }
    const settled: unknown[] = [];
    const read = async (from: string): Promise<void> => {
      settled.push(await bodies.read(asked(large()), client(from), task));
    };
    for (let n = 0; n < 5; n += 1) void read(`${n}`);
    await clock.advance(0);
    // Twice the largest body is 80 MiB.
    expect(settled).toEqual(["too-many"]);
    void read("known");
    await clock.advance(0);
    expect(settled).toHaveLength(1);
    await clock.advance(BODY_DEADLINE_MS);
    expect(settled).toEqual(["too-many", "too-slow", "too-slow", "too-slow", "too-slow", "too-slow"]);
    for (let n = 0; n < 3; n += 1)
      expect(await bodies.read(asked(parts(20 * 1024 * 1024)), client("x"), task)).toHaveLength(chunk.length);
  });

  it("SEC-082 an aborted read rejects with the reason, and makes room", async () => {
    const { bodies } = reader();
    const reason = new Error("enough");
    for (let n = 0; n < 2 * MAXIMUM_PER_STRANGER; n += 1) {
      const controller = new AbortController();
      const reading = bodies.read(asked(never), client("a"), new Task(controller));
      controller.abort(reason);
      await expect(reading).rejects.toBe(reason);
      await expect(bodies.read(asked(never), client("a"), new Task(controller))).rejects.toBe(reason);
    }
  });

  it("SEC-082 what a body throws is thrown, and makes room", async () => {
    const { bodies } = reader();
    async function* broken() {
      yield new Uint8Array(1);
      throw new Error("reset");
    }
    for (let n = 0; n < 2 * MAXIMUM_PER_STRANGER; n += 1) {
      await expect(bodies.read(asked(broken()), client("a"), task)).rejects.toThrow("reset");
    }
  });

  it("a body that is there already needs no room", async () => {
    await using us = await rig();
    const bodies = Array.from({ length: 3 * MAXIMUM_PER_STRANGER }, () =>
      request(us.host, { body: aliceCalls(us, "system/listServices") }),
    );
    expect(new Set((await Promise.all(bodies)).map(({ status }) => status))).toEqual(new Set([200]));
  });
});
