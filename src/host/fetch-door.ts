import { ConfigError } from "../core/errors.ts";
import type { FetchExchange } from "../plug-ins/browser.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";

/** The web-standard door: a `Request` in, a `Response` out, 404 for what is not MNet's. */
export async function answerFetch(
  handle: (request: HttpRequest) => Promise<HttpResponse | undefined>,
  request: Request,
  { remoteAddress, context }: { readonly remoteAddress?: string | undefined; readonly context?: unknown } = {},
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const response = await handle({
    method: request.method,
    path: pathname + search,
    headers: request.headers,
    body: bodyOf(request),
    remoteAddress,
    raw: { request, context } satisfies FetchExchange,
    signal: request.signal,
  });
  if (!response) return new Response("Not found\n", { status: 404 });
  const { status, headers, body } = response;
  return new Response(request.method === "HEAD" ? null : Buffer.from(body), {
    status,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
  });
}

/** The body, which is not touched before somebody asks for it. */
async function* bodyOf(request: Request): AsyncGenerator<Uint8Array> {
  if (request.bodyUsed) {
    throw new ConfigError(
      "MNET_HTTP_BODY_CONSUMED",
      "The request's body was read before it came here; give the host the request before anything reads it.",
    );
  }
  if (request.body) yield* request.body;
}
