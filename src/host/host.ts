import { Background } from "../core/background.ts";
import { CallError, ConfigError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { PeerRef } from "../core/peer-snapshot.ts";
import { KeyRing, type OwnKey } from "../keys/key-ring.ts";
import { peerKey } from "../keys/peer-key.ts";
import { HttpClient } from "../peer/http-exchange.ts";
import { PeerClient } from "../peer/peer-client.ts";
import { PeerDirectory } from "../peer/peer-directory.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import { createPeers, type Peers } from "../peer/peers.ts";
import type { ServiceFlag } from "../peer/service-flags.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";
import { Catalogue } from "./catalogue.ts";
import { Dispatcher, type SystemMethod } from "./dispatcher.ts";
import { EventHub } from "./event-hub.ts";
import { answerFetch } from "./fetch-door.ts";
import { configure, type HostOptions } from "./host-options.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import { entryOf, isMethodName, type Method } from "./method.ts";
import { Receiver } from "./receive.ts";
import { Routes } from "./routes.ts";
import { partsOf, type Extensions, type Service } from "./service.ts";

/** Options of everything that may wait for a network or a person. */
export interface CallOptions {
  /** Ends the wait; the promise rejects with `signal.reason`, unchanged. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of a call by wire name. */
export interface RawCallOptions extends CallOptions {
  /** Call although no described service has this method. Audited. Default `false`. */
  readonly unchecked?: boolean | undefined;
}

/** Our own keys. */
export interface Keys {
  /** The one that signs. */
  current(): Promise<OwnKey>;
  /** Newest first, archived and revoked ones included. */
  all(): Promise<readonly OwnKey[]>;
}

/** Our site. Everything hangs on it; nothing is global. */
export interface Host extends AsyncDisposable {
  /** Our identity. */
  readonly wwwroot: Wwwroot;
  /** Our name, for people at other sites. */
  readonly name: string;
  /** The other sites. */
  readonly peers: Peers;
  /** Our own keys. */
  readonly keys: Keys;

  /**
   * Calls a described method: named parameters, checked both ways.
   *
   * Throws `CallError` (`MNET_CALL_NOT_SUBSCRIBED`, `MNET_CALL_PARAMS_INVALID`, `MNET_CALL_RESULT_INVALID`), `PeerError`,
   * `TransportError`, `EnvelopeError`, `RemoteFault`.
   */
  call<P, R>(peer: PeerRef, method: Method<P, R>, params: P, options?: CallOptions): Promise<R>;
  /**
   * Calls by wire name: positional parameters, the value as it came. Of the system methods all but `system/keyswap` are
   * always allowed; any other must be in a described service that is subscribed (spec 8.1).
   */
  call(
    peer: PeerRef,
    method: string,
    params?: readonly XmlRpcValue[],
    options?: RawCallOptions,
  ): Promise<XmlRpcValue>;

  /** Web-standard door, for Hono and others. 404 for what is not MNet's. */
  fetch(request: Request, connection?: { readonly remoteAddress?: string }): Promise<Response>;
  /** The door that adapters use. `undefined`: not MNet's, give it to the next handler. */
  handle(request: HttpRequest): Promise<HttpResponse | undefined>;

  /** Events from now on. Returns the function that stops them. */
  observe(observer: Observer): () => void;
  /** Takes no new calls, waits for those in flight (default 10,000 ms), closes the store and the transport. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** A host with the APIs that its services add. */
export type HostWith<S extends readonly Service[]> = Host & Extensions<S[number]>;

/** What the composition root needs to make the methods that every host has. */
export interface SystemParts {
  readonly catalogue: Catalogue;
  readonly flagFor: (peer: PeerRecord, service: string) => Promise<ServiceFlag>;
  readonly ownCertificate: () => Promise<string>;
}

/** Always callable (spec 8.1, MNET-100). */
const INTROSPECTION = new Set([
  "system/listServices",
  "system/listMethods",
  "system/methodSignature",
  "system/methodHelp",
]);
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;

/** Builds a host of its parts. `createHost` adds the system methods, which live in a layer above. */
export async function startHost(
  options: HostOptions,
  systemMethods: (parts: SystemParts) => ReadonlyMap<string, SystemMethod>,
): Promise<Host> {
  const configuration = configure(options);
  const { wwwroot, name, store, clock, limits, timeoutMs, transport, random, hidePeers, enabled } = configuration;
  const catalogue = new Catalogue(configuration.services);
  await store.open();

  const background = new Background();
  const events = new EventHub({ clock, log: store.log, background });
  if (configuration.observer) events.observe(configuration.observer);
  const emit = events.emit.bind(events);

  const keys = new KeyRing({ store: store.keys, site: { wwwroot, name }, policy: configuration.keys, clock, emit });
  const ownCertificate = async (): Promise<string> => (await keys.active()).current.certificate.pem;
  const directory = new PeerDirectory({ store: store.peers, clock, background, timeoutMs });
  const http = new HttpClient(transport, clock);
  const peers = createPeers({ self: wwwroot, store: store.peers, directory, keys, http, catalogue, limits, timeoutMs, emit });
  const client = new PeerClient({ self: wwwroot, keys, http, directory, clock, limits, emit, random });
  const system = systemMethods({ catalogue, ownCertificate, flagFor: directory.flagFor.bind(directory) });
  const dispatcher = new Dispatcher({ catalogue, system, directory, limits, emit });
  const receiver = new Receiver({ self: wwwroot, keys, directory, dispatcher, limits, hidePeers, clock, emit, random });
  const routes = new Routes({
    wwwroot,
    name,
    enabled,
    homePage: configuration.homePage,
    receiver,
    maxRequestBytes: limits.requestBytes,
    ownCertificate,
  });

  // The first key is durable before anything can ask for it.
  await keys.active();
  const running = new Set<Promise<unknown>>();
  const closing = new AbortController();
  let closed: Promise<void> | undefined;

  /** Counts work in flight, so that `close` can wait for it; ends it when `close` has waited long enough. */
  async function inFlight<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (closed) throw new ConfigError("MNET_HOST_CLOSED", `The host ${wwwroot} is closed.`);
    const promise = work(signal ? AbortSignal.any([signal, closing.signal]) : closing.signal);
    running.add(promise);
    try {
      return await promise;
    } finally {
      running.delete(promise);
    }
  }

  async function call(
    ref: PeerRef,
    method: string | Method<unknown, unknown>,
    params: unknown = [],
    { signal, unchecked = false }: RawCallOptions = {},
  ): Promise<unknown> {
    if (!enabled) throw new ConfigError("MNET_CONFIG_INVALID", "Networking is switched off on this host.", { option: "enabled" });
    return inFlight(async (both) => {
      both.throwIfAborted();
      const peer = await directory.getActive(ref);
      if (typeof method === "string") {
        await requirePermission(peer, method, unchecked);
        return client.call(peer, method, params as readonly XmlRpcValue[], both);
      }
      const entry = entryOf(method);
      await requirePermission(peer, entry.name, false);
      const positional = entry.encodeParams(params, peer.wwwroot);
      return entry.decodeResult(await client.call(peer, entry.name, positional, both), peer.wwwroot);
    }, signal);
  }

  async function requirePermission(peer: PeerRecord, method: string, unchecked: boolean): Promise<void> {
    const of = { method, peer: peer.wwwroot };
    if (INTROSPECTION.has(method)) return;
    if (!isMethodName(method) || method === "system/keyswap") {
      throw new CallError("MNET_CALL_METHOD_UNKNOWN", `${JSON.stringify(method)} is no method that can be called.`, of);
    }
    if (unchecked) {
      emit({ type: "call.unchecked", level: "info", peer: { id: peer.id, wwwroot: peer.wwwroot }, method });
      return;
    }
    const service = catalogue.method(method)?.service;
    if (service === undefined) {
      throw new CallError(
        "MNET_CALL_METHOD_UNKNOWN",
        `No service of this host describes ${method}; describe it with defineService, or call it with { unchecked: true }.`,
        of,
      );
    }
    if (!(await directory.isSubscribedOn(peer, service))) {
      throw new CallError(
        "MNET_CALL_NOT_SUBSCRIBED",
        `${method} belongs to ${service}, which is not subscribed on ${peer.wwwroot}; see peers.setServices.`,
        of,
      );
    }
  }

  async function handle(request: HttpRequest): Promise<HttpResponse | undefined> {
    if (!routes.owns(request.path)) return undefined;
    return inFlight((signal) => routes.handle(request, signal), request.signal);
  }

  async function close({ timeoutMs: patience = DEFAULT_CLOSE_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    const cancel = clock.after(patience, () => {
      closing.abort(new ConfigError("MNET_HOST_CLOSED", `The host ${wwwroot} is closed.`));
    });
    await Promise.allSettled(running);
    cancel();
    await background.drain();
    await Promise.all([transport.close?.(), store.close()]);
  }

  const host: Host = {
    wwwroot,
    name,
    peers,
    keys: {
      async current() {
        const { certificate } = (await keys.active()).current;
        return { ...peerKey(certificate), state: "current" };
      },
      all: () => keys.all(),
    },
    call: call as Host["call"],
    handle,
    fetch: (request, connection) => answerFetch(handle, request, connection?.remoteAddress),
    observe: (observer) => events.observe(observer),
    close: (closeOptions) => (closed ??= close(closeOptions)),
    [Symbol.asyncDispose]: () => (closed ??= close()),
  };
  // The APIs that services add, such as `host.sso`.
  return Object.assign(host, ...configuration.services.map((service) => partsOf(service).api?.(host as never))) as Host;
}
