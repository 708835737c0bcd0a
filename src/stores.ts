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
export type { AccessRule, AccessStore } from "./service-stores/access-store.ts";
export type { Job, OutboxStore } from "./service-stores/outbox-store.ts";
export type { CachedCourse, CachedEnrolment, RemoteCourseStore } from "./service-stores/remote-course-store.ts";
export type { RunEntry, RunStore } from "./service-stores/run-store.ts";
export type { SessionMatch, SessionRecord, SessionStore } from "./service-stores/session-store.ts";
export type { IssuedToken, Redemption, TokenGrace, TokenStore } from "./service-stores/token-store.ts";
export { memoryStore } from "./stores/memory/memory-store.ts";
export { openStore, type StoreOptions } from "./stores/open-store.ts";
export { redisReplay, type RedisClient, type RedisReplayOptions } from "./stores/redis/redis-replay.ts";
