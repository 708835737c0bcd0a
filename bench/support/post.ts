import { connect, type Socket } from "node:net";
import { Client, type Dispatcher } from "undici";

/** What came of one call. */
export interface Outcome {
  /** 0: there was no answer. */
  readonly status: number;
  /** Of the body, in bytes. */
  readonly length: number;
  /** Whether the answer said when to come again. */
  readonly retryAfter: boolean;
}

/** How a server is called. */
export interface Post<Letter = unknown> {
  /** A call that can be sent; `address`: from where it comes, as a proxy says it. */
  letter(body: Buffer, address: string): Letter;
  open(): Line<Letter>;
}

/** One connection to a server, for one call at a time. */
export interface Line<Letter = unknown> {
  /** Resolves when calls can be sent without waiting. */
  readonly ready: Promise<void>;
  send(letter: Letter, done: (outcome: Outcome) => void): void;
  close(): Promise<void>;
}

const NO_ANSWER: Outcome = { status: 0, length: 0, retryAfter: false };
const CONTENT_TYPE = "text/xml";

/** To any server, by a client that knows all of HTTP. */
export const anyPost = (url: URL): Post<AnyLetter> => ({
  letter: (body, address) => ({ body, headers: { "content-type": CONTENT_TYPE, "x-forwarded-for": address } }),
  open: () => new AnyLine(url),
});

type AnyLetter = Pick<Dispatcher.DispatchOptions, "body" | "headers">;

class AnyLine implements Line<AnyLetter> {
  /** It connects with the first call. */
  readonly ready = Promise.resolve();
  readonly #client: Client;
  readonly #path: string;

  constructor({ origin, pathname }: URL) {
    this.#client = new Client(origin, { pipelining: 1 });
    this.#path = pathname;
  }

  send(letter: AnyLetter, done: (outcome: Outcome) => void): void {
    let status = 0;
    let length = 0;
    let retryAfter = false;
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {
        // Nothing to prepare; undici tells the two kinds of handlers apart by it.
      },
      onResponseStart(_controller, statusCode, headers) {
        status = statusCode;
        retryAfter = headers["retry-after"] !== undefined;
      },
      onResponseData(_controller, chunk) {
        length += chunk.length;
      },
      onResponseEnd: () => done({ status, length, retryAfter }),
      onResponseError: () => done(NO_ANSWER),
    };
    this.#client.dispatch({ path: this.#path, method: "POST", ...letter }, handler);
  }

  close(): Promise<void> {
    return this.#client.destroy();
  }
}

const END_OF_HEAD = "\r\n\r\n";
/** For all sockets: what was read is looked at before anything else is. */
const RECEIVED = Buffer.alloc(64 * 1024);

/**
 * To a server of ours. On a machine whose cores the server needs for itself, whoever calls must take little of them: this
 * takes half of what a client does that knows all of HTTP. It knows answers with `Content-Length`, on connections that stay
 * open.
 */
export const leanPost = (url: URL): Post<Buffer> => ({
  letter: (body, address) =>
    Buffer.concat([
      Buffer.from(
        `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: ${CONTENT_TYPE}\r\n` +
          `x-forwarded-for: ${address}\r\ncontent-length: ${body.length}${END_OF_HEAD}`,
      ),
      body,
    ]),
  open: () => new LeanLine(url),
});

class LeanLine implements Line<Buffer> {
  readonly ready: Promise<void>;
  readonly #url: URL;
  #socket: Socket;
  #done: ((outcome: Outcome) => void) | undefined;
  /** The head of the answer, as far as it has come. */
  #received = "";
  #outcome = NO_ANSWER;
  /** Bytes of the body that are still to come. */
  #missing = 0;

  constructor(url: URL) {
    this.#url = url;
    this.#socket = this.#connect();
    this.ready = new Promise((resolve) => this.#socket.once("connect", resolve).once("close", () => resolve()));
  }

  send(letter: Buffer, done: (outcome: Outcome) => void): void {
    this.#done = done;
    // The server ends what was not used for some seconds.
    if (this.#socket.destroyed) this.#socket = this.#connect();
    this.#socket.write(letter);
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }

  #connect(): Socket {
    const { hostname: host, port } = this.#url;
    const onread = { buffer: RECEIVED, callback: (size: number) => this.#onBytes(RECEIVED.subarray(0, size)) };
    return connect({ host, port: Number(port), noDelay: true, onread })
      .on("error", () => undefined)
      .on("close", () => this.#end(NO_ANSWER));
  }

  #onBytes(bytes: Buffer): boolean {
    if (this.#missing > 0) {
      this.#onBody(bytes.length);
      return true;
    }
    const text = this.#received + bytes.toString("latin1");
    const end = text.indexOf(END_OF_HEAD);
    this.#received = end < 0 ? text : "";
    if (end >= 0) {
      this.#onHead(text.slice(0, end));
      this.#onBody(text.length - end - END_OF_HEAD.length);
    }
    return true;
  }

  #onHead(head: string): void {
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
    if (Number.isNaN(length)) throw new Error(`There is no length in this answer: ${head}`);
    this.#outcome = { status: Number(head.slice(9, 12)), length, retryAfter: /\r\nretry-after: /i.test(head) };
    this.#missing = length;
  }

  #onBody(bytes: number): void {
    this.#missing -= bytes;
    if (this.#missing <= 0) this.#end(this.#outcome);
  }

  #end(outcome: Outcome): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(outcome);
  }
}
