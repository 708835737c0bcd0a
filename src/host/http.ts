/** A request as a door hands it to the host. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query as on the request line. */
  readonly path: string;
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Read only if the request is MNet's. */
  readonly body: AsyncIterable<Uint8Array> | Uint8Array;
  /** The socket's address, never a header. */
  readonly remoteAddress?: string | undefined;
  /** What is not MNet's goes to another handler, which has the home page, too. Default `false`. */
  readonly hasNextHandler?: boolean | undefined;
  /** Reaches the browser-session plug-in as `browser.raw`. */
  readonly raw?: unknown;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
}

/** A body that throws when the caller is gone, so that nobody need watch the request's signal while it is read. */
export interface BodyOfCaller extends AsyncIterable<Uint8Array> {
  readonly endsWithCaller: true;
}

/** What a door sends back. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** One header, whatever the headers came in; several of one name are joined. */
export function headerOf({ headers }: HttpRequest, name: string): string | undefined {
  if (isFetchHeaders(headers)) return headers.get(name) ?? undefined;
  const value = headers[name];
  return typeof value === "string" || value === undefined ? value : value.join(", ");
}

/** By what they can do, which takes less than to ask for the platform's class; the header `get` is no function. */
const isFetchHeaders = (headers: HttpRequest["headers"]): headers is Headers => typeof headers["get"] === "function";
