import { abortWith } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TransportError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { PeerId, Wwwroot } from "../core/ids.ts";
import type { TlsLevel, Transport, TransportResponse } from "../transport/transport.ts";
import type { CircuitBreaker, Outcome } from "./circuit-breaker.ts";

/** How to reach one site. */
export interface Route {
  readonly wwwroot: Wwwroot;
  /** The peer whose circuit breaker watches the exchange. A stranger has none. */
  readonly peer?: PeerId;
  readonly tls: TlsLevel;
  readonly allowAddresses: readonly string[];
  /** For the whole exchange. */
  readonly timeoutMs: number;
  /** Tells of what belongs to it. */
  readonly emit: Emit;
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
  readonly #circuits: CircuitBreaker | undefined;

  constructor(transport: Transport, clock: Clock, circuits?: CircuitBreaker) {
    this.#transport = transport;
    this.#clock = clock;
    this.#circuits = circuits;
  }

  /**
   * One exchange. Throws what `Transport.exchange` throws, `MNET_TRANSPORT_TIMEOUT`, `MNET_TRANSPORT_REDIRECT` for any
   * redirect, and `MNET_TRANSPORT_CIRCUIT_OPEN` where the route has a `peer` that did not answer lately; an aborted one
   * rejects with `signal.reason`.
   */
  async exchange(route: Route, exchange: HttpExchange): Promise<TransportResponse> {
    const { wwwroot, peer: id, timeoutMs, emit } = route;
    if (id === undefined || !this.#circuits) return this.#send(route, exchange);
    const settle = this.#circuits.enter({ peer: { id, wwwroot }, url: exchange.url.href, timeoutMs, emit });
    try {
      const response = await this.#send(route, exchange);
      settle(UNAVAILABLE.has(response.status) ? "failed" : "answered");
      return response;
    } catch (error) {
      settle(outcomeOf(error));
      throw error;
    }
  }

  async #send(
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

/** The site says itself that it cannot answer now. Any other status comes from a site that is there. */
const UNAVAILABLE = new Set([429, 502, 503, 504]);

function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof TransportError)) return "unknown";
  switch (error.code) {
    case "MNET_TRANSPORT_UNREACHABLE":
    case "MNET_TRANSPORT_TIMEOUT":
    case "MNET_TRANSPORT_TLS":
      return "failed";
    // Nothing was sent.
    case "MNET_TRANSPORT_ADDRESS_REFUSED":
      return "unknown";
    default:
      return "answered";
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
