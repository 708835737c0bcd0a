import { ConfigError, KeyError, PeerError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { PeerId, Wwwroot } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import { listing, type Listing } from "../core/listing.ts";
import type { ApplicationName, Peer, PeerRef } from "../core/peer-snapshot.ts";
import { Certificate } from "../crypto/certificate.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { checkAddOptions, checkServiceFlags } from "./check-options.ts";
import { fetchTitle, introduceOurselves } from "./handshake.ts";
import type { HttpClient, Route } from "./http-exchange.ts";
import type { PeerDirectory } from "./peer-directory.ts";
import type { PeerSettings } from "./peer-settings.ts";
import type { PeerFilter, PeerRecord, PeerStore } from "./peer-store.ts";
import { publishes, subscribes, type ServiceFlags } from "./service-flags.ts";
import { canonicalWwwroot, parseWwwroot } from "./wwwroot.ts";

/** How a peer is added. */
export interface AddPeerOptions {
  /** Default: found out. */
  readonly application?: ApplicationName | undefined;
  /** PEM that the other administrator gave you: no key swap. */
  readonly certificate?: string | undefined;
  /** Hex SHA-256 that the certificate must have; any other is refused. */
  readonly fingerprint?: string | undefined;
  /** What is set for the peer from the start. */
  readonly settings?: PeerSettings | undefined;
  /** Ends the wait; the promise rejects with `signal.reason`, unchanged. */
  readonly signal?: AbortSignal | undefined;
}

/** The other sites of the network, as an administrator deals with them. */
export interface Peers {
  /**
   * Adds an active peer: swaps keys with it, checks that its certificate is its own, takes its title as name.
   * A peer that was removed is revived under its old id.
   *
   * Throws `MNET_PEER_EXISTS` for a site that is known, also under a confusable spelling; `TransportError` if it does
   * not answer; `KeyError` for a certificate that is unusable or not its own; `MNET_CONFIG_INVALID` with the path of a
   * wrong option.
   */
  add(url: string, options?: AddPeerOptions): Promise<Peer>;
  /** By exact wwwroot or id, in any state but deleted. Throws `MNET_PEER_UNKNOWN`. */
  get(key: string | number): Promise<Peer>;
  /** The same; `undefined` if there is none. */
  find(key: string | number): Promise<Peer | undefined>;
  /** Without a filter: all but the deleted. */
  list(filter?: PeerFilter): Listing<Peer>;
  /** Forgets the peer's rights: it is answered as unknown from now on (MNET-007). Its id stays its own. */
  remove(peer: PeerRef): Promise<void>;
  /**
   * Changes our boxes for the services named; the others stay. With `"all-hosts"`: for every known peer (spec 1.5).
   *
   * Throws `MNET_CONFIG_INVALID` for a service to publish that this host does not serve, or one to subscribe that it
   * does not know.
   */
  setServices(peer: PeerRef | "all-hosts", change: ServiceFlags): Promise<void>;
}

/** What this host can do with services. */
export interface ServiceCatalogue {
  serves(service: string): boolean;
  knows(service: string): boolean;
}

/** What `createPeers` needs of the host. */
export interface PeersOptions {
  readonly self: Wwwroot;
  readonly store: PeerStore;
  readonly directory: PeerDirectory;
  readonly keys: KeyRing;
  readonly http: HttpClient;
  readonly catalogue: ServiceCatalogue;
  readonly limits: Limits;
  readonly timeoutMs: number;
  readonly emit: Emit;
}

/** `Peers` over a store. */
export function createPeers(options: PeersOptions): Peers {
  const { self, store, directory, keys, http, catalogue, limits, emit } = options;
  let allHostsChange = Promise.resolve();

  return {
    async add(url, addOptions = {}) {
      checkAddOptions(addOptions);
      const wwwroot = parseWwwroot(url, "url");
      const canonical = canonicalWwwroot(wwwroot);
      if (canonical === canonicalWwwroot(self)) throw invalid("url", `${wwwroot} is this host itself.`);
      const known = await directory.find(wwwroot);
      if (known) throw peerExists(wwwroot, directory.snapshot(known));

      const route = routeTo(wwwroot, options.timeoutMs, addOptions.settings);
      const { application, certificate } = await introduction(route, addOptions);
      checkFingerprint(certificate, addOptions.fingerprint);
      const peer: Omit<PeerRecord, "id" | "version"> = {
        wwwroot,
        canonical,
        name: (await fetchTitle(http, route, addOptions.signal)) ?? new URL(wwwroot).host,
        application,
        state: "active",
        certificate: certificate.pem,
        retired: [],
        settings: addOptions.settings ?? {},
        services: {},
      };
      const record = await insertOrRevive(peer);
      emit({ type: "peer.added", level: "info", peer: { id: record.id, wwwroot }, wwwroot, by: "operator" });
      return directory.snapshot(record);
    },

    async get(key) {
      return directory.snapshot(await directory.get(keyOf(key)));
    },

    async find(key) {
      const record = await directory.find(keyOf(key));
      return record && directory.snapshot(record);
    },

    list(filter = {}) {
      return listing(async (after, limit) => {
        const { items, next } = await store.list(filter, after, limit);
        return { items: items.map((record) => directory.snapshot(record)), ...(next !== undefined && { next }) };
      });
    },

    async remove(peer) {
      const removed = await change(peer, (record) => ({ ...withoutHeld(record), state: "deleted", services: {} }));
      tell(removed, ["state", "services"]);
    },

    async setServices(peer, flags) {
      checkServiceFlags(flags);
      for (const [service, flag] of Object.entries(flags)) {
        if (publishes(flag) && !catalogue.serves(service)) {
          throw invalid(`services.${service}`, `This host does not serve ${service}, so it cannot publish it.`);
        }
        if (subscribes(flag) && !catalogue.knows(service)) {
          throw invalid(
            `services.${service}`,
            `This host has no description of ${service}, so it cannot subscribe to it.`,
          );
        }
      }
      if (peer === "all-hosts") {
        await changeAllHosts(flags);
        emit({ type: "peer.changed", level: "info", state: "active", changed: ["services"] });
        return;
      }
      tell(await change(peer, (record) => ({ ...record, services: merge(record.services, flags) })), ["services"]);
    },
  };

  async function introduction(
    route: Route,
    { application, certificate, signal }: AddPeerOptions,
  ): Promise<{ readonly application: ApplicationName; readonly certificate: Certificate }> {
    if (certificate !== undefined) {
      return {
        application: application ?? "moodle",
        certificate: Certificate.parse(certificate, { wwwroot: route.wwwroot }),
      };
    }
    const { current } = await keys.active();
    const ourselves = { wwwroot: self, certificate: current.certificate.pem };
    return introduceOurselves(http, route, ourselves, { application, limits, signal });
  }

  async function insertOrRevive(peer: Omit<PeerRecord, "id" | "version">): Promise<PeerRecord> {
    const { inserted, peer: record } = await store.insert(peer);
    if (inserted) return record;
    const isRemoved = record.state === "deleted" && record.wwwroot === peer.wwwroot;
    const { id, version, retired } = record;
    const revived = isRemoved ? await store.update({ ...peer, id, version, retired }) : undefined;
    if (revived) return revived;
    // Somebody else may have revived it meanwhile.
    throw peerExists(peer.wwwroot, directory.snapshot((await directory.find(id)) ?? record));
  }

  /** Somebody else may change the peer at the same moment: then once more, on what it is by then. */
  async function change({ id }: PeerRef, edit: (record: PeerRecord) => PeerRecord): Promise<PeerRecord> {
    for (;;) {
      const updated = await store.update(edit(await directory.get(id)));
      if (updated) return updated;
    }
  }

  /** One after the other: the store replaces what is there, so of two at once one would be lost. */
  function changeAllHosts(flags: ServiceFlags): Promise<void> {
    const change = allHostsChange.then(async () => {
      await store.setAllHostsServices(merge(await store.allHostsServices(), flags));
    });
    allHostsChange = change.catch(() => undefined);
    return change;
  }

  function tell({ id, wwwroot, state }: PeerRecord, changed: readonly string[]): void {
    emit({ type: "peer.changed", level: "info", peer: { id, wwwroot }, state, changed });
  }
}

/** Ids are numbers, wwwroots are text; one trailing slash is forgiven (MNET-001). */
const keyOf = (key: string | number): PeerId | Wwwroot =>
  typeof key === "number" ? (key as PeerId) : (key.replace(/\/$/, "") as Wwwroot);

const routeTo = (wwwroot: Wwwroot, timeoutMs: number, settings: PeerSettings = {}): Route => ({
  wwwroot,
  tls: "verify",
  allowAddresses: settings.allowAddresses ?? [],
  timeoutMs: settings.timeoutMs ?? timeoutMs,
});

/** A key that waited for approval waits no longer. */
function withoutHeld({ held: _held, ...record }: PeerRecord): PeerRecord {
  return record;
}

/** A row without a box is no row (spec 1.4). */
const merge = (services: ServiceFlags, flags: ServiceFlags): ServiceFlags =>
  Object.fromEntries(
    Object.entries({ ...services, ...flags }).filter(([, flag]) => flag !== undefined && flag !== "off"),
  );

function checkFingerprint(certificate: Certificate, wanted: string | undefined): void {
  if (wanted === undefined) return;
  // As people read them out, with colons or spaces and in either case.
  if (wanted.replace(/[^0-9a-f]/gi, "").toLowerCase() === certificate.fingerprint) return;
  throw new KeyError(
    "MNET_KEY_FINGERPRINT_MISMATCH",
    `The site shows a certificate with the fingerprint ${certificate.fingerprint}, not the one expected.`,
    { fingerprint: certificate.fingerprint },
  );
}

const peerExists = (wwwroot: Wwwroot, existing: Peer): PeerError => {
  const as = existing.wwwroot === wwwroot ? "" : ` as ${existing.wwwroot}`;
  return new PeerError("MNET_PEER_EXISTS", `${wwwroot} is a peer already${as}.`, { peer: existing.wwwroot, existing });
};

const invalid = (option: string, message: string): ConfigError =>
  new ConfigError("MNET_CONFIG_INVALID", message, { option });
