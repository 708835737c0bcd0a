import { isAscii } from "node:buffer";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { ConfigError } from "../core/errors.ts";
import type { Host } from "../host/host.ts";
import type { BodyOfCaller, HttpRequest } from "../host/http.ts";
import type { WantsExchange } from "../plug-ins/browser.ts";

/** What `browser.raw` is behind a `nodeHandler`. */
export interface NodeExchange<
  Req extends IncomingMessage = IncomingMessage,
  Res extends ServerResponse = ServerResponse,
> {
  readonly req: Req;
  readonly res: Res;
}

/** A handler of `node:http`, Connect and Express. */
export type NodeHandler<Req extends IncomingMessage = IncomingMessage, Res extends ServerResponse = ServerResponse> = (
  req: Req,
  res: Res,
  next?: (error?: unknown) => void,
) => void;

/**
 * Answers what is MNet's: for `node:http`, Express, Connect, and Fastify in an `onRequest` hook. Mount it after the session
 * middleware and before any body parser, because a signature is about bytes.
 *
 * What is not MNet's goes to `next`, or is answered with 404. Errors go to `next`, or are answered with 500; one of them
 * is `MNET_HTTP_BODY_CONSUMED`, for a body that another parser has read already. A caller that hangs up is no error.
 *
 * Bodies have a deadline of their own; that of headers is the server's `headersTimeout`, which Node sets to a minute
 * (SEC-082).
 */
export function nodeHandler<Req extends IncomingMessage = IncomingMessage, Res extends ServerResponse = ServerResponse>(
  host: Host & { readonly sso?: WantsExchange<NodeExchange<Req, Res>> },
): NodeHandler<Req, Res> {
  return (req, res, next) => {
    answer(host, req, res, next).catch((error: unknown) => {
      // Nobody is there any more to be told of it, or of having left.
      if (res.destroyed) return;
      if (next) {
        next(error);
      } else if (res.headersSent) {
        res.destroy();
      } else {
        res.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end("Internal server error\n");
      }
    });
  };
}

async function answer(host: Host, req: IncomingMessage, res: ServerResponse, next?: () => void): Promise<void> {
  const response = await host.handle(new NodeRequest(req, res, next !== undefined));
  if (!response) {
    if (next) next();
    else res.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("Not found\n");
    return;
  }
  if (res.getHeaderNames().length === 0) {
    const headers: string[] = [];
    for (const [name, value] of response.headers) headers.push(name, value);
    res.writeHead(response.status, headers);
  } else {
    // One by one: `writeHead` would put our cookies in the place of those that the application has set meanwhile.
    for (const [name, value] of response.headers) {
      if (name === "set-cookie") res.appendHeader(name, value);
      else res.setHeader(name, value);
    }
    res.writeHead(response.status);
  }
  if (req.method === "HEAD") res.end();
  else end(res, response.body);
}

/** Of larger answers, a string takes as much to make as it saves. */
const SMALL_ANSWER = 2 * 1024;

/**
 * A string is joined to the head and written at once; of a head and bytes, Node makes a list first. Only ASCII goes as a
 * string, so that no middleware that forgets the encoding can spoil it.
 */
function end(res: ServerResponse, body: Uint8Array): void {
  if (body.length > SMALL_ANSWER || !isAscii(body)) res.end(body);
  else res.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1"), "latin1");
}

/** A request as the host sees it. What most requests are answered without is made when somebody asks for it. */
class NodeRequest implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: BodyOfCaller;
  readonly remoteAddress: string | undefined;
  readonly hasNextHandler: boolean;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  #signal: AbortSignal | undefined;

  constructor(req: IncomingMessage & { readonly originalUrl?: string }, res: ServerResponse, hasNextHandler: boolean) {
    this.method = req.method ?? "GET";
    // Connect and Express cut what they are mounted at off `url` and keep the whole in `originalUrl`.
    this.path = req.originalUrl ?? req.url ?? "/";
    this.headers = req.headers;
    this.body = new RequestBody(req);
    this.remoteAddress = req.socket.remoteAddress;
    this.hasNextHandler = hasNextHandler;
    this.#req = req;
    this.#res = res;
  }

  get raw(): NodeExchange {
    return { req: this.#req, res: this.#res };
  }

  get signal(): AbortSignal {
    return (this.#signal ??= hangUpOf(this.#res));
  }
}

/** Aborts when the caller hangs up before it has the whole answer. */
function hangUpOf(res: ServerResponse): AbortSignal {
  const hangUp = new AbortController();
  const closed = (): void => {
    if (!res.writableFinished) hangUp.abort(new Error("The caller has hung up."));
  };
  if (res.closed) closed();
  else res.once("close", closed);
  return hangUp.signal;
}

/** The body, which is not touched before somebody asks for it. */
class RequestBody implements BodyOfCaller {
  readonly endsWithCaller = true;
  readonly #req: IncomingMessage;

  constructor(req: IncomingMessage) {
    this.#req = req;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#req.readableDidRead) {
      throw new ConfigError(
        "MNET_HTTP_BODY_CONSUMED",
        "The request's body was read before it came here; mount the handler before any body parser.",
      );
    }
    return new RequestParts(this.#req);
  }
}

/** The parts of a body as they come. The iterator of streams does the same for more kinds of streams, and takes longer. */
class RequestParts implements AsyncIterator<Uint8Array> {
  readonly #req: IncomingMessage;
  readonly #parts: Uint8Array[] = [];
  #end: { readonly error?: Error } | undefined;
  #waiting: Reader | undefined;

  constructor(req: IncomingMessage) {
    this.#req = req;
    req.on("data", this.#onData).once("end", this.#onEnd).once("error", this.#onError).once("close", this.#onClose);
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#give();
    });
  }

  /** Who stops reading a body that is too large still has to answer on the same socket. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#req.off("data", this.#onData).off("end", this.#onEnd).off("close", this.#onClose);
    this.#req.pause();
    return DONE;
  }

  readonly #onData = (part: Uint8Array): void => {
    this.#parts.push(part);
    this.#give();
  };
  readonly #onEnd = (): void => this.#finish({});
  readonly #onError = (error: Error): void => this.#finish({ error });
  readonly #onClose = (): void => {
    // Every request is closed some time; an error is expensive to make.
    if (!this.#end) this.#finish({ error: new Error("The caller has hung up.") });
  };

  #finish(end: { readonly error?: Error }): void {
    this.#end ??= end;
    this.#give();
  }

  #give(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    const part = this.#parts.shift();
    if (!part && !this.#end) return;
    this.#waiting = undefined;
    if (part) waiting.resolve({ done: false, value: part });
    else if (this.#end?.error) waiting.reject(this.#end.error);
    else waiting.resolve(DONE);
  }
}

const DONE = { done: true, value: undefined } as const;

/** Who waits for the next part. */
interface Reader {
  readonly resolve: (result: IteratorResult<Uint8Array>) => void;
  readonly reject: (error: Error) => void;
}
