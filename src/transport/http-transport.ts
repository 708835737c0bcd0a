import { lookup as resolve, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction, type Socket } from "node:net";
import { checkServerIdentity, TLSSocket } from "node:tls";
import { Agent, buildConnector, request as send, type Dispatcher } from "undici";
import { TransportError } from "../core/errors.ts";
import { AddressPolicy } from "./address-policy.ts";
import type { TlsLevel, Transport, TransportRequest, TransportResponse } from "./transport.ts";

/** Idle connections are kept this long; most servers close theirs earlier. */
const KEEP_ALIVE_MS = 10_000;

/** The transport of every host that is not given another: HTTP by undici, with kept connections. */
export class HttpTransport implements Transport {
  readonly #allowAddresses: readonly string[];
  readonly #dispatchers = new Map<string, { readonly dispatcher: Dispatcher; readonly policy: AddressPolicy }>();

  /** `allowAddresses`: networks in CIDR form that may be private (SEC-078). Default none. */
  constructor(options: { readonly allowAddresses?: readonly string[] | undefined } = {}) {
    this.#allowAddresses = options.allowAddresses ?? [];
    new AddressPolicy(this.#allowAddresses);
  }

  async exchange(request: TransportRequest): Promise<TransportResponse> {
    request.signal.throwIfAborted();
    const url = request.url.href;
    const { dispatcher, policy } = this.#dispatcherFor(request);
    const hostname = request.url.hostname.replace(/^\[|\]$/g, "");
    // Node does not look up what is an address already, so it would not be judged.
    if (isIP(hostname) !== 0 && !policy.permits(hostname)) throw refusedAddress(url, hostname);
    try {
      const response = await send(request.url, {
        dispatcher,
        method: request.method,
        headers: { ...request.headers, "accept-encoding": "identity" },
        body: request.body ?? null,
        signal: request.signal,
      });
      return await readResponse(url, response, request.maxBytes);
    } catch (error) {
      throw failureOf(error, request);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map(({ dispatcher }) => dispatcher.close()));
  }

  /** Connections that were made under different rules are never shared. */
  #dispatcherFor(request: TransportRequest): { readonly dispatcher: Dispatcher; readonly policy: AddressPolicy } {
    const networks = [...this.#allowAddresses, ...(request.allowAddresses ?? [])];
    const key = JSON.stringify([request.tls, networks]);
    let entry = this.#dispatchers.get(key);
    if (!entry) {
      const policy = new AddressPolicy(networks);
      const connect = connectorFor(request.tls, policy);
      // The whole exchange has a time limit; its parts need none.
      const dispatcher = new Agent({ connect, keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: 0, bodyTimeout: 0 });
      entry = { policy, dispatcher };
      this.#dispatchers.set(key, entry);
    }
    return entry;
  }
}

async function readResponse(
  url: string,
  response: Dispatcher.ResponseData,
  maxBytes: number,
): Promise<TransportResponse> {
  const { statusCode: status, body } = response;
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, [value ?? ""].flat().join(", ")]),
  );
  const encoding = headers["content-encoding"] ?? "identity";
  // We said that we take none; unpacking what comes unasked would open the door to bombs (SEC-080).
  if (encoding.toLowerCase() !== "identity") {
    body.on("error", () => undefined).destroy();
    throw new TransportError("MNET_TRANSPORT_NOT_MNET", `${url} compressed its answer although it was not asked to.`, {
      url,
      status,
    });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new TransportError("MNET_TRANSPORT_TOO_LARGE", `The answer of ${url} has more than ${maxBytes} bytes.`, {
        url,
        status,
      });
    }
    chunks.push(chunk);
  }
  return { status, headers, body: Buffer.concat(chunks, size) };
}

function connectorFor(tls: TlsLevel, policy: AddressPolicy): buildConnector.connector {
  const connect = buildConnector({ lookup: guardedLookup(policy), rejectUnauthorized: tls === "verify" });
  if (tls !== "host-name") return connect;
  return (options, done) => {
    connect(options, (error, socket) => {
      if (error) {
        done(error, null);
        return;
      }
      const mismatch = hostNameMismatch(options.servername ?? options.hostname, socket);
      if (mismatch) {
        socket.destroy();
        done(mismatch, null);
      } else {
        done(null, socket);
      }
    });
  };
}

const hostNameMismatch = (hostname: string, socket: Socket): Error | undefined =>
  socket instanceof TLSSocket ? checkServerIdentity(hostname, socket.getPeerCertificate()) : undefined;

/** Resolves a name once and hands out only addresses that the policy permits: those are connected to (SEC-078). */
function guardedLookup(policy: AddressPolicy): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) {
        done(error, []);
        return;
      }
      const refused = addresses.find(({ address }) => !policy.permits(address));
      if (refused) {
        done(new AddressRefused(refused.address), []);
        return;
      }
      if (options.all) {
        done(null, addresses);
      } else {
        const [first] = addresses as [LookupAddress];
        done(null, first.address, first.family);
      }
    });
  };
}

class AddressRefused extends Error {
  readonly address: string;

  constructor(address: string) {
    super(`The address ${address} is refused.`);
    this.address = address;
  }
}

/** What a failed exchange means. */
function failureOf(error: unknown, request: TransportRequest): unknown {
  if (error instanceof TransportError) return error;
  if (request.signal.aborted) return request.signal.reason;
  const url = request.url.href;
  if (error instanceof AddressRefused) return refusedAddress(url, error.address);
  const { code = "", message = "" } = error as { code?: string; message?: string };
  const isTls = TLS_ERROR.test(code);
  return new TransportError(
    isTls ? "MNET_TRANSPORT_TLS" : "MNET_TRANSPORT_UNREACHABLE",
    isTls
      ? `The TLS certificate of ${request.url.host} is not accepted: ${message}`
      : `${request.url.host} cannot be reached: ${message || code}`,
    { url, retryable: !isTls, cause: error },
  );
}

/** OpenSSL's verification results and Node's own codes. */
const TLS_ERROR = /CERT|ERR_TLS|ERR_SSL|UNABLE_TO_(?:VERIFY|GET_ISSUER)|SELF_SIGNED|HOSTNAME_MISMATCH/;

const refusedAddress = (url: string, address: string): TransportError =>
  new TransportError(
    "MNET_TRANSPORT_ADDRESS_REFUSED",
    `${url} is at ${address}, a private address; allow its network with network.allowAddresses or the peer's allowAddresses.`,
    { url },
  );
