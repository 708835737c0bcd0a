import type { Fingerprint } from "../../core/ids.ts";
import type { Store } from "../../host/store.ts";
import type { StoredKey } from "../../keys/key-store.ts";
import type { ServiceFlags } from "../../peer/service-flags.ts";
import { memoryAccessStore } from "./access-store.ts";
import { memoryKeyStore } from "./key-store.ts";
import { memoryLogStore } from "./log-store.ts";
import { memoryOutboxStore } from "./outbox-store.ts";
import { memoryPeerStore } from "./peer-store.ts";
import { PeerTable } from "./peer-table.ts";
import { memoryRemoteCourseStore } from "./remote-course-store.ts";
import { memoryReplayStore } from "./replay-store.ts";
import { restoreMemory } from "./restore.ts";
import { memoryRunStore } from "./run-store.ts";
import { memorySessionStore } from "./session-store.ts";
import { memoryStatsStore } from "./stats-store.ts";
import { memoryTokenStore } from "./token-store.ts";

/** What the concerns of one memory store share. */
export interface MemoryState {
  /** Goes up with every change of peers, of the boxes for All Hosts and of own keys. */
  generation: number;
  readonly keys: Map<Fingerprint, StoredKey>;
  readonly peers: PeerTable;
  /** The highest id that was given. */
  newestPeer: number;
  allHosts: ServiceFlags;
}

/**
 * For one process and for tests: bounded, gone at exit. Same as `openStore("memory:")`.
 *
 * The log keeps its newest 10,000 entries; of the messages that were taken, as many of each peer as the host asks for.
 * Of tokens and of sessions with peers 100,000 each are kept, and those that expire first go first; of jobs that wait for
 * peers 100,000, and those that have been due for longest go first; of journals of bulk work the newest 1,000. Two hosts may share one store, as two processes
 * share a database; `close` therefore forgets nothing.
 *
 * @example
 * const host = await createHost({ wwwroot: "https://a.test", name: "A", store: memoryStore() });
 */
export function memoryStore(): Store {
  const state: MemoryState = { generation: 1, keys: new Map(), peers: new PeerTable(), newestPeer: 0, allHosts: {} };
  const concerns = {
    keys: memoryKeyStore(state),
    peers: memoryPeerStore(state),
    replay: memoryReplayStore(),
    stats: memoryStatsStore(),
    log: memoryLogStore(),
    tokens: memoryTokenStore(),
    sessions: memorySessionStore(),
    access: memoryAccessStore(),
    outbox: memoryOutboxStore(),
    remoteCourses: memoryRemoteCourseStore(),
    runs: memoryRunStore(),
  };
  return {
    ...concerns,
    restore: (records) => restoreMemory(state, concerns, records),
    open: async () => undefined,
    migrate: async () => ({ applied: [] }),
    pendingMigrations: async () => [],
    close: async () => undefined,
  };
}
