import type { SessionMatch, SessionRecord, SessionStore } from "../../service-stores/session-store.ts";
import { cursorAt, numberOf } from "../cursor.ts";
import { requireRestriction } from "../session-match.ts";
import { ExpiryHeap, type Expiring } from "./expiry-heap.ts";

/** How many sessions with peers a memory store keeps; those that expire first go first. */
export const MEMORY_SESSIONS = 100_000;

interface Entry extends Expiring {
  readonly key: string;
  readonly session: SessionRecord;
  readonly sequence: number;
}

/** Sessions in memory. Every method runs without a pause, so each is one step. */
export function memorySessionStore(): SessionStore {
  // Whoever replaces an entry of a map leaves it where it stands: the order is that of the sequence.
  const byKey = new Map<string, Entry>();
  const byExpiry = new ExpiryHeap<Entry>();
  let lastSequence = 0;

  function put(session: SessionRecord, key: string, replaced: Entry | undefined): void {
    if (replaced) byExpiry.remove(replaced);
    const sequence = replaced?.sequence ?? (lastSequence += 1);
    const entry: Entry = { key, session, sequence, until: session.expiresAt, place: 0 };
    byKey.set(key, entry);
    byExpiry.add(entry);
  }

  function forget(entry: Entry): void {
    byKey.delete(entry.key);
    byExpiry.remove(entry);
  }

  return {
    async save(given) {
      const session = copyOf(given);
      const key = JSON.stringify([session.role, session.peer, session.accountId, session.userAgentHash]);
      put(session, key, byKey.get(key));
      if (byKey.size > MEMORY_SESSIONS && byExpiry.first) forget(byExpiry.first);
    },
    async take(match) {
      requireRestriction(match);
      const taken = [...byKey.values()].filter(({ session }) => matches(session, match));
      for (const entry of taken) forget(entry);
      return taken.map(({ session }) => session);
    },
    async find(match, after, limit) {
      const from = after === undefined ? 0 : numberOf(after);
      const found = [...byKey.values()].filter(({ session, sequence }) => sequence > from && matches(session, match));
      const page = found.slice(0, limit);
      const items = page.map(({ session }) => copyOf(session));
      const last = page.at(-1);
      return found.length > limit && last ? { items, next: cursorAt(last.sequence) } : { items };
    },
    async extend({ role, peer, usernames }, expiresAt, now) {
      const wanted = new Set(usernames);
      const extended = [...byKey.values()].filter(
        ({ session, until }) =>
          session.role === role && session.peer === peer && until > now && wanted.has(session.username),
      );
      for (const entry of extended) {
        if (entry.until < expiresAt) put({ ...entry.session, expiresAt }, entry.key, entry);
      }
      return extended.map(({ session: { username, sessionId } }) => ({ username, sessionId }));
    },
    async prune(expiredBefore, limit) {
      let pruned = 0;
      for (let first = byExpiry.first; pruned < limit && first && first.until < expiredBefore; first = byExpiry.first) {
        forget(first);
        pruned += 1;
      }
      return pruned;
    },
  };
}

const matches = (session: SessionRecord, match: SessionMatch): boolean =>
  (match.role === undefined || match.role === session.role) &&
  (match.peer === undefined || match.peer === session.peer) &&
  (match.accountId === undefined || match.accountId === session.accountId) &&
  (match.username === undefined || match.username === session.username) &&
  (match.userAgentHash === undefined || match.userAgentHash === session.userAgentHash) &&
  (match.sessionId === undefined || match.sessionId === session.sessionId);

function copyOf(session: SessionRecord): SessionRecord {
  const { role, peer, accountId, username, userAgentHash, sessionId, startedAt, expiresAt } = session;
  return { role, peer, accountId, username, userAgentHash, sessionId, startedAt, expiresAt };
}
