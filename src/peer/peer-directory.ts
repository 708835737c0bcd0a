import type { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import { PeerError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { PeerId, Wwwroot } from "../core/ids.ts";
import type { Peer, PeerRef } from "../core/peer-snapshot.ts";
import { RecentMap } from "../core/recent-map.ts";
import { Certificate } from "../crypto/certificate.ts";
import { peerKey } from "../keys/peer-key.ts";
import type { Dialect } from "../xmlrpc/dialect.ts";
import type { Route } from "./http-exchange.ts";
import { profileToCall } from "./peer-profile.ts";
import type { PeerSettings } from "./peer-settings.ts";
import type { PeerRecord, PeerStore } from "./peer-store.ts";
import { subscribes, unionOf, type ServiceFlag } from "./service-flags.ts";

/** Parsing a certificate costs as much as verifying with it ten times; one takes some 3 KB, if its peer calls or is called. */
const CACHED_CERTIFICATES = 200_000;
/** "Last contact" is for people; writing it with every call would cost more than the call's RSA. */
const CONTACT_INTERVAL_MS = 60_000;
/** Smaller ones are a weakness (SEC-047). */
const GOOD_KEY_BITS = 2048;

/** What the host knows of its peers, for everything that deals with one of them. */
export class PeerDirectory {
  readonly #store: PeerStore;
  readonly #clock: Clock;
  readonly #background: Background;
  readonly #timeoutMs: number;
  readonly #servesPending: boolean;
  readonly #emit: Emit;
  readonly #certificates = new RecentMap<string, Certificate>(CACHED_CERTIFICATES);
  readonly #notedAt = new RecentMap<PeerId, number>(CACHED_CERTIFICATES);

  constructor(options: {
    /** Its records have the settings in effect; see `withEffectiveSettings`. */
    readonly store: PeerStore;
    readonly clock: Clock;
    readonly background: Background;
    /** For peers that have none of their own. */
    readonly timeoutMs: number;
    /** Whether peers that registered themselves are answered before they are active (hub mode). */
    readonly servesPending: boolean;
    readonly emit: Emit;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#background = options.background;
    this.#timeoutMs = options.timeoutMs;
    this.#servesPending = options.servesPending;
    this.#emit = options.emit;
  }

  /** The peer as it is now, in any state but deleted. */
  async find(key: PeerId | Wwwroot): Promise<PeerRecord | undefined> {
    const record = await this.#store.find(key);
    return record?.state === "deleted" ? undefined : record;
  }

  /** The same, or `MNET_PEER_UNKNOWN`. */
  async get(key: PeerId | Wwwroot): Promise<PeerRecord> {
    const record = await this.find(key);
    if (!record) throw new PeerError("MNET_PEER_UNKNOWN", `No peer is known as ${JSON.stringify(key)}.`);
    return record;
  }

  /** A peer that may be called. Throws `MNET_PEER_UNKNOWN` or `MNET_PEER_NOT_ACTIVE`. */
  async getActive({ id }: PeerRef): Promise<PeerRecord> {
    const record = await this.get(id);
    if (record.state !== "active") {
      throw new PeerError("MNET_PEER_NOT_ACTIVE", `${record.wwwroot} is ${record.state}.`, { peer: record.wwwroot });
    }
    return record;
  }

  /** A peer that a message claims to be from: only active ones are answered; others are as good as unknown (MNET-007, SEC-054). */
  async findSender(sender: string): Promise<PeerRecord | undefined> {
    const record = await this.#store.find(sender as Wwwroot);
    return record?.state === "active" ? record : undefined;
  }

  /** The same for an encrypted message, and in hub mode also peers that are pending: their signature may prove them (SEC-044). */
  async findEncryptedSender(sender: string): Promise<PeerRecord | undefined> {
    const record = await this.#store.find(sender as Wwwroot);
    return record?.state === "active" || (record?.state === "pending" && this.#servesPending) ? record : undefined;
  }

  /**
   * Our boxes for this peer by service, those of All Hosts included (spec 1.5, MNET-089). A peer that is not active has
   * none: while it is pending, only the system methods are served (SEC-044).
   */
  async flagsFor(peer: PeerRecord): Promise<(service: string) => ServiceFlag> {
    if (peer.state !== "active") return () => "off";
    const ofAllHosts = await this.#store.allHostsServices();
    return (service) => unionOf(peer.services[service], ofAllHosts[service]);
  }

  /** The same for one service. */
  async flagFor(peer: PeerRecord, service: string): Promise<ServiceFlag> {
    return (await this.flagsFor(peer))(service);
  }

  /** Whether we may call the methods of a service on the peer. */
  async isSubscribedOn(peer: PeerRecord, service: string): Promise<boolean> {
    return subscribes(await this.flagFor(peer, service));
  }

  /** The pinned certificate, parsed. */
  certificateOf({ certificate: pem }: PeerRecord): Certificate {
    let certificate = this.#certificates.get(pem);
    if (!certificate) {
      // Its size was judged when it was pinned.
      certificate = Certificate.parse(pem, { minimumBits: 1024 });
      this.#certificates.set(pem, certificate);
    }
    return certificate;
  }

  /** How to reach the peer. Each route is for one exchange: a weak one is told of. */
  routeTo(peer: PeerRecord, emit?: Emit): Route {
    const { wwwroot, tls, allowAddresses, timeoutMs, emit: tell } = this.routeFor(peer, peer.settings, emit);
    return { wwwroot, peer: peer.id, tls, allowAddresses, timeoutMs, emit: tell };
  }

  /** How to reach a site with these settings, whether it is a peer or not. No circuit breaker watches that. */
  routeFor(
    site: { readonly wwwroot: Wwwroot; readonly id?: PeerId },
    settings: PeerSettings,
    emit: Emit = this.#emit,
  ): Route {
    const tls = settings.legacy?.tls ?? "verify";
    if (tls !== "verify" && site.wwwroot.startsWith("https:")) noteLegacy(site, "tls", emit);
    return {
      wwwroot: site.wwwroot,
      tls,
      allowAddresses: settings.allowAddresses ?? [],
      timeoutMs: settings.timeoutMs ?? this.#timeoutMs,
      emit,
    };
  }

  /** A message was sealed to this certificate, or verified with it, or it is pinned: tells of it if its key is small. */
  noteKeyUse(
    peer: { readonly wwwroot: Wwwroot; readonly id?: PeerId },
    { modulusBits }: Certificate,
    emit: Emit = this.#emit,
  ): void {
    if (modulusBits < GOOD_KEY_BITS) noteLegacy(peer, "smallKeys", emit);
  }

  /**
   * A message of the peer was verified: remembers when, and how its software writes text (spec 5.2).
   * In the background, and not each time.
   */
  noteContact(peer: PeerRecord, dialect: Dialect | undefined): void {
    const now = this.#clock.now();
    const notedAt = this.#notedAt.get(peer.id) ?? peer.lastContactAt ?? 0;
    if (now - notedAt < CONTACT_INTERVAL_MS && (dialect === undefined || dialect === peer.dialect)) return;
    this.#notedAt.set(peer.id, now);
    // If somebody else changes the peer at this moment, the next message will do.
    this.#background.run(() => this.#store.update({ ...peer, lastContactAt: now, ...(dialect && { dialect }) }));
  }

  /** The record as applications see it. */
  snapshot(record: PeerRecord): Peer {
    return {
      id: record.id,
      wwwroot: record.wwwroot,
      name: record.name,
      application: record.application,
      state: record.state,
      key: peerKey(this.certificateOf(record)),
      profile: profileToCall(record),
      ...(record.held && {
        heldKey: {
          ...peerKey(Certificate.parse(record.held.certificate, { minimumBits: 1024 })),
          reason: record.held.reason,
          since: new Date(record.held.since),
        },
      }),
      ...(record.lastContactAt !== undefined && { lastContactAt: new Date(record.lastContactAt) }),
    };
  }
}

function noteLegacy(
  { id, wwwroot }: { readonly wwwroot: Wwwroot; readonly id?: PeerId },
  setting: string,
  emit: Emit,
): void {
  emit({
    type: "legacy.used",
    level: "warn",
    setting,
    ...(id === undefined ? { wwwroot } : { peer: { id, wwwroot } }),
  });
}
