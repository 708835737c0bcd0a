import { abortWith } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TransportError } from "../core/errors.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { TlsLevel, Transport, TransportResponse } from "../transport/transport.ts";

/** How to reach one site. */
export interface Route {
  readonly wwwroot: Wwwroot;
  readonly tls: TlsLevel;
  readonly allowAddresses: readonly string[];
  /** For the whole exchange. */
  readonly timeoutMs: number;
}

/** What the layer above the transport asks of it. */
export interface HttpExchange {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly body?: Uint8Array;
  readonly contentType?: string;
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests to sites within their time limits. */
export class HttpClient {
  readonly #transport: Transport;
  readonly #clock: Clock;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  /**
   * One exchange. Throws what `Transport.exchange` throws, `MNET_TRANSPORT_TIMEOUT`, and `MNET_TRANSPORT_REDIRECT` for
   * any redirect; an aborted one rejects with `signal.reason`.
   */
  async exchange(
    route: Route,
    { method, url, body, contentType, maxBytes, signal }: HttpExchange,
  ): Promise<TransportResponse> {
    const ending = new AbortController();
    const unfollow = abortWith(ending, signal);
    const cancel = this.#clock.after(route.timeoutMs, () => {
      ending.abort(
        new TransportError("MNET_TRANSPORT_TIMEOUT", `${url.href} did not answer within ${route.timeoutMs} ms.`, {
          url: url.href,
          peer: route.wwwroot,
          retryable: true,
        }),
      );
    });
    try {
      ending.signal.throwIfAborted();
      const response = await this.#transport.exchange({
        method,
        url,
        headers: {
          // Sites' firewalls know this one; Mahara and Moodle send it, too (spec 6.1).
          "user-agent": "Moodle",
          ...(contentType === undefined ? {} : { "content-type": contentType }),
        },
        ...(body && { body }),
        maxBytes,
        tls: route.tls,
        allowAddresses: route.allowAddresses,
        signal: ending.signal,
      });
      if (response.status >= 300 && response.status < 400) {
        throw new TransportError(
          "MNET_TRANSPORT_REDIRECT",
          `${url.href} redirects elsewhere; the site's wwwroot is probably another.`,
          { url: url.href, status: response.status, peer: route.wwwroot },
        );
      }
      return { ...response, body: withoutLeadingSpace(response.body) };
    } finally {
      cancel();
      unfollow();
    }
  }
}

/**
 * A PHP site with an empty line or a byte order mark in its configuration file sends that first; Moodle's client
 * overlooks it (spec 4.4).
 */
function withoutLeadingSpace(body: Uint8Array): Uint8Array {
  const start = body.findIndex((byte) => !OVERLOOKED.has(byte));
  return start > 0 ? body.subarray(start) : body;
}

const OVERLOOKED = new Set(Buffer.from(" \t\r\n\u{feff}"));
