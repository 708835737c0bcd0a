import type { HttpRequest, HttpResponse } from "./http.ts";

/** The web-standard door: a `Request` in, a `Response` out, 404 for what is not MNet's. */
export async function answerFetch(
  handle: (request: HttpRequest) => Promise<HttpResponse | undefined>,
  request: Request,
  remoteAddress: string | undefined,
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const response = await handle({
    method: request.method,
    path: pathname + search,
    headers: request.headers,
    body: request.body ?? new Uint8Array(),
    remoteAddress,
    signal: request.signal,
  });
  if (!response) return new Response("Not found\n", { status: 404 });
  const { status, headers, body } = response;
  return new Response(request.method === "HEAD" ? null : Buffer.from(body), {
    status,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
  });
}
