import type { Clock } from "../core/clock.ts";
import { ConfigError, KeyError, MnetError, PeerError, StoreError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Fingerprint, PeerId, Wwwroot } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import { listing, type Listing } from "../core/listing.ts";
import type { ApplicationName, HeldKey, Peer, PeerRef, PeerState } from "../core/peer-snapshot.ts";
import { Certificate } from "../crypto/certificate.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { peerKey } from "../keys/peer-key.ts";
import {
  checkAddOptions,
  checkPeerFilter,
  checkPreview,
  checkServiceFlags,
  checkSettingsChange,
} from "./check-options.ts";
import type { ProfileNegotiation } from "./profile-negotiation.ts";
import { ownSettingsOf } from "./effective-settings.ts";
import { fetchTitle, introduceOurselves, type SiteIntroduction } from "./handshake.ts";
import type { HttpClient, Route } from "./http-exchange.ts";
import type { KeyAdoption } from "./key-adoption.ts";
import type { PeerClient } from "./peer-client.ts";
import type { PeerDirectory } from "./peer-directory.ts";
import { judgePreview, type PeerPreview } from "./peer-preview.ts";
import {
  changeSettings,
  completeSettings,
  mergeSettings,
  minimumKeyBits,
  type EffectiveSettings,
  type PeerSettings,
  type PeerSettingsChange,
} from "./peer-settings.ts";
import type { PeerFilter, PeerRecord, PeerStore } from "./peer-store.ts";
import {
  publishes,
  serviceFlag,
  subscribes,
  unionOf,
  withChange,
  type ServiceFlag,
  type ServiceFlags,
} from "./service-flags.ts";
import { readServices, serviceRows, type PeerServices, type ServiceRow } from "./service-matrix.ts";
import { cleanName } from "./site-title.ts";
import { canonicalWwwroot, levelOfJoining, parseWwwroot } from "./wwwroot.ts";

/** How a peer is added, or looked at before. */
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

/** Options of what may wait for a peer. */
export interface AskPeerOptions {
  /** Ends the wait; the promise rejects with `signal.reason`, unchanged. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The other sites of the network, as an administrator deals with them.
 *
 * A peer's life: `pending` (it registered itself, hub mode) → `active` ⇄ `suspended` → `deleted`, and `active` again if an
 * operator adds it once more. Only active peers can be called, and are answered; suspended and deleted ones are as good as
 * unknown (SEC-054), and pending ones are served the system methods only. No key swap ever changes a peer that is there,
 * whatever its state (SEC-045).
 *
 * Everything that changes a peer is one event, and throws `MNET_PEER_UNKNOWN` for one that is unknown or deleted. Changes
 * by several callers at once all happen, one after the other.
 */
export interface Peers {
  /**
   * Looks at a site and stores nothing: swaps keys, checks that the certificate is its own, reads its title.
   *
   * Throws as `add` does, but for a site that is known: that is a warning here, and `existing` is the peer.
   *
   * @example
   * const seen = await host.peers.preview("https://moodle.example.edu");
   * console.log(seen.name, seen.key.fingerprint, ...seen.warnings);
   * await host.peers.add(seen); // after their administrator has read out the same fingerprint
   */
  preview(url: string, options?: AddPeerOptions): Promise<PeerPreview>;
  /**
   * Adds an active peer: swaps keys with it, checks that its certificate is its own, takes its title as name. With a
   * preview, exactly the certificate that it showed is pinned, and the site is not asked again. A peer that was removed
   * is revived under its old id.
   *
   * Throws `MNET_PEER_EXISTS` for a site that is known, also under a confusable spelling; `TransportError` if it does
   * not answer; `KeyError` for a certificate that is unusable or not its own; `MNET_CONFIG_INVALID` with the path of a
   * wrong option.
   */
  add(site: string | PeerPreview, options?: AddPeerOptions): Promise<Peer>;
  /** By exact wwwroot or id, in any state but deleted. Throws `MNET_PEER_UNKNOWN`. */
  get(key: string | number): Promise<Peer>;
  /** The same; `undefined` if there is none. */
  find(key: string | number): Promise<Peer | undefined>;
  /** Without a filter: all but the deleted. Throws `MNET_CONFIG_INVALID` for a filter that is none. */
  list(filter?: PeerFilter): Listing<Peer>;
  /**
   * Pins the held certificate that has this fingerprint, or makes a pending peer active whose certificate has it. A peer
   * that is suspended stays so. Nothing happens if the certificate is pinned already and no other waits.
   *
   * Throws `MNET_KEY_NOT_HELD` if no certificate waits, or another; `fingerprint` is that of the other.
   */
  approve(peer: PeerRef, fingerprint: string): Promise<Peer>;
  /**
   * Fetches the certificate again, or takes the one given, and holds it for `approve`, in place of any that waited.
   *
   * Throws `MNET_KEY_NOT_HELD` if it is the pinned one, so that nothing waits; otherwise as `add`.
   */
  rekey(peer: PeerRef, options?: AskPeerOptions & { readonly certificate?: string | undefined }): Promise<HeldKey>;
  /**
   * Makes one signed round trip, asks for the secure profile unless that is settled, and for the site's title, which
   * becomes the peer's name. Throws what `host.call`
   * throws, also `MNET_PEER_NOT_ACTIVE`.
   */
  refresh(peer: PeerRef, options?: AskPeerOptions): Promise<Peer>;
  /** No calls in either direction until `resume`. Throws `MNET_PEER_NOT_ACTIVE` for a pending peer. */
  suspend(peer: PeerRef): Promise<Peer>;
  /** Ends a suspension. Throws `MNET_PEER_NOT_ACTIVE` for a pending peer: that is `approve`'s to decide. */
  resume(peer: PeerRef): Promise<Peer>;
  /** Forgets the peer's rights: it is answered as unknown from now on (MNET-007). Its id stays its own. */
  remove(peer: PeerRef): Promise<void>;
  /** In effect: built-in, then the host's `peerDefaults`, then the peer's own. */
  settings(peer: PeerRef): Promise<EffectiveSettings>;
  /**
   * Changes what is named; `null` returns it to its default, for single members of `legacy`, too. Naming `profile`, also
   * with the value that it has, forgets which profile the peer has proved.
   *
   * Throws `MNET_CONFIG_INVALID` with the path of a wrong setting.
   */
  set(peer: PeerRef, change: PeerSettingsChange): Promise<Peer>;
  /**
   * Changes our boxes for the services named; the others stay. With `"all-hosts"`: for every known peer (spec 1.5).
   *
   * Throws `MNET_CONFIG_INVALID` for a service to publish that this host does not serve, or one to subscribe that it
   * does not know.
   */
  setServices(peer: PeerRef | "all-hosts", change: ServiceFlags): Promise<void>;
  /**
   * Our boxes and the peer's beside each other, and which are missing where. The peer's side is absent where it cannot be
   * asked: it does not answer, is not active, or the row is that of all hosts.
   */
  services(peer: PeerRef | "all-hosts", options?: AskPeerOptions): Promise<readonly ServiceRow[]>;
}

/** What this host can do with services. */
export interface ServiceCatalogue {
  serves(service: string): boolean;
  knows(service: string): boolean;
  serviceNames(): readonly string[];
}

/** What `createPeers` needs of the host. */
export interface PeersOptions {
  readonly self: Wwwroot;
  /** Its records have the settings in effect; see `withEffectiveSettings`. */
  readonly store: PeerStore;
  readonly directory: PeerDirectory;
  readonly keys: KeyRing;
  readonly http: HttpClient;
  readonly client: PeerClient;
  readonly adoption: KeyAdoption;
  readonly negotiation: ProfileNegotiation;
  readonly catalogue: ServiceCatalogue;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The host's `peerDefaults`. */
  readonly defaults: PeerSettings;
  /** `false`: nobody is called. */
  readonly enabled: boolean;
  /** Whether strangers become peers by themselves (hub mode). */
  readonly registersStrangers: boolean;
  readonly emit: Emit;
}

/** Services that concern our users and their courses. */
const NOT_FOR_STRANGERS = ["sso_idp", "mnet_enrol"] as const;

/** `Peers` over a store. */
export function createPeers(options: PeersOptions): Peers {
  const { self, store, directory, keys, http, client, adoption, catalogue, limits, clock, defaults, emit } = options;
  const { negotiation } = options;

  return {
    async preview(url, addOptions = {}) {
      checkAddOptions(addOptions);
      const { wwwroot, settings, application, certificate, name } = await look(url, addOptions);
      const { current } = await keys.active();
      const { existing, warnings } = await judgePreview(
        { wwwroot, certificate, settings, isPasted: addOptions.certificate !== undefined },
        { wwwroot: self, certificate: current.certificate },
        store,
        clock.now(),
      );
      return {
        wwwroot,
        name,
        application,
        key: peerKey(certificate),
        ...(existing && { existing: directory.snapshot(existing) }),
        warnings,
      };
    },

    async add(site, addOptions = {}) {
      checkAddOptions(addOptions);
      if (typeof site !== "string") checkPreview(site);
      const wwwroot = parseSite(typeof site === "string" ? site : site.wwwroot);
      const known = await directory.find(wwwroot);
      if (known) throw peerExists(wwwroot, directory.snapshot(known));

      const seen = typeof site === "string" ? await look(site, addOptions) : readPreview(site, wwwroot, addOptions);
      const record = await insertOrRevive({
        wwwroot,
        canonical: canonicalWwwroot(wwwroot),
        name: seen.name,
        application: seen.application,
        state: "active",
        certificate: seen.certificate.pem,
        retired: [],
        settings: addOptions.settings ?? {},
        services: {},
      });
      directory.noteKeyUse(record, seen.certificate);
      emit({
        type: "peer.added",
        level: levelOfJoining(wwwroot),
        peer: { id: record.id, wwwroot },
        wwwroot,
        by: "operator",
      });
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
      checkPeerFilter(filter);
      return listing(async (after, limit) => {
        const { items, next } = await store.list(filter, after, limit);
        return { items: items.map((record) => directory.snapshot(record)), ...(next !== undefined && { next }) };
      });
    },

    async approve({ id }, fingerprint) {
      const wanted = digitsOf(fingerprint);
      for (;;) {
        const record = await directory.get(id);
        const held = record.held && readPinned(record.held.certificate);
        const pinned = directory.certificateOf(record);
        if (held?.fingerprint === wanted && held.fingerprint !== pinned.fingerprint) {
          // Only if this very certificate still waits; another may have come in its place meanwhile.
          const approved = await adoption.pin(record, held, "approved");
          if (approved.certificate === held.pem) return directory.snapshot(approved);
          continue;
        }
        if (pinned.fingerprint !== wanted || (held && held.fingerprint !== wanted)) throw notHeld(record, wanted, held);
        if (record.state !== "pending") return directory.snapshot(record);
        const approved = await store.update({ ...withoutHeld(record), state: "active" });
        if (!approved) continue;
        tell(approved, ["state"]);
        return directory.snapshot(approved);
      }
    },

    async rekey({ id }, { certificate: pem, signal } = {}) {
      signal?.throwIfAborted();
      const peer = await directory.get(id);
      const certificate = pem === undefined ? (await swapKeys(peer, signal)).certificate : adoption.parse(peer, pem);
      const latest = await directory.get(id);
      if (latest.certificate === certificate.pem) throw nothingNew(latest, certificate);
      const held = { certificate: certificate.pem, reason: "operator", since: clock.now() } as const;
      await change({ id }, (record) => ({ ...record, held }));
      const { wwwroot } = peer;
      const { fingerprint } = certificate;
      emit({ type: "peer.key-held", level: "info", peer: { id, wwwroot }, fingerprint, reason: held.reason });
      return { ...peerKey(certificate), reason: held.reason, since: new Date(held.since) };
    },

    async refresh(ref, { signal } = {}) {
      signal?.throwIfAborted();
      const peer = await directory.getActive(ref);
      await client.call(peer, "system/listServices", [], { signal });
      await negotiation.negotiate(peer, signal);
      const title = await fetchTitle(http, directory.routeFor(peer, peer.settings), signal);
      const { before, record } = await change(ref, (latest) =>
        title === undefined || title === latest.name ? latest : { ...latest, name: title },
      );
      tell(record, record === before ? [] : ["name"]);
      return directory.snapshot(record);
    },

    suspend: (peer) => move(peer, "suspended"),
    resume: (peer) => move(peer, "active"),

    async remove(peer) {
      const { record } = await change(peer, (latest) => ({ ...withoutHeld(latest), state: "deleted", services: {} }));
      tell(record, ["state", "services"]);
    },

    async settings({ id }) {
      return completeSettings((await directory.get(id)).settings, options.timeoutMs);
    },

    async set(peer, settingsChange) {
      checkSettingsChange(settingsChange);
      const { changed } = changeSettings({}, settingsChange);
      if (changed.length === 0) return directory.snapshot(await directory.get(peer.id));
      const { before, record } = await change(peer, (latest) => ({
        ...("profile" in settingsChange ? withoutProfile(latest) : latest),
        settings: changeSettings(ownSettingsOf(latest), settingsChange).settings,
      }));
      tell(record, before.profile?.proved && !record.profile ? [...changed, "profile"] : changed);
      return directory.snapshot(record);
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
        refuseToStrangers(flags);
        await store.changeAllHostsServices(flags);
        emit({ type: "peer.changed", level: "info", state: "active", changed: ["services"] });
        return;
      }
      const { record } = await change(peer, (latest) => ({ ...latest, services: withChange(latest.services, flags) }));
      tell(record, ["services"]);
    },

    async services(peer, { signal } = {}) {
      signal?.throwIfAborted();
      const allHosts = await store.allHostsServices();
      if (peer === "all-hosts") return serviceRows({ here: ourSide(allHosts) });
      const record = await directory.get(peer.id);
      return serviceRows({
        here: ourSide(allHosts, record.services),
        there: await theirSide(record, signal),
        peer: record.wwwroot,
        isOfferToAll: record.application === "mahara",
      });
    },
  };

  // ── Looking at a site ─────────────────────────────────────────────────────

  function parseSite(url: string): Wwwroot {
    const wwwroot = parseWwwroot(url, "url");
    if (canonicalWwwroot(wwwroot) !== canonicalWwwroot(self)) return wwwroot;
    throw invalid("url", `${wwwroot} is this host itself.`);
  }

  /** What the site shows of itself, checked against the options. */
  async function look(url: string, addOptions: AddPeerOptions): Promise<SeenSite> {
    const wwwroot = parseSite(url);
    const settings = mergeSettings(defaults, addOptions.settings ?? {});
    const { application, certificate } = await introduction(wwwroot, settings, addOptions);
    checkFingerprint(certificate, addOptions.fingerprint);
    const title = await fetchTitle(http, directory.routeFor({ wwwroot }, settings), addOptions.signal);
    return { wwwroot, settings, application, certificate, name: title ?? new URL(wwwroot).host };
  }

  async function introduction(
    wwwroot: Wwwroot,
    settings: PeerSettings,
    { application, certificate, signal }: AddPeerOptions,
  ): Promise<SiteIntroduction> {
    const minimumBits = minimumKeyBits(settings);
    if (certificate !== undefined) {
      signal?.throwIfAborted();
      return {
        application: application ?? "moodle",
        certificate: Certificate.parse(certificate, { wwwroot, minimumBits }),
      };
    }
    return introduce(directory.routeFor({ wwwroot }, settings), { application, minimumBits, signal });
  }

  /** The certificate that a peer shows now. Somebody waits for it, so no circuit breaker stands before it. */
  function swapKeys(peer: PeerRecord, signal: AbortSignal | undefined): Promise<SiteIntroduction> {
    const { application, settings } = peer;
    const route = directory.routeFor(peer, settings);
    return introduce(route, { application, minimumBits: minimumKeyBits(settings), signal }, peer);
  }

  async function introduce(
    route: Route,
    more: Pick<Parameters<typeof introduceOurselves>[3], "application" | "minimumBits" | "signal">,
    peer?: PeerRecord,
  ): Promise<SiteIntroduction> {
    const { current } = await keys.active(peer);
    return introduceOurselves(
      http,
      route,
      { wwwroot: self, certificate: current.certificate.pem },
      { ...more, limits },
    );
  }

  /** A preview may have been to a browser and back, so it is judged as anything that comes from outside. */
  function readPreview(preview: PeerPreview, wwwroot: Wwwroot, addOptions: AddPeerOptions): SeenSite {
    const settings = mergeSettings(defaults, addOptions.settings ?? {});
    const minimumBits = minimumKeyBits(settings);
    const certificate = Certificate.parse(preview.key.certificate, { wwwroot, minimumBits });
    checkFingerprint(certificate, preview.key.fingerprint);
    checkFingerprint(certificate, addOptions.fingerprint);
    const { certificate: pasted, application = preview.application } = addOptions;
    if (pasted !== undefined)
      checkFingerprint(Certificate.parse(pasted, { wwwroot, minimumBits }), certificate.fingerprint);
    return { wwwroot, settings, application, certificate, name: cleanName(preview.name) || new URL(wwwroot).host };
  }

  // ── Changing peers ────────────────────────────────────────────────────────

  async function insertOrRevive(peer: Omit<PeerRecord, "id" | "version">): Promise<PeerRecord> {
    const { inserted, peer: record } = await store.insert(peer);
    if (inserted) return record;
    const { id, version, retired, state } = record;
    // Also if it was removed under another spelling of its address: a site that has changed that is still the same site.
    const revived = state === "deleted" ? await store.update({ ...peer, id, version, retired }) : undefined;
    if (revived) return revived;
    // Somebody else may have revived it meanwhile.
    throw peerExists(peer.wwwroot, directory.snapshot((await directory.find(id)) ?? record));
  }

  /** From active to suspended, or back. Nothing happens if it is there already. */
  async function move(peer: PeerRef, state: "active" | "suspended"): Promise<Peer> {
    const { before, record } = await change(peer, (latest) => {
      if (latest.state === "pending") throw notActive(latest);
      return latest.state === state ? latest : { ...latest, state };
    });
    if (record !== before) tell(record, ["state"]);
    return directory.snapshot(record);
  }

  /**
   * Somebody else may change the peer at the same moment: then once more, on what it is by then. An edit that returns the
   * record itself changes nothing.
   */
  async function change(
    { id }: PeerRef,
    edit: (latest: PeerRecord) => PeerRecord,
  ): Promise<{ readonly before: PeerRecord; readonly record: PeerRecord }> {
    for (;;) {
      const before = await directory.get(id);
      const edited = edit(before);
      const record = edited === before ? before : await store.update(edited);
      if (record) return { before, record };
    }
  }

  /** With hub mode, All Hosts is the whole internet (spec 12, H-24). */
  function refuseToStrangers(flags: ServiceFlags): void {
    if (!options.registersStrangers) return;
    const [service] = NOT_FOR_STRANGERS.filter((name) => publishes(flags[name]));
    if (service === undefined) return;
    throw invalid(
      `services.${service}`,
      `This host registers strangers, so ${service} cannot be published to all hosts; publish it to the peers that need it.`,
    );
  }

  function tell({ id, wwwroot, state }: PeerRecord, changed: readonly string[]): void {
    emit({ type: "peer.changed", level: "info", peer: { id, wwwroot }, state, changed });
  }

  // ── Services ──────────────────────────────────────────────────────────────

  /** Our boxes by service, of every service that we know or have a box for. */
  function ourSide(...rows: readonly ServiceFlags[]): PeerServices {
    const names = new Set([...catalogue.serviceNames(), ...rows.flatMap((row) => Object.keys(row))]);
    return new Map(
      [...names].map((name): [string, ServiceFlag] => {
        const flag = rows.reduce<ServiceFlag>((union, row) => unionOf(union, row[name]), "off");
        // What was published once may be served no longer.
        return [name, serviceFlag({ publish: publishes(flag) && catalogue.serves(name), subscribe: subscribes(flag) })];
      }),
    );
  }

  async function theirSide(peer: PeerRecord, signal: AbortSignal | undefined): Promise<PeerServices | undefined> {
    if (peer.state !== "active" || !options.enabled) return undefined;
    try {
      return readServices(await client.call(peer, "system/listServices", [], { signal }), peer.application);
    } catch (error) {
      // Why it could not be asked is in the event of the failed call.
      if (MnetError.is(error) && !(error instanceof StoreError) && !(error instanceof ConfigError)) return undefined;
      throw error;
    }
  }
}

interface SeenSite {
  readonly wwwroot: Wwwroot;
  /** In effect, the host's defaults included. */
  readonly settings: PeerSettings;
  readonly application: ApplicationName;
  readonly certificate: Certificate;
  readonly name: string;
}

/** Ids are numbers, wwwroots are text; one trailing slash is forgiven (MNET-001). */
const keyOf = (key: string | number): PeerId | Wwwroot =>
  typeof key === "number" ? (key as PeerId) : (key.replace(/\/$/, "") as Wwwroot);

/** A certificate that was judged when it was stored. */
const readPinned = (pem: string): Certificate => Certificate.parse(pem, { minimumBits: 1024 });

/** A key that waited for approval waits no longer. */
function withoutHeld({ held: _held, ...record }: PeerRecord): PeerRecord {
  return record;
}

/** What a peer has proved of its profiles is forgotten. */
function withoutProfile({ profile: _profile, ...record }: PeerRecord): PeerRecord {
  return record;
}

/** Of a fingerprint as people read it out: with colons or spaces and in either case. */
const digitsOf = (fingerprint: string): string => fingerprint.replace(/[^0-9a-f]/gi, "").toLowerCase();

function checkFingerprint(certificate: Certificate, wanted: string | undefined): void {
  if (wanted === undefined || digitsOf(wanted) === certificate.fingerprint) return;
  throw new KeyError(
    "MNET_KEY_FINGERPRINT_MISMATCH",
    `The site shows a certificate with the fingerprint ${certificate.fingerprint}, not the one expected.`,
    { fingerprint: certificate.fingerprint },
  );
}

function notHeld({ wwwroot: peer }: PeerRecord, wanted: string, held: Certificate | undefined): KeyError {
  const message = held
    ? `Of ${peer} another certificate waits for approval by now: ${held.fingerprint}.`
    : `No certificate of ${peer} with the fingerprint ${wanted.slice(0, 64)} waits for approval.`;
  const fingerprint: Fingerprint | undefined = held?.fingerprint;
  return new KeyError("MNET_KEY_NOT_HELD", message, { peer, fingerprint });
}

const nothingNew = ({ wwwroot: peer }: PeerRecord, { fingerprint }: Certificate): KeyError =>
  new KeyError("MNET_KEY_NOT_HELD", `${peer} has the certificate that is pinned; there is nothing to approve.`, {
    peer,
    fingerprint,
  });

const notActive = ({ wwwroot: peer, state }: { wwwroot: Wwwroot; state: PeerState }): PeerError =>
  new PeerError("MNET_PEER_NOT_ACTIVE", `${peer} is ${state}; approve its key first.`, { peer });

const peerExists = (wwwroot: Wwwroot, existing: Peer): PeerError => {
  const as = existing.wwwroot === wwwroot ? "" : ` as ${existing.wwwroot}`;
  const hint = existing.state === "active" ? "" : ` (${existing.state})`;
  return new PeerError("MNET_PEER_EXISTS", `${wwwroot} is a peer already${as}${hint}.`, {
    peer: existing.wwwroot,
    existing,
  });
};

const invalid = (option: string, message: string): ConfigError =>
  new ConfigError("MNET_CONFIG_INVALID", message, { option });
