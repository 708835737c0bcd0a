import type { Limits } from "../../src/core/limits.ts";
import type { Host } from "../../src/host/host.ts";
import type { HttpRequest } from "../../src/host/http.ts";
import type { Store } from "../../src/host/store.ts";
import { CALLER, Mailbag, makeKey, peerOf, requireResult, RPC_PATH, startServer } from "./sites.ts";

/** A host with one peer, and the calls of that peer; no network between them. */
export class InMemoryServer {
  readonly host: Host;
  /** Calls of the peer. */
  readonly mail: Mailbag;
  /** Bytes of a right answer, where all have the same. */
  #answerLength = 0;

  private constructor(host: Host, mail: Mailbag) {
    this.host = host;
    this.mail = mail;
  }

  /** `documents` are the peer's calls, whose answers have the same length each. */
  static async start(options: {
    readonly store: Store;
    readonly documents: readonly Uint8Array[];
    readonly workers?: number;
    readonly limits?: Partial<Limits>;
  }): Promise<InMemoryServer> {
    const { documents, ...hostOptions } = options;
    const host = await startServer(hostOptions);
    const key = await makeKey(CALLER);
    await options.store.peers.insert(peerOf(CALLER, key.certificate));
    const { certificate } = await host.keys.current();
    const server = new InMemoryServer(host, new Mailbag({ senders: [CALLER], key, recipient: certificate, documents }));
    const first = await host.handle(requestWith(server.mail.seal()));
    if (!first) throw new Error(`There is nothing at ${RPC_PATH}.`);
    await requireResult(first.body, key, certificate);
    server.#answerLength = first.body.length;
    return server;
  }

  /** One call. Throws if it is not answered as the first was; a fault has another length. */
  async answer(body: Uint8Array = new Uint8Array()): Promise<void> {
    const response = await this.host.handle(requestWith(body));
    if (response?.status !== 200 || response.body.length !== this.#answerLength) {
      const { status, length } = { status: response?.status ?? 404, length: response?.body.length ?? 0 };
      throw new Error(`A call was answered with ${status} and ${length} bytes, not ${this.#answerLength}.`);
    }
  }

  async close(): Promise<void> {
    await this.host.close();
  }
}

const requestWith = (body: Uint8Array): HttpRequest => ({
  method: "POST",
  path: RPC_PATH,
  headers: { "content-type": "text/xml", "content-length": String(body.length) },
  body,
  remoteAddress: "127.0.0.1",
});
