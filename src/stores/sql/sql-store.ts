import { Kysely } from "kysely";
import type { Store } from "../../host/store.ts";
import type { SqlContext, SqlEngine } from "./engine.ts";
import { sqlAccessStore } from "./access-store.ts";
import { sqlKeyStore } from "./key-store.ts";
import { sqlLogStore } from "./log-store.ts";
import { migrator } from "./migrator.ts";
import { sqlOutboxStore } from "./outbox-store.ts";
import { sqlPeerStore } from "./peer-store.ts";
import { sqlRemoteCourseStore } from "./remote-course-store.ts";
import { sqlReplayStore } from "./replay-store.ts";
import { restoreSql } from "./restore.ts";
import { sqlRunStore } from "./run-store.ts";
import { sqlSessionStore } from "./session-store.ts";
import { sqlStatsStore } from "./stats-store.ts";
import { sqlTokenStore } from "./token-store.ts";
import { tableNames, type Schema } from "./schema.ts";

/** A store in one SQL database. The prefix must have been checked: it becomes part of identifiers. */
export function sqlStore(engine: SqlEngine, tablePrefix: string): Store {
  const context: SqlContext = {
    db: new Kysely<Schema>({ dialect: engine.dialect }),
    swift: new Kysely<Schema>({ dialect: engine.swiftDialect }),
    tables: tableNames(tablePrefix),
    engine,
  };
  return {
    keys: sqlKeyStore(context),
    peers: sqlPeerStore(context),
    replay: sqlReplayStore(context),
    stats: sqlStatsStore(context),
    log: sqlLogStore(context),
    tokens: sqlTokenStore(context),
    sessions: sqlSessionStore(context),
    access: sqlAccessStore(context),
    outbox: sqlOutboxStore(context),
    remoteCourses: sqlRemoteCourseStore(context),
    runs: sqlRunStore(context),
    ...migrator(context),
    restore: (records) => restoreSql(context, records),
    // Not `destroy` of Kysely, which cuts transactions in flight and makes later queries fail without a code.
    close: () => engine.close(),
  };
}
