import { X509Certificate } from "node:crypto";
import { lookup as resolve, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction, type Socket } from "node:net";
import tls, { createSecureContext, type SecureContext } from "node:tls";
import { Agent, buildConnector, Pool, ProxyAgent, request as send, type Dispatcher } from "undici";
import { ConfigError, TransportError } from "../core/errors.ts";
import { AddressPolicy } from "./address-policy.ts";
import type { TlsLevel, Transport, TransportRequest, TransportResponse } from "./transport.ts";

/** Idle connections are kept this long; most servers close theirs earlier. */
const KEEP_ALIVE_MS = 10_000;
/** At once to one site. A PHP site rarely serves more; what is over waits within its own time limit. */
const CONNECTIONS_PER_ORIGIN = 32;
/** For a connection, TLS included. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Between two parts of a body. The time to its head is the peer's work: only the whole exchange limits that. */
const BODY_PAUSE_MS = 15_000;
/** Sets of rules that have connections of their own: one for each peer with networks of its own, at worst. */
const MAXIMUM_DISPATCHERS = 256;

/** How every request leaves this machine. */
export interface HttpTransportOptions {
  /** Networks in CIDR form that may be private, loopback or link-local (SEC-078). Default none. */
  readonly allowAddresses?: readonly string[] | undefined;
  /**
   * URL of an HTTP proxy, `http:` or `https:`, with user and password if it wants them. Default none; environment
   * variables are not looked at.
   *
   * https goes through a tunnel, http as a request for the whole URL. The proxy resolves names, so names that lead to
   * private addresses are its business; literal private addresses, and `localhost`, are refused here as ever.
   */
  readonly proxy?: string | undefined;
  /**
   * Certificate authorities in PEM form that are trusted beside the system's. Default none. On Node 20, those of
   * `NODE_EXTRA_CA_CERTS` count only without this option.
   */
  readonly ca?: string | readonly string[] | undefined;
}

/** The transport of every host that is not given another: HTTP by undici, with kept connections. */
export class HttpTransport implements Transport {
  readonly #allowAddresses: readonly string[];
  readonly #proxy: string | undefined;
  readonly #secureContext: SecureContext | undefined;
  readonly #dispatchers = new Map<string, { readonly dispatcher: Dispatcher; readonly policy: AddressPolicy }>();

  /** Throws `MNET_CONFIG_INVALID` with the option that is wrong. */
  constructor(options: HttpTransportOptions = {}) {
    this.#allowAddresses = options.allowAddresses ?? [];
    new AddressPolicy(this.#allowAddresses);
    this.#proxy = options.proxy === undefined ? undefined : checkProxy(options.proxy);
    this.#secureContext = options.ca === undefined ? undefined : trusting([options.ca].flat());
  }

  async exchange(request: TransportRequest): Promise<TransportResponse> {
    request.signal.throwIfAborted();
    const url = request.url.href;
    const { dispatcher, policy } = this.#dispatcherFor(request);
    const refused = this.#refusedLiteral(request.url, policy);
    if (refused !== undefined) throw refusedAddress(url, refused);
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

  /** Node does not look up what is an address already, nor does it look up anything for a proxy: judged here. */
  #refusedLiteral(url: URL, policy: AddressPolicy): string | undefined {
    const hostname = url.hostname.replace(/^\[|\]$/g, "");
    if (isIP(hostname) !== 0) return policy.permits(hostname) ? undefined : hostname;
    if (this.#proxy === undefined || !/^(?:.*\.)?localhost\.?$/.test(hostname)) return undefined;
    return policy.permits("127.0.0.1") ? undefined : hostname;
  }

  /** Connections that were made under different rules are never shared. */
  #dispatcherFor(request: TransportRequest): { readonly dispatcher: Dispatcher; readonly policy: AddressPolicy } {
    const networks = [...this.#allowAddresses, ...(request.allowAddresses ?? [])];
    const key = JSON.stringify([request.tls, networks]);
    let entry = this.#dispatchers.get(key);
    if (!entry) {
      const policy = new AddressPolicy(networks);
      entry = { policy, dispatcher: this.#makeDispatcher(request.tls, policy) };
    }
    // To the end: the first is the one that was not used for longest.
    this.#dispatchers.delete(key);
    this.#dispatchers.set(key, entry);
    if (this.#dispatchers.size > MAXIMUM_DISPATCHERS) this.#dropOldest();
    return entry;
  }

  #dropOldest(): void {
    for (const [key, { dispatcher }] of this.#dispatchers) {
      this.#dispatchers.delete(key);
      // Lets what is under way end.
      void dispatcher.close();
      return;
    }
  }

  #makeDispatcher(level: TlsLevel, policy: AddressPolicy): Dispatcher {
    const options = {
      connections: CONNECTIONS_PER_ORIGIN,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: BODY_PAUSE_MS,
    };
    const secureContext = this.#secureContext && { secureContext: this.#secureContext };
    const toPeer = {
      ...secureContext,
      timeout: CONNECT_TIMEOUT_MS,
      rejectUnauthorized: level === "verify",
      // A resumed session may not show the certificate again, and here it is looked at each time.
      ...(level === "host-name" && { maxCachedSessions: 0 }),
    };
    if (this.#proxy === undefined) {
      const connect = buildConnector({ ...toPeer, lookup: guardedLookup(policy) });
      return new Agent({ ...options, connect: level === "host-name" ? checkingName(connect) : connect });
    }
    return new ProxyAgent({
      ...options,
      uri: this.#proxy,
      // Many proxies open tunnels to port 443 only.
      proxyTunnel: false,
      proxyTls: { ...secureContext, timeout: CONNECT_TIMEOUT_MS },
      requestTls: toPeer,
      clientFactory: (origin, given) => new Pool(origin, { ...given, headersTimeout: CONNECT_TIMEOUT_MS }),
      factory: (origin, given: Pool.Options) => {
        const { connect } = given;
        const isChecked = level === "host-name" && typeof connect === "function";
        return new Pool(origin, { ...options, ...given, ...(isChecked && { connect: checkingName(connect) }) });
      },
    });
  }
}

function checkProxy(proxy: string): string {
  const url = URL.canParse(proxy) ? new URL(proxy) : undefined;
  const isProxy = url && /^https?:$/.test(url.protocol) && url.pathname === "/" && !url.search && !url.hash;
  // The URL may hold a password, so the message does not repeat it.
  if (!isProxy || !canDecode(url.username) || !canDecode(url.password)) {
    throw new ConfigError("MNET_CONFIG_INVALID", "The proxy must be a URL such as http://proxy.example:3128.", {
      option: "proxy",
    });
  }
  return proxy;
}

function canDecode(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Made once: reading all of the system's authorities takes longer than a handshake. */
function trusting(pems: readonly string[]): SecureContext {
  const own = pems.flatMap((pem) => pem.match(PEM_CERTIFICATE) ?? [""]);
  for (const pem of own) {
    try {
      new X509Certificate(pem);
    } catch (cause) {
      throw new ConfigError("MNET_CONFIG_INVALID", "A certificate authority must be a certificate in PEM form.", {
        option: "ca",
        cause,
      });
    }
  }
  return createSecureContext({ ca: [...systemAuthorities(), ...own] });
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** As Node would trust them without being told; before 22.15 it can only say which it brings along. */
function systemAuthorities(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: "default") => string[] };
  return getCACertificates?.("default") ?? tls.rootCertificates;
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

/** Any issuer will do, but the certificate must be one for this host. */
function checkingName(connect: buildConnector.connector): buildConnector.connector {
  return (options, done) => {
    connect(options, (error, socket) => {
      if (error) {
        done(error, null);
        return;
      }
      const mismatch = options.protocol === "https:" ? hostNameMismatch(options.hostname, socket) : undefined;
      if (mismatch) {
        socket.destroy();
        done(mismatch, null);
      } else {
        done(null, socket);
      }
    });
  };
}

function hostNameMismatch(hostname: string, socket: Socket): Error | undefined {
  if (!(socket instanceof tls.TLSSocket)) return new Error("The connection has no certificate.");
  return tls.checkServerIdentity(hostname.replace(/^\[|\]$/g, ""), socket.getPeerCertificate());
}

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
  if (TIMEOUT_ERROR.test(code)) {
    return new TransportError("MNET_TRANSPORT_TIMEOUT", `${request.url.host} is too slow: ${message}`, {
      url,
      retryable: true,
      cause: error,
    });
  }
  const isTls = TLS_ERROR.test(code);
  return new TransportError(
    isTls ? "MNET_TRANSPORT_TLS" : "MNET_TRANSPORT_UNREACHABLE",
    isTls
      ? `The TLS certificate of ${request.url.host} is not accepted: ${message}`
      : `${request.url.host} cannot be reached: ${message || code}`,
    { url, retryable: !isTls, cause: error },
  );
}

/** undici's own; the limit of the whole exchange is the caller's. */
const TIMEOUT_ERROR = /^UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT$/;

/** OpenSSL's verification results and Node's own codes. */
const TLS_ERROR = /CERT|ERR_TLS|ERR_SSL|UNABLE_TO_(?:VERIFY|GET_ISSUER)|SELF_SIGNED|HOSTNAME_MISMATCH/;

const refusedAddress = (url: string, address: string): TransportError =>
  new TransportError(
    "MNET_TRANSPORT_ADDRESS_REFUSED",
    `${url} is at ${address}, a private address; allow its network with network.allowAddresses or the peer's allowAddresses.`,
    { url },
  );
