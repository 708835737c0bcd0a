import type { Cursor } from "../../core/ids.ts";
import type { Page } from "../../core/listing.ts";
import type { PeerState } from "../../core/peer-snapshot.ts";
import type { StoreRecord } from "../../host/store-record.ts";
import type { Store } from "../../host/store.ts";
import type { PeerRecord } from "../../peer/peer-store.ts";

const PAGE_SIZE = 200;
/** Together: every peer there is. */
const STATES: readonly PeerState[] = ["active", "pending", "suspended", "deleted"];

/**
 * Everything in a store that a site must not lose. What is changed meanwhile is there in one of its states; no record is
 * ever half one and half another.
 */
export async function* siteRecords(store: Store): AsyncGenerator<StoreRecord, void, undefined> {
  for (const key of await store.keys.list()) {
    // Nobody has seen it yet, and whoever made it goes on with it where it is.
    if (key.state !== "prepared") yield { kind: "key", key };
  }
  const services = await store.peers.allHostsServices();
  if (Object.keys(services).length > 0) yield { kind: "all-hosts", services };
  // First what refers to peers: a peer that is added meanwhile is in, rather than only what refers to it.
  for await (const session of everyItem((after) => store.sessions.find({}, after, PAGE_SIZE))) {
    yield { kind: "session", session };
  }
  // Who changes the state while we read may be met twice.
  const seen = new Set<PeerRecord["id"]>();
  for (const state of STATES) {
    for await (const peer of everyItem((after) => store.peers.list({ state }, after, PAGE_SIZE))) {
      if (seen.has(peer.id)) continue;
      seen.add(peer.id);
      yield { kind: "peer", peer };
      yield* recordsOf(store, peer);
    }
  }
}

async function* recordsOf(store: Store, { id: peer }: PeerRecord): AsyncGenerator<StoreRecord, void, undefined> {
  const counters = await store.stats.get(peer);
  if (counters.callsIn + counters.callsOut > 0) yield { kind: "stats", peer, counters };
  for await (const rule of everyItem((after) => store.access.list(peer, after, PAGE_SIZE))) {
    yield { kind: "access", peer, ...rule };
  }
  const { fetchedAt, courses } = await store.remoteCourses.courses(peer);
  if (fetchedAt === undefined) return;
  yield { kind: "courses", peer, fetchedAt, courses };
  for (const { id: course } of courses) {
    const enrolments = await store.remoteCourses.enrolments(peer, course);
    if (enrolments.fetchedAt === undefined && enrolments.rows.length === 0) continue;
    yield { kind: "enrolments", peer, course, ...enrolments };
  }
}

async function* everyItem<T>(
  read: (after: Cursor | undefined) => Promise<Page<T>>,
): AsyncGenerator<T, void, undefined> {
  let after: Cursor | undefined;
  do {
    const page = await read(after);
    yield* page.items;
    after = page.next;
  } while (after !== undefined);
}
