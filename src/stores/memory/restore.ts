import type { StoreRecord } from "../../host/store-record.ts";
import type { Store } from "../../host/store.ts";
import { notEmpty } from "../not-empty.ts";
import type { MemoryState } from "./memory-store.ts";

type Concerns = Pick<Store, "stats" | "access" | "sessions" | "remoteCourses">;

/** `Store.restore` in memory: nothing is written before everything has come. */
export async function restoreMemory(
  state: MemoryState,
  concerns: Concerns,
  records: AsyncIterable<StoreRecord>,
): Promise<void> {
  const all: StoreRecord[] = [];
  for await (const record of records) all.push(structuredClone(record));
  if (state.keys.size > 0 || state.peers.size > 0 || Object.keys(state.allHosts).length > 0) throw notEmpty();
  // Every verb has done its work when it returns its promise, so this is one step, too.
  const written = all.map(async (record) => write(state, concerns, record));
  state.generation += 1;
  await Promise.all(written);
}

function write(state: MemoryState, { stats, access, sessions, remoteCourses }: Concerns, record: StoreRecord) {
  switch (record.kind) {
    case "key":
      state.keys.set(record.key.fingerprint, record.key);
      return;
    case "all-hosts":
      state.allHosts = record.services;
      return;
    case "peer":
      state.peers.set(record.peer);
      state.newestPeer = Math.max(state.newestPeer, record.peer.id);
      return;
    case "stats":
      return stats.add(record.peer, record.counters);
    case "access":
      return access.set(record.peer, record.username, record.rule);
    case "session":
      return sessions.save(record.session);
    case "courses":
      return remoteCourses.replaceCourses(record.peer, record.courses, record.fetchedAt);
    case "enrolments":
      return record.fetchedAt === undefined
        ? Promise.all(record.rows.map((row) => remoteCourses.addEnrolment(record.peer, record.course, row)))
        : remoteCourses.replaceEnrolments(record.peer, record.course, record.rows, record.fetchedAt);
  }
}
