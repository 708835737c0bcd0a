import type { Cursor, Fingerprint, PeerId, Wwwroot } from "../core/ids.ts";
import type { Page } from "../core/listing.ts";
import type { ApplicationName, HeldKey, PeerState } from "../core/peer-snapshot.ts";
import type { Dialect } from "../xmlrpc/dialect.ts";
import type { PeerProfile } from "./peer-profile.ts";
import type { PeerSettings } from "./peer-settings.ts";
import type { ServiceFlags } from "./service-flags.ts";

/** A peer, as a store keeps it. */
export interface PeerRecord {
  /** Given by the store, from 1 upwards, never reused. */
  readonly id: PeerId;
  /** Goes up with every change. */
  readonly version: number;
  /** Unique, compared byte by byte. */
  readonly wwwroot: Wwwroot;
  /** Form in which confusable wwwroots are equal; unique as well (SEC-085). */
  readonly canonical: string;
  /** Title of the site. */
  readonly name: string;
  /** Its software. */
  readonly application: ApplicationName;
  /** Where it is in its life. */
  readonly state: PeerState;
  /** The pinned certificate, canonical PEM. */
  readonly certificate: string;
  /** Certificates that were pinned before and must not come back (SEC-040). */
  readonly retired: readonly Fingerprint[];
  /** A certificate that waits for approval; `since` in Unix milliseconds. */
  readonly held?: { readonly certificate: string; readonly reason: HeldKey["reason"]; readonly since: number };
  /** What was set for this peer; everything else has its default. */
  readonly settings: PeerSettings;
  /** Our boxes for this peer. */
  readonly services: ServiceFlags;
  /** How its software writes text, as its last verified message showed (spec 5.2). */
  readonly dialect?: Dialect;
  /** What is known of the profiles that it has. */
  readonly profile?: PeerProfile;
  /** Unix milliseconds. */
  readonly lastContactAt?: number;
}

/** Which peers to list. Without a filter: all but the deleted. */
export interface PeerFilter {
  readonly state?: PeerState | undefined;
  /** `true`: only those with a held certificate. */
  readonly held?: boolean | undefined;
}

/** Keeps the peers. Every promise holds across processes. */
export interface PeerStore {
  /**
   * Adds a peer under a new id, with version 1.
   *
   * @returns the existing record, unchanged, if its wwwroot or canonical form is taken, in any state.
   */
  insert(peer: Omit<PeerRecord, "id" | "version">): Promise<{ readonly inserted: boolean; readonly peer: PeerRecord }>;
  /** In any state. A string is compared with the wwwroot byte by byte (MNET-002). */
  find(key: PeerId | Wwwroot): Promise<PeerRecord | undefined>;
  /**
   * Replaces the record and adds one to its version, only if `peer.version` is still the stored one.
   *
   * @returns the new record; `undefined`, and no change, if somebody else was faster.
   */
  update(peer: PeerRecord): Promise<PeerRecord | undefined>;
  /** In the order of their ids. */
  list(filter: PeerFilter, after: Cursor | undefined, limit: number): Promise<Page<PeerRecord>>;
  /** Our boxes for All Hosts (spec 1.5). Empty at first. */
  allHostsServices(): Promise<ServiceFlags>;
  /**
   * Changes the boxes for All Hosts that are named, in one step; the others stay. Of concurrent changes none is lost.
   * `"off"` takes a row away.
   */
  changeAllHostsServices(change: ServiceFlags): Promise<void>;
  /** Changes whenever a peer, the boxes for All Hosts or one of our own keys do, in any process: caches compare it. */
  generation(): Promise<number>;
}

const PAGE_SIZE = 200;

/** All peers that the filter leaves, in the order of their ids, page by page. */
export async function* everyPeer(store: PeerStore, filter: PeerFilter): AsyncGenerator<PeerRecord, void, undefined> {
  let after: Cursor | undefined;
  do {
    const page = await store.list(filter, after, PAGE_SIZE);
    yield* page.items;
    after = page.next;
  } while (after !== undefined);
}
