/**
 * Where a host keeps what is MNet's, and the interfaces for those who write a store of their own.
 *
 * @module
 */
export type { LogEntry, LogFilter, LogStore } from "./host/log-store.ts";
export type { StoreRecord } from "./host/store-record.ts";
export type { Store } from "./host/store.ts";
export type { KeyStore, StoredKey } from "./keys/key-store.ts";
export type { PeerFilter, PeerRecord, PeerStore } from "./peer/peer-store.ts";
export type { ReplayStore } from "./peer/replay-store.ts";
export type { PeerCounters, StatsStore } from "./peer/stats-store.ts";
export { memoryStore } from "./stores/memory/memory-store.ts";
export { openStore, type StoreOptions } from "./stores/open-store.ts";
