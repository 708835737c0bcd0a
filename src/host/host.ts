import { randomBytes } from "node:crypto";
import { Background } from "../core/background.ts";
import { MAXIMUM_DELAY_MS } from "../core/clock.ts";
import { ConfigError, MnetError, type MnetErrorCode } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { Wwwroot } from "../core/ids.ts";
import { listing, type Listing } from "../core/listing.ts";
import { borrowCryptoPool } from "../crypto/crypto-pool.ts";
import { HERE } from "../crypto/work.ts";
import { borrowEnvelopeThread } from "../envelope/envelope-thread.ts";
import type { Peer, PeerRef } from "../core/peer-snapshot.ts";
import type { Task } from "../core/task.ts";
import { KeyRing } from "../keys/key-ring.ts";
import { CircuitBreaker } from "../peer/circuit-breaker.ts";
import { HttpClient } from "../peer/http-exchange.ts";
import { withEffectiveSettings } from "../peer/effective-settings.ts";
import { KeyAdoption } from "../peer/key-adoption.ts";
import { KeyExpiry } from "../peer/key-expiry.ts";
import { KeyRefresh } from "../peer/key-refresh.ts";
import { NewKeyNotices } from "../peer/new-key-notices.ts";
import { PeerClient } from "../peer/peer-client.ts";
import { PeerDirectory } from "../peer/peer-directory.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import { ProfileNegotiation } from "../peer/profile-negotiation.ts";
import { ProfileProofs } from "../peer/profile-proofs.ts";
import { ReplayGuard } from "../peer/replay-guard.ts";
import { weaknessesIn } from "../peer/peer-settings.ts";
import { createPeers, type Peers, type ServiceCatalogue } from "../peer/peers.ts";
import { SelfRegistration } from "../peer/self-registration.ts";
import type { FetchExchange, WantsExchange } from "../plug-ins/browser.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";
import { BodyReader } from "./body-reader.ts";
import { Catalogue } from "./catalogue.ts";
import { Dispatcher, type SystemMethod } from "./dispatcher.ts";
import { EventHub } from "./event-hub.ts";
import { answerFetch } from "./fetch-door.ts";
import { configure, type HostOptions } from "./host-options.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import type { Method } from "./method.ts";
import { createKeys, type Keys } from "./key-administration.ts";
import type { LogEntry, LogFilter } from "./log-store.ts";
import { logView } from "./log-view.ts";
import { Maintenance, pruneTasks, type MaintenanceReport } from "./maintenance.ts";
import { OutgoingCalls } from "./outgoing-calls.ts";
import { PeerStatistics, type PeerStats } from "./peer-stats.ts";
import { Receiver } from "./receive.ts";
import { RequestBudget } from "./request-budget.ts";
import { Routes, type Route } from "./routes.ts";
import { partsOf, type Extensions, type Service } from "./service.ts";
import type { Attachment, Site } from "./site.ts";
import { ThrottleReport } from "./throttle-report.ts";
import { TrustedMachines } from "./trusted-machines.ts";
import { WorkInFlight } from "./work-in-flight.ts";

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

/** What a readiness probe asks. */
export interface HostHealth {
  /** The store answers and the host is not closing: this process can be sent requests. */
  readonly isReady: boolean;
  /** `"ok"`, or the code of what the store fails with. */
  readonly store: "ok" | MnetErrorCode;
  /** Whether `close` was called. */
  readonly isClosing: boolean;
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
  call(peer: PeerRef, method: string, params?: readonly XmlRpcValue[], options?: RawCallOptions): Promise<XmlRpcValue>;

  /**
   * Web-standard door, for Hono and others. 404 for what is not MNet's. `context` reaches the browser-session plug-in as
   * `browser.raw.context`; it may be left out only where nothing wants one.
   */
  fetch<Context = unknown>(
    this: Host & { readonly sso?: WantsExchange<FetchExchange<Context>> },
    request: Request,
    ...connection: unknown extends Context
      ? [connection?: { readonly remoteAddress?: string | undefined; readonly context?: Context }]
      : [connection: { readonly remoteAddress?: string | undefined; readonly context: Context }]
  ): Promise<Response>;
  /** The door that adapters use. `undefined`: not MNet's, give it to the next handler. */
  handle(request: HttpRequest): Promise<HttpResponse | undefined>;

  /** Events from now on. Returns the function that stops them. */
  observe(observer: Observer): () => void;
  /**
   * What was done and refused, newest first (SEC-090); calls that went well are only counted, see `stats`. What this
   * process has told its observers before stands in it. Kept for 90 days; under a flood not every refusal is in it
   * (`log.skipped`).
   *
   * Throws `MNET_CONFIG_INVALID` for a filter that is none.
   *
   * @example
   * const { items } = await host.log({ peer, type: "call.refused", since: new Date("2026-01-01") }).page({ limit: 20 });
   */
  log(filter?: LogFilter): Listing<LogEntry>;
  /** Figures of the calls with a peer. Throws `MNET_PEER_UNKNOWN`. */
  stats(peer: PeerRef): Promise<PeerStats>;
  /**
   * All periodic work, once: replaces our key if it is due, forgets what is out of date. Safe from every process at once.
   * What fails is in the report; an aborted one rejects with `signal.reason`.
   */
  maintain(options?: CallOptions): Promise<MaintenanceReport>;
  /**
   * Whether this process can serve, for a readiness probe. Asks the store; never rejects, and is bounded by how long the
   * store waits for its server.
   */
  health(): Promise<HostHealth>;
  /**
   * Takes no new calls, waits for those in flight (default 10,000 ms), aborts them, and closes the store and the
   * transport. After that everything throws `MNET_HOST_CLOSED`.
   */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** A host with the APIs that its services add. */
export type HostWith<S extends readonly Service[]> = Host & Extensions<S[number]>;

/** What the composition root needs to make the methods that every host has. */
export interface SystemParts {
  readonly catalogue: Catalogue;
  readonly ownCertificate: () => Promise<string>;
}

const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;
/** For a process that administers a site without running its services. */
const EVERY_SERVICE: ServiceCatalogue = { serves: () => true, knows: () => true, serviceNames: () => [] };

/** Builds a host of its parts. `createHost` adds the system methods, which live in a layer above. */
export async function startHost(
  options: HostOptions,
  systemMethods: (parts: SystemParts) => ReadonlyMap<string, SystemMethod>,
  {
    knowsEveryService = false,
    rewrapsKeys = true,
  }: { readonly knowsEveryService?: boolean; readonly rewrapsKeys?: boolean } = {},
): Promise<Host> {
  const configuration = configure(options);
  const { wwwroot, name, store, clock, limits, timeoutMs, transport, random, hidePeers, enabled } = configuration;
  const { peerDefaults, registerStrangers } = configuration;
  const background = new Background();
  const events = new EventHub({ clock, log: store.log, background });
  if (configuration.observer) events.observe(configuration.observer);
  const emit = events.emit.bind(events);
  const work = new WorkInFlight(wwwroot, clock);

  // Services are attached before what they will use is there; they do not use it before they are asked for something.
  const site: Site = {
    wwwroot,
    name,
    enabled,
    store,
    clock,
    random: random ?? randomBytes,
    emit,
    background,
    peer: async (ref) => directory.snapshot(await directory.getActive(ref)),
    known: async (ref) => directory.snapshot(await directory.get(ref.id)),
    async find(key) {
      const record = await directory.find(key);
      return record && directory.snapshot(record);
    },
    peers: () => allPeers.list({ state: "active" }),
    settings: (ref) => allPeers.settings(ref),
    async flag(ref, service, row = "with-all-hosts") {
      const record = await directory.get(ref.id);
      if (row === "own") return record.state === "active" ? (record.services[service] ?? "off") : "off";
      return directory.flagFor(record, service);
    },
    serves: (service) => catalogue.serves(service),
    async call(peer, method, params, { signal, emit: emitOwn = events.exchange() }) {
      requireEnabled();
      const outgoing = { peer, method: method as Method<unknown, unknown>, params, unchecked: false };
      return (await calls.call(outgoing, { signal, emit: emitOwn })) as never;
    },
    run: (task, signal) => work.run((both) => task({ signal: both, emit: events.exchange() }), signal),
    withStore: (task) => work.withStore(task),
  };
  const parts = configuration.services.map(partsOf);
  const attachments: readonly Attachment[] = parts.flatMap(({ attach }) => attach?.(site) ?? []);
  const catalogue = new Catalogue([...parts, ...attachments].flatMap(({ methods = [] }) => methods));
  const serves = (service: string): boolean => knowsEveryService || catalogue.serves(service);
  const machines = new TrustedMachines(configuration.trustedMachines, serves);
  await store.open();

  const { cryptoWorkers } = configuration;
  const cryptoPool = borrowCryptoPool(cryptoWorkers);
  const envelopeThread = cryptoWorkers > 0 ? borrowEnvelopeThread() : undefined;
  const keys = new KeyRing({
    operators: { privately: cryptoPool.value, bulk: envelopeThread?.value ?? HERE.bulk },
    store: store.keys,
    wrapping: configuration.keyWrapping,
    site: { wwwroot, name },
    policy: configuration.keys,
    clock,
    emit,
  });
  // Whoever asks has seen a signature that she cannot verify: a key that another process has just replaced is no answer.
  const ownCertificate = async (peer?: PeerRecord): Promise<string> =>
    (await keys.recent(peer)).current.certificate.pem;
  const peerStore = withEffectiveSettings(store.peers, peerDefaults);
  const directory = new PeerDirectory({
    store: peerStore,
    clock,
    background,
    timeoutMs,
    servesPending: registerStrangers,
    emit,
  });
  const statistics = new PeerStatistics({ store: store.stats, log: store.log, events, directory, clock, background });
  const circuits = new CircuitBreaker({ clock });
  const http = new HttpClient(transport, clock, circuits);
  const adoption = new KeyAdoption({ self: wwwroot, store: peerStore, directory, keys, http, clock, limits, emit });
  const replay = new ReplayGuard({ store: configuration.replay, clock });
  const proofs = new ProfileProofs({ store: peerStore, directory, clock });
  const newKeyNotices = new NewKeyNotices();
  const client = new PeerClient({
    self: wwwroot,
    keys,
    http,
    directory,
    clock,
    limits,
    newExchange: () => events.exchange(),
    adoption,
    proofs,
    replay,
    newKeyNotices,
    random,
  });
  const negotiation = new ProfileNegotiation({ store: peerStore, directory, client, proofs, clock });
  const allPeers = createPeers({
    self: wwwroot,
    store: peerStore,
    directory,
    keys,
    http,
    client,
    adoption,
    negotiation,
    catalogue: knowsEveryService ? EVERY_SERVICE : catalogue,
    limits,
    clock,
    timeoutMs,
    defaults: peerDefaults,
    enabled,
    registersStrangers: registerStrangers,
    emit,
  });
  const strangers = registerStrangers
    ? new SelfRegistration({
        self: wwwroot,
        store: peerStore,
        directory,
        keys,
        http,
        client,
        background,
        clock,
        limits,
        defaults: peerDefaults,
        emit,
      })
    : undefined;
  const keyExpiry = new KeyExpiry({
    store: peerStore,
    directory,
    clock,
    emit,
    async told(id, since) {
      const filter = { peer: { id }, type: "peer.key-expiring", since } as const;
      const { items } = await logView(store.log, events, filter).page();
      return items.flatMap((entry) => (entry.type === "peer.key-expiring" ? [entry] : []));
    },
  });
  const ownKeys = createKeys({ ring: keys, store: peerStore, directory, client, callsPeers: enabled });
  const maintenance = new Maintenance({
    tasks: [
      ...pruneTasks(
        {
          keys: store.keys,
          replay: configuration.replay,
          log: store.log,
          tokens: store.tokens,
          sessions: store.sessions,
          runs: store.runs,
        },
        clock,
        configuration.keys,
      ),
      { name: "warn-of-expiring-keys", run: (signal) => keyExpiry.warn(signal) },
      { name: "retry-proofs", run: async (signal) => (enabled ? strangers?.retryProofs(signal) : undefined) },
      { name: "ask-profiles", run: async (signal) => (enabled ? negotiation.negotiateAll(signal) : undefined) },
      { name: "write-stats", run: () => statistics.flush() },
      { name: "write-log", run: () => events.flush() },
      ...attachments.flatMap(({ tasks = [] }) => tasks),
    ],
    // A host that is switched off calls nobody; its peers learn the key when they next send to the old one.
    rotateIfDue: (signal) => (enabled ? ownKeys.rotateIfDue(signal) : keys.rotateIfDue()),
    clock,
    emit,
    background,
  });
  const refresh = new KeyRefresh({ self: wwwroot, keys, http, client, directory, clock, limits });
  const system = systemMethods({ catalogue, ownCertificate });
  const dispatcher = new Dispatcher({ catalogue, system, directory, limits });
  const budget = new RequestBudget({ clock });
  const throttled = new ThrottleReport({ clock, emit });
  const receiver = new Receiver({
    self: wwwroot,
    keys,
    directory,
    dispatcher,
    limits,
    hidePeers,
    clock,
    refresh,
    proofs,
    replay,
    newKeyNotices,
    strangers,
    circuits,
    budget,
    machines,
    random,
  });
  const routes = new Routes({
    wwwroot,
    name,
    enabled,
    homePage: configuration.homePage,
    receiver,
    clients: configuration.clients,
    bodies: new BodyReader({ clock, maxBytes: limits.requestBytes, isKnown: budget.isKnown.bind(budget) }),
    throttled,
    ownCertificate: () => ownCertificate(),
    pages: attachments.flatMap(({ pages = [] }) => pages),
  });

  const calls = new OutgoingCalls({ catalogue, directory, client });
  let stopMaintenance = (): void => undefined;
  let closed: Promise<void> | undefined;

  const requireEnabled = (): void => {
    if (enabled) return;
    throw new ConfigError("MNET_CONFIG_INVALID", "Networking is switched off on this host.", { option: "enabled" });
  };

  /** From now on the peer is refused; what it had begun ends (SEC-054). */
  const endWith = async (peer: Peer): Promise<void> => {
    for (const { peerGone } of attachments) await peerGone?.(peer);
  };

  const peers: Peers = {
    async preview(url, addOptions) {
      requireEnabled();
      return work.run((signal) => allPeers.preview(url, { ...addOptions, signal }), addOptions?.signal);
    },
    async add(site, addOptions) {
      requireEnabled();
      return work.run((signal) => allPeers.add(site, { ...addOptions, signal }), addOptions?.signal);
    },
    get: (key) => work.withStore(() => allPeers.get(key)),
    find: (key) => work.withStore(() => allPeers.find(key)),
    list(filter) {
      const all = allPeers.list(filter);
      return listing((after, limit) => work.withStore(() => all.page({ after, limit })));
    },
    approve: (peer, fingerprint) => work.withStore(() => allPeers.approve(peer, fingerprint)),
    async rekey(peer, rekeyOptions) {
      if (rekeyOptions?.certificate === undefined) requireEnabled();
      return work.run((signal) => allPeers.rekey(peer, { ...rekeyOptions, signal }), rekeyOptions?.signal);
    },
    async refresh(peer, askOptions) {
      requireEnabled();
      return work.run((signal) => allPeers.refresh(peer, { signal }), askOptions?.signal);
    },
    suspend: (peer) =>
      work.withStore(async () => {
        const suspended = await allPeers.suspend(peer);
        await endWith(suspended);
        return suspended;
      }),
    resume: (peer) => work.withStore(() => allPeers.resume(peer)),
    remove: (peer) =>
      work.withStore(async () => {
        const removed = await allPeers.get(peer.id);
        await allPeers.remove(peer);
        await endWith(removed);
      }),
    settings: (peer) => work.withStore(() => allPeers.settings(peer)),
    set: (peer, change) => work.withStore(() => allPeers.set(peer, change)),
    setServices: (peer, change) => work.withStore(() => allPeers.setServices(peer, change)),
    services: (peer, askOptions) => work.run((signal) => allPeers.services(peer, { signal }), askOptions?.signal),
  };

  async function call(
    peer: PeerRef,
    method: string | Method<unknown, unknown>,
    params: unknown = [],
    { signal, unchecked = false }: RawCallOptions = {},
  ): Promise<unknown> {
    requireEnabled();
    const outgoing = { peer, method, params, unchecked };
    return work.run((both) => calls.call(outgoing, { signal: both, emit: events.exchange() }), signal);
  }

  async function handle(request: HttpRequest): Promise<HttpResponse | undefined> {
    const route = routes.find(request);
    if (!route) return undefined;
    const turnedAway = routes.turnAway(route, request);
    return turnedAway ?? work.runTask((task) => answer(route, request, task), request);
  }

  /** What fails here is nobody's fault outside: the door answers with 500, and the operator hears of it. */
  async function answer(route: Route, request: HttpRequest, task: Task): Promise<HttpResponse> {
    const emitOwn = events.exchange();
    try {
      return await routes.handle(route, request, task, emitOwn);
    } catch (error) {
      if (!task.signal.aborted) emitOwn({ type: "request.failed", level: "error", error });
      throw error;
    }
  }

  function close({
    timeoutMs: patience = DEFAULT_CLOSE_TIMEOUT_MS,
  }: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (!Number.isFinite(patience) || patience < 0 || patience > MAXIMUM_DELAY_MS) {
      throw new ConfigError("MNET_CONFIG_INVALID", `timeoutMs must be 0 to ${MAXIMUM_DELAY_MS}.`, {
        option: "timeoutMs",
      });
    }
    return (closed ??= shutDown(patience));
  }

  async function storeHealth(): Promise<HostHealth["store"]> {
    try {
      await store.peers.generation();
      return "ok";
    } catch (error) {
      return MnetError.is(error) ? error.code : "MNET_STORE_UNAVAILABLE";
    }
  }

  async function shutDown(patience: number): Promise<void> {
    stopMaintenance();
    strangers?.stop();
    await work.end(patience);
    await release();
  }

  async function release(): Promise<void> {
    throttled.flush();
    await background.drain();
    // A store that is away does not keep a host from closing.
    await statistics.flush().catch(() => undefined);
    await events.flush();
    await background.drain();
    await Promise.all([transport.close?.(), store.close(), cryptoPool.giveBack(), envelopeThread?.giveBack()]);
  }

  try {
    if (configuration.encryptsKeys && rewrapsKeys) await keys.rewrap();
    // The first key is durable before anything can ask for it.
    await keys.active();
  } catch (error) {
    await release();
    throw error;
  }

  const weaknesses = weaknessesIn(peerDefaults).map((setting) => `peerDefaults.${setting}`);
  if (weaknesses.length > 0) emit({ type: "legacy.used", level: "warn", setting: weaknesses.join(", ") });
  if (configuration.maintenance === "automatic") stopMaintenance = maintenance.start();

  const host: Host = {
    wwwroot,
    name,
    peers,
    keys: {
      current: (peer) => work.withStore(() => ownKeys.current(peer)),
      all: () => work.withStore(() => ownKeys.all()),
      async rotate(options) {
        requireEnabled();
        return work.run((signal) => ownKeys.rotate({ ...options, signal }), options?.signal);
      },
      rewrap: () => work.withStore(() => ownKeys.rewrap()),
      revoke: (fingerprint, options) =>
        work.run((signal) => ownKeys.revoke(fingerprint, { ...options, signal }), undefined),
    },
    call: call as Host["call"],
    handle,
    fetch: (request, ...[connection]) => answerFetch(handle, request, connection),
    observe: (observer) => events.observe(observer),
    log(filter) {
      const view = logView(store.log, events, filter);
      return listing((after, limit) => work.withStore(() => view.page({ after, limit })));
    },
    stats: (peer) => work.withStore(() => statistics.of(peer)),
    maintain: (maintainOptions) => work.run((signal) => maintenance.run(signal), maintainOptions?.signal),
    async health() {
      const health = await storeHealth();
      const isClosing = closed !== undefined;
      return { isReady: health === "ok" && !isClosing, store: health, isClosing };
    },
    close: async (closeOptions) => close(closeOptions),
    [Symbol.asyncDispose]: async () => close(),
  };
  // The APIs that services add, such as `host.sso`.
  return Object.assign(host, ...attachments.map(({ api }) => api)) as Host;
}
