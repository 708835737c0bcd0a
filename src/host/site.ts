import type { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import type { Emit } from "../core/events.ts";
import type { Attending, Exchange } from "../core/exchange.ts";
import type { PeerId, Wwwroot } from "../core/ids.ts";
import type { Peer, PeerRef } from "../core/peer-snapshot.ts";
import type { EffectiveSettings } from "../peer/peer-settings.ts";
import type { ServiceFlag } from "../peer/service-flags.ts";
import type { Browser } from "../plug-ins/browser.ts";
import type { HttpResponse } from "./http.ts";
import type { MaintenanceTask } from "./maintenance.ts";
import type { Method } from "./method.ts";
import type { MethodEntry } from "./service.ts";
import type { Store } from "./store.ts";

/**
 * The host as its services see it. They are given it before the host has started, and must not use it before they are
 * asked for something.
 */
export interface Site {
  readonly wwwroot: Wwwroot;
  readonly name: string;
  /** `false`: networking is switched off; nobody is called. */
  readonly enabled: boolean;
  readonly store: Pick<Store, "tokens" | "sessions" | "access" | "outbox" | "remoteCourses" | "runs">;
  readonly clock: Clock;
  /** Cryptographically secure bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly emit: Emit;
  /** For work that nobody waits for. */
  readonly background: Background;

  /** A peer that may be called. Throws `MNET_PEER_UNKNOWN` or `MNET_PEER_NOT_ACTIVE`. */
  peer(ref: PeerRef): Promise<Peer>;
  /** A peer in any state but deleted. Throws `MNET_PEER_UNKNOWN`. */
  known(ref: PeerRef): Promise<Peer>;
  /** The same, or nothing. */
  find(key: PeerId | Wwwroot): Promise<Peer | undefined>;
  /** All active peers. */
  peers(): AsyncIterable<Peer>;
  /** What is in effect for a peer. Throws `MNET_PEER_UNKNOWN`. */
  settings(ref: PeerRef): Promise<EffectiveSettings>;
  /**
   * Our boxes for a service and a peer. `"own"`: those of the peer's row alone, where the protocol leaves All Hosts out
   * (spec 9.3, 9.11).
   */
  flag(peer: PeerRef, service: string, row?: "own" | "with-all-hosts"): Promise<ServiceFlag>;
  /** Whether this host serves methods of the service. */
  serves(service: string): boolean;
  /** Calls a described method of a service that is subscribed, as part of an exchange or as one of its own. Throws as `Host.call`. */
  call<P, R>(peer: PeerRef, method: Method<P, R>, params: P, exchange: Attending): Promise<R>;
  /** Does work for the application that may take its time, and that a closing host waits for. Throws `MNET_HOST_CLOSED`. */
  run<T>(work: (exchange: Exchange) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Does work for the application with the store alone. Throws `MNET_HOST_CLOSED`. */
  withStore<T>(work: () => Promise<T>): Promise<T>;
}

/** What a service is on one host. */
export interface Attachment<Api extends object = object> {
  /** What it adds to the host, such as `{ sso }`. */
  readonly api?: Api;
  /** Methods that it serves here, or that it calls. */
  readonly methods?: readonly MethodEntry[];
  /** Pages that it answers. */
  readonly pages?: readonly Page[];
  /** Its part of the periodic work. */
  readonly tasks?: readonly MaintenanceTask[];
  /** A peer was suspended or removed: nothing of it may go on (SEC-054). */
  readonly peerGone?: (peer: Peer) => Promise<void>;
}

/** A page for browsers. */
export interface Page {
  /** Below our wwwroot, such as `/auth/mnet/land.php`. */
  readonly path: string;
  /** Others are answered with 405. */
  readonly methods: readonly ("GET" | "HEAD" | "POST")[];
  /** What it throws is answered with 500. */
  readonly answer: (browser: Browser<never>, exchange: Exchange) => Promise<HttpResponse>;
}
