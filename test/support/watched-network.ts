import type { MnetEvent } from "../../src/core/events.ts";
import type { HostOptions } from "../../src/host/host-options.ts";
import type { HostWith } from "../../src/host/host.ts";
import type { Service } from "../../src/host/service.ts";
import type { Store } from "../../src/host/store.ts";
import { keyedSite, storeWithKeys, type KeyedSite } from "./hosts.ts";
import { testNetwork, type TestNetwork } from "../../src/testing/test-network.ts";
import type { TransportRequest } from "../../src/transport/transport.ts";

/** One HTTP exchange between hosts of a network. */
export interface SeenExchange {
  readonly from: string;
  readonly to: string;
  readonly what: "keyswap" | "envelope" | "page";
  readonly request: TransportRequest;
}

/** Hosts have keys that were made before, because making them is slow. */
const pemOf = ({ certificate, privateKeyPem }: KeyedSite): { certificate: string; privateKey: string } => ({
  certificate: certificate.pem,
  privateKey: privateKeyPem,
});

/** A host, its store and what it told. */
export type WatchedHost<S extends readonly Service[] = readonly Service[]> = HostWith<S> & {
  readonly store: Store;
  readonly events: MnetEvent[];
};

/** A test network on which every exchange is counted. */
export interface WatchedNetwork
  extends Pick<TestNetwork, "clock" | "connect" | "fail" | "heal" | "transport">, AsyncDisposable {
  /** Since the network was made, or `forget` was called. */
  readonly exchanges: SeenExchange[];
  /** The same in short, such as `a → b envelope`, in order. */
  readonly seen: () => string[];
  readonly forget: () => void;
  host<const S extends readonly Service[] = readonly []>(
    name: string,
    options?: Partial<HostOptions<S>>,
  ): Promise<WatchedHost<S>>;
}

/** Makes an empty one. Its hosts are called by one word: `a` lives at `https://a.test`. */
export function watchedNetwork(): WatchedNetwork {
  const network = testNetwork();
  const exchanges: SeenExchange[] = [];
  let nextKey = 0;
  const short = (origin: string): string => new URL(origin).hostname.replace(/\.test$/, "");
  return {
    clock: network.clock,
    transport: network.transport,
    connect: (a, b, services) => network.connect(a, b, services),
    fail: (wwwroot, how) => {
      network.fail(wwwroot, how);
    },
    heal: (wwwroot) => {
      network.heal(wwwroot);
    },
    exchanges,
    seen: () => exchanges.map(({ from, to, what }) => `${from} → ${to} ${what}`),
    forget: () => void exchanges.splice(0),
    async host(name, options = {}) {
      const store = options.store ?? (await storeWithKeys([pemOf(keyedSite(`https://${name}.test`, nextKey))]));
      nextKey += 1;
      const events: MnetEvent[] = [];
      const host = await network.host(`https://${name}.test`, {
        store,
        observer: (event) => void events.push(event),
        transport: {
          exchange(request) {
            const isKeyswap = request.body && Buffer.from(request.body).includes("<methodName>system/keyswap");
            const what = isKeyswap ? "keyswap" : request.body ? "envelope" : "page";
            exchanges.push({ from: name, to: short(request.url.origin), what, request });
            return network.transport.exchange(request);
          },
        },
        ...options,
      });
      return Object.assign(host, { store, events });
    },
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}
