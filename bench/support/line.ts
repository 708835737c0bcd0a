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

/** What a line carries. */
export interface Letter {
  readonly body: Buffer;
  /** From which address it comes, as a proxy says it. */
  readonly address: string;
}

/** One connection to a server, for one call at a time. */
export interface Line {
  /** Resolves when calls can be sent without waiting. */
  readonly ready: Promise<void>;
  send(letter: Letter, done: (outcome: Outcome) => void): void;
  close(): Promise<void>;
}

const NO_ANSWER: Outcome = { status: 0, length: 0, retryAfter: false };
const CONTENT_TYPE = "text/xml";

/** A line to any server, by a client that knows all of HTTP. */
export class UndiciLine implements Line {
  /** It connects with the first call. */
  readonly ready = Promise.resolve();
  readonly #client: Client;
  readonly #path: string;

  constructor({ origin, pathname }: URL) {
    this.#client = new Client(origin, { pipelining: 1 });
    this.#path = pathname;
  }

  send({ body, address }: Letter, done: (outcome: Outcome) => void): void {
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
    const headers = { "content-type": CONTENT_TYPE, "x-forwarded-for": address };
    this.#client.dispatch({ path: this.#path, method: "POST", headers, body }, handler);
  }

  close(): Promise<void> {
    return this.#client.destroy();
  }
}

const END_OF_HEAD = "\r\n\r\n";
/** For all sockets: what was read is looked at before anything else is. */
const RECEIVED = Buffer.alloc(64 * 1024);

/**
 * A line to a server of ours. On a machine whose cores the server needs for itself, whoever calls must take little of them:
 * this takes half of what a client does that knows all of HTTP. It knows answers with `Content-Length`, on connections that
 * stay open.
 */
export class LeanLine implements Line {
  readonly ready: Promise<void>;
  readonly #url: URL;
  readonly #head: string;
  #socket: Socket;
  #done: ((outcome: Outcome) => void) | undefined;
  /** The head of the answer, as far as it has come. */
  #received = "";
  #outcome = NO_ANSWER;
  /** Bytes of the body that are still to come. */
  #missing = 0;

  constructor(url: URL) {
    this.#url = url;
    this.#head = `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: ${CONTENT_TYPE}\r\n`;
    this.#socket = this.#connect();
    this.ready = new Promise((resolve) => this.#socket.once("connect", resolve).once("close", () => resolve()));
  }

  send({ body, address }: Letter, done: (outcome: Outcome) => void): void {
    this.#done = done;
    // The server ends what was not used for some seconds.
    if (this.#socket.destroyed) this.#socket = this.#connect();
    const head = `${this.#head}x-forwarded-for: ${address}\r\ncontent-length: ${body.length}\r\n\r\n`;
    this.#socket.write(head + body.toString("latin1"), "latin1");
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
