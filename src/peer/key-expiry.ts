import type { Clock } from "../core/clock.ts";
import type { Emit } from "../core/events.ts";
import type { Fingerprint, PeerId } from "../core/ids.ts";
import type { PeerDirectory } from "./peer-directory.ts";
import { everyPeer, type PeerRecord, type PeerStore } from "./peer-store.ts";

const DAY_MS = 86_400_000;
/** Days before the end at which an operator is told, the last first; after the end he is told once more (SEC-048). */
const PHASES: readonly number[] = [1, 7, 14];
const EXPIRED = 0;
const LONGEST = 14;

/** What was told before of a peer's key. */
export interface ToldExpiry {
  readonly notAfter: Date;
  readonly daysLeft: number;
}

/** What the watch needs of the host. */
export interface KeyExpiryOptions {
  readonly store: PeerStore;
  readonly directory: PeerDirectory;
  readonly clock: Clock;
  readonly emit: Emit;
  /** `peer.key-expiring` events of the peer since a moment, by this process and others; at least the last ones. */
  readonly told: (peer: PeerId, since: Date) => Promise<readonly ToldExpiry[]>;
}

/**
 * Days until a certificate expires, begun ones included; negative as soon as it has expired.
 */
export function daysUntil(notAfter: Date, now: number): number {
  const leftMs = notAfter.getTime() - now;
  return leftMs > 0 ? Math.ceil(leftMs / DAY_MS) : Math.min(-1, Math.floor(leftMs / DAY_MS));
}

/** Whether a certificate is in the time in which operators are warned of its end. */
export const isExpiring = (daysLeft: number): boolean => phaseOf(daysLeft) !== undefined;

/** Warns of peers' keys that are about to expire, or have. What becomes of their messages then is `expiredKey`. */
export class KeyExpiry {
  readonly #options: KeyExpiryOptions;
  /** Spares asking the log each minute. */
  readonly #warned = new Map<PeerId, { readonly fingerprint: Fingerprint; readonly phase: number }>();

  constructor(options: KeyExpiryOptions) {
    this.#options = options;
  }

  /** One `peer.key-expiring` for each active peer and phase: at 14, 7 and 1 days, and after the end. For `host.maintain`. */
  async warn(signal?: AbortSignal): Promise<void> {
    for await (const peer of everyPeer(this.#options.store, { state: "active" })) {
      signal?.throwIfAborted();
      await this.#warnOf(peer);
    }
  }

  async #warnOf(peer: PeerRecord): Promise<void> {
    const { directory, clock, emit, told } = this.#options;
    const { id, wwwroot } = peer;
    const { notAfter, fingerprint } = directory.certificateOf(peer);
    const daysLeft = daysUntil(notAfter, clock.now());
    const phase = phaseOf(daysLeft);
    const last = this.#warned.get(id);
    if (phase === undefined || (last?.fingerprint === fingerprint && last.phase === phase)) return;
    this.#warned.set(id, { fingerprint, phase });

    const before = await told(id, new Date(notAfter.getTime() - (LONGEST + 1) * DAY_MS));
    const isTold = before.some(
      (warning) => warning.notAfter.getTime() === notAfter.getTime() && phaseOf(warning.daysLeft) === phase,
    );
    if (!isTold) emit({ type: "peer.key-expiring", level: "warn", peer: { id, wwwroot }, notAfter, daysLeft });
  }
}

const phaseOf = (daysLeft: number): number | undefined =>
  daysLeft < 0 ? EXPIRED : PHASES.find((days) => daysLeft <= days);
