import type { IncomingMessage, ServerResponse } from "node:http";
import { ConfigError } from "../core/errors.ts";
import type { Host } from "../host/host.ts";
import type { BodyOfCaller } from "../host/http.ts";
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
  let signal: AbortSignal | undefined;
  const response = await host.handle({
    method: req.method ?? "GET",
    path: pathOf(req),
    headers: req.headers,
    body: bodyOf(req),
    remoteAddress: req.socket.remoteAddress,
    hasNextHandler: next !== undefined,
    raw: { req, res } satisfies NodeExchange,
    // Most requests are answered without anybody having asked for it.
    get signal() {
      return (signal ??= hangUpOf(res));
    },
  });
  if (!response) {
    if (next) next();
    else res.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("Not found\n");
    return;
  }
  if (res.getHeaderNames().length === 0) {
    res.writeHead(response.status, response.headers.flat());
  } else {
    // One by one: `writeHead` would put our cookies in the place of those that the application has set meanwhile.
    for (const [name, value] of response.headers) {
      if (name === "set-cookie") res.appendHeader(name, value);
      else res.setHeader(name, value);
    }
    res.writeHead(response.status);
  }
  res.end(req.method === "HEAD" ? undefined : response.body);
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

/** Connect and Express cut what they are mounted at off `url` and keep the whole in `originalUrl`. */
const pathOf = (req: IncomingMessage & { readonly originalUrl?: string }): string => req.originalUrl ?? req.url ?? "/";

/** The body, which is not touched before somebody asks for it. */
function bodyOf(req: IncomingMessage): BodyOfCaller {
  return {
    endsWithCaller: true,
    [Symbol.asyncIterator]() {
      if (req.readableDidRead) {
        throw new ConfigError(
          "MNET_HTTP_BODY_CONSUMED",
          "The request's body was read before it came here; mount the handler before any body parser.",
        );
      }
      return new RequestParts(req);
    },
  };
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
