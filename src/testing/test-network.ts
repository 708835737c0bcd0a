import { TransportError } from "../core/errors.ts";
import type { Wwwroot } from "../core/ids.ts";
import { createHost } from "../create-host.ts";
import type { HostOptions } from "../host/host-options.ts";
import type { Host, HostWith } from "../host/host.ts";
import type { Service } from "../host/service.ts";
import { publishes, serviceFlag, subscribes, type ServiceFlags } from "../peer/service-flags.ts";
import { memoryStore } from "../stores/memory/memory-store.ts";
import type { Transport, TransportRequest, TransportResponse } from "../transport/transport.ts";
import { fakeClock, type FakeClock } from "./fake-clock.ts";
import { testBrowser, type TestBrowser } from "./test-browser.ts";

/** How a site can fail. */
export type TestFailure = "unreachable" | "timeout" | "html" | "empty" | "garbage";

/** Hosts that reach each other without sockets, on one fake clock. Envelopes and keys are real. */
export interface TestNetwork extends AsyncDisposable {
  /** Everybody's time. */
  readonly clock: FakeClock;
  /** Leads to every host of the network; any other site is unreachable. */
  readonly transport: Transport;
  /** A host with a memory store and manual maintenance; its name is its host name, unless told. */
  host<const S extends readonly Service[] = readonly []>(
    wwwroot: string,
    options?: Partial<HostOptions<S>>,
  ): Promise<HostWith<S>>;
  /** Handshake both ways; the flags are set on `a`, their mirror on `b`. */
  connect(a: Host, b: Host, services?: ServiceFlags): Promise<void>;
  /** What calls to this site meet until `heal`. */
  fail(wwwroot: Wwwroot, how: TestFailure): void;
  /** Undoes `fail`. */
  heal(wwwroot: Wwwroot): void;
  /** A browser with cookies of its own that follows redirects between the hosts. What fails for calls fails for it, too. */
  browser(options?: { readonly userAgent?: string | undefined }): TestBrowser;
}

/** Makes an empty network. Close it, or bind it with `await using`. */
export function testNetwork(options: { readonly startAt?: Date } = {}): TestNetwork {
  const clock = fakeClock(options.startAt);
  const hosts = new Map<string, Host>();
  const failures = new Map<string, TestFailure>();

  const hostAt = (url: URL): Host | undefined =>
    [...hosts.values()]
      .filter(({ wwwroot }) => url.href === wwwroot || url.href.startsWith(`${wwwroot}/`))
      .sort((a, b) => b.wwwroot.length - a.wwwroot.length)[0];

  const transport: Transport = {
    async exchange(request) {
      request.signal.throwIfAborted();
      const host = hostAt(request.url);
      if (!host) throw unreachable(request);
      const failure = failures.get(host.wwwroot);
      if (failure) return failed(failure, request);
      const handled = host.handle({
        method: request.method,
        path: request.url.pathname + request.url.search,
        headers: request.headers,
        body: request.body ?? new Uint8Array(),
        remoteAddress: "127.0.0.1",
        signal: request.signal,
      });
      const response = await Promise.race([handled, aborted(request.signal)]);
      const { status, headers, body } = response ?? { status: 404, headers: [], body: new Uint8Array() };
      if (body.length > request.maxBytes) throw tooLarge(request);
      return { status, headers: Object.fromEntries(headers), body };
    },
  };

  /** A site that does not answer shows only when time passes. */
  function failed(failure: TestFailure, request: TransportRequest): Promise<TransportResponse> {
    if (failure === "unreachable") return Promise.reject(unreachable(request));
    if (failure !== "timeout") {
      return Promise.resolve({ status: 200, headers: {}, body: Buffer.from(BODIES[failure], "latin1") });
    }
    return aborted(request.signal);
  }

  return {
    clock,
    transport,
    async host(wwwroot, hostOptions = {}) {
      const host = await createHost({
        wwwroot,
        name: new URL(wwwroot).hostname,
        store: memoryStore(),
        maintenance: "manual",
        clock,
        transport,
        ...hostOptions,
      });
      hosts.set(host.wwwroot, host);
      return host;
    },
    async connect(a, b, services = {}) {
      const [toB, toA] = await Promise.all([a.peers.add(b.wwwroot), b.peers.add(a.wwwroot)]);
      await a.peers.setServices(toB, services);
      await b.peers.setServices(toA, mirror(services));
    },
    fail: (wwwroot, how) => void failures.set(wwwroot, how),
    heal: (wwwroot) => void failures.delete(wwwroot),
    browser: ({ userAgent } = {}) =>
      testBrowser({
        clock,
        userAgent,
        async reach(url, request) {
          const host = hostAt(url);
          const failure = host && failures.get(host.wwwroot);
          // Nobody waits in a test for a page that does not come.
          if (!host || failure === "unreachable" || failure === "timeout") throw unreachable({ url });
          if (failure) return { status: 200, headers: [], body: Buffer.from(BODIES[failure], "latin1") };
          return host.handle(request);
        },
      }),
    async [Symbol.asyncDispose]() {
      // What still waits for something that never comes sees time go by.
      await Promise.all([...[...hosts.values()].map((host) => host.close()), clock.advance(CLOSE_MS)]);
    },
  };
}

const BODIES = {
  html: "<!doctype html><title>Maintenance</title><p>We will be back soon.</p>",
  empty: "",
  garbage: "\x00\x01\xfe\xff MNet? Never heard of it.",
} as const;

/** As long as a host may take to close. */
const CLOSE_MS = 11_000;

/** Rejects when the signal aborts, for its reason. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}

const tooLarge = ({ url, maxBytes }: TransportRequest): TransportError =>
  new TransportError("MNET_TRANSPORT_TOO_LARGE", `The answer of ${url.href} has more than ${maxBytes} bytes.`, {
    url: url.href,
  });

const unreachable = ({ url }: Pick<TransportRequest, "url">): TransportError =>
  new TransportError("MNET_TRANSPORT_UNREACHABLE", `${url.host} cannot be reached.`, {
    url: url.href,
    retryable: true,
  });

/** What we publish the other side subscribes to. */
const mirror = (services: ServiceFlags): ServiceFlags =>
  Object.fromEntries(
    Object.entries(services).map(([name, flag]) => [
      name,
      serviceFlag({ publish: subscribes(flag), subscribe: publishes(flag) }),
    ]),
  );
