import { Client } from "undici";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import type { Cost } from "../programs/server.ts";
import { listOf, REALISTIC } from "../support/documents.ts";
import { HttpServer } from "../support/http-server.ts";
import { interleave } from "../support/interleave.ts";
import { Mailbag, requireResult, RPC_PATH } from "../support/sites.ts";
import { ratios } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";

const MB = 1024 * 1024;
const SMALL = MB;
const LARGE = 10 * MB;
/** Two layers of base64 and what is around them. */
const LIMITS = { requestBytes: 4 * LARGE, responseBytes: 4 * LARGE, nodes: 10_000_000 };

/** A call or an answer of about so many bytes of XML-RPC. */
const KINDS: Readonly<Record<string, { readonly title: string; readonly call: (bytes: number) => Uint8Array }>> = {
  archive: {
    title: "archive in a call",
    call: (bytes) => encodeCall("bench/count", [new Uint8Array((bytes / 4) * 3).fill(0xa5)]),
  },
  picture: {
    title: "picture in an answer",
    call: (bytes) => encodeCall("bench/picture", [Math.floor((bytes / 4) * 3)]),
  },
  courses: {
    title: "course list in a call",
    call: (bytes) => courses(bytes),
  },
};

function courses(bytes: number): Uint8Array {
  const item = REALISTIC["course"];
  if (!item) throw new Error("There is no course.");
  const encode = (value: XmlRpcValue): Uint8Array => encodeCall("bench/count", [value]);
  return encode(listOf(item, bytes, encode));
}

/** Large calls over HTTP, to a server with raised limits in a process of its own. */
export const bigPayloads: Suite = {
  name: "big-payloads",
  title: "Calls and answers of 10 MB over HTTP",
  async run(bench) {
    for (const [kind, { title, call }] of Object.entries(KINDS)) {
      const large = call(LARGE);
      const small = await Caller.start(call(SMALL));
      const big = await Caller.start(large);
      try {
        const costs = await interleave(
          { small: () => small.round(), big: () => big.round() },
          { rounds: bench.either(12, 3), warmUp: 2 },
        );
        bench.add(`big-payloads.${kind}-time`, `10 MB ${title}: time / that of 1 MB`, ratios(costs.big, costs.small), {
          unit: "×",
          bound: { atMost: 12 },
        });
        bench.add(`big-payloads.${kind}-ms`, `10 MB ${title}`, costs.big, { unit: "ms" });
        const blocks = big.costs.slice(2).map(({ eventLoop }) => eventLoop.max);
        bench.add(`big-payloads.${kind}-block`, `10 MB ${title}: longest block of the event loop`, blocks, {
          unit: "ms",
        });
      } finally {
        await small.stop();
        await big.stop();
      }
      const peaks: number[] = [];
      // A process that has never served a large call: memory that an earlier one left behind would hide the peak.
      for (let round = 0; round < bench.either(5, 1); round += 1) {
        const fresh = await Caller.start(large);
        try {
          peaks.push((await fresh.peakOfOne()) / LARGE);
        } finally {
          await fresh.stop();
        }
      }
      bench.add(`big-payloads.${kind}-memory`, `10 MB ${title}: peak of resident memory / payload`, peaks, {
        unit: "×",
        bound: { atMost: 8 },
        aim: 6,
      });
    }
  },
};

/** A server, and calls with one document. */
class Caller {
  readonly costs: Cost[] = [];
  readonly #http: HttpServer;
  readonly #mail: Mailbag;
  readonly #client: Client;
  #isChecked = false;

  private constructor(http: HttpServer, document: Uint8Array) {
    this.#http = http;
    this.#mail = new Mailbag({ ...http.target, documents: [document] });
    this.#client = new Client(new URL(http.target.url).origin, { bodyTimeout: 0, headersTimeout: 0 });
  }

  static async start(document: Uint8Array): Promise<Caller> {
    return new Caller(await HttpServer.start({ limits: LIMITS }), document);
  }

  /** Milliseconds of one call. */
  async round(): Promise<number> {
    const body = this.#mail.seal();
    await this.#http.server.ask("begin");
    const started = performance.now();
    await this.#post(body);
    const ms = performance.now() - started;
    this.costs.push(await this.#http.server.ask("end"));
    return ms;
  }

  /** Bytes of the process above those before the call, which small ones warmed up. */
  async peakOfOne(): Promise<number> {
    const small = new Mailbag({ ...this.#http.target, documents: [encodeCall("bench/count", [[1, 2, 3]])] });
    for (let n = 0; n < 1000; n += 1) await this.#post(small.seal());
    const body = this.#mail.seal();
    const before = await this.#http.server.ask("memory");
    await this.#post(body);
    return (await this.#http.server.ask("peak")) - before;
  }

  async #post(body: Buffer): Promise<void> {
    const response = await this.#client.request({ method: "POST", path: RPC_PATH, body });
    const answer = await response.body.bytes();
    if (response.statusCode !== 200) throw new Error(`A large call was answered with ${response.statusCode}.`);
    if (this.#isChecked) return;
    await requireResult(answer, this.#http.target.key, this.#http.target.recipient);
    this.#isChecked = true;
  }

  async stop(): Promise<void> {
    await this.#client.destroy();
    await this.#http.stop();
  }
}
