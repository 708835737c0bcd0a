import { sql, type Compilable, type CompiledQuery, type Kysely } from "kysely";
import type { ColumnTypes } from "./engine.ts";
import type { Schema, TableNames } from "./schema.ts";

/** One step of the schema. A released one is never edited: whatever changes is a new one at the end. */
export interface Migration {
  /** Recorded in the table of migrations. */
  readonly name: string;
  /** Tables that are there if and only if this has run. */
  readonly creates: readonly (keyof Schema)[];
  /** What it does, beside recording itself. No statement may have parameters, because people print them. */
  readonly statements: (db: Kysely<Schema>, tables: TableNames, columns: ColumnTypes) => readonly Compilable[];
}

/** All steps, in order. */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: "0001-base",
    creates: ["migration", "site", "key", "peer", "replay", "replay_peer", "stats", "log"],
    statements: (db, tables, { id, exact, text, integer, bytes }) => [
      db.schema
        .createTable(tables.migration)
        .addColumn("name", exact(100), (column) => column.primaryKey())
        .addColumn("applied_at", "timestamp", (column) => column.notNull().defaultTo(sql`CURRENT_TIMESTAMP`)),
      db.schema
        .createTable(tables.site)
        .addColumn("id", integer, (column) => column.primaryKey())
        .addColumn("generation", integer, (column) => column.notNull())
        .addColumn("all_hosts_services", text, (column) => column.notNull()),
      withoutParameters(
        sql`insert into ${sql.table(tables.site)} (${sql.ref("id")}, ${sql.ref("generation")}, ${sql.ref("all_hosts_services")}) values (1, 1, '{}')`,
        db,
      ),
      db.schema
        .createTable(tables.key)
        .addColumn("id", id)
        .addColumn("fingerprint", exact(64), (column) => column.notNull().unique())
        .addColumn("certificate", text, (column) => column.notNull())
        .addColumn("private_key", bytes, (column) => column.notNull())
        .addColumn("state", exact(20), (column) => column.notNull())
        .addColumn("created_at", integer, (column) => column.notNull())
        .addColumn("changed_at", integer, (column) => column.notNull()),
      db.schema
        .createTable(tables.peer)
        .addColumn("id", id)
        .addColumn("version", integer, (column) => column.notNull())
        .addColumn("wwwroot", exact(255), (column) => column.notNull().unique())
        .addColumn("canonical", exact(255), (column) => column.notNull().unique())
        .addColumn("name", text, (column) => column.notNull())
        .addColumn("application", exact(20), (column) => column.notNull())
        .addColumn("state", exact(20), (column) => column.notNull())
        .addColumn("certificate", text, (column) => column.notNull())
        .addColumn("retired", text, (column) => column.notNull())
        .addColumn("held", text)
        .addColumn("settings", text, (column) => column.notNull())
        .addColumn("services", text, (column) => column.notNull())
        .addColumn("dialect", exact(20))
        .addColumn("last_contact_at", integer),
      db.schema.createIndex(`${tables.peer}_state`).on(tables.peer).columns(["state", "id"]),
      db.schema
        .createTable(tables.replay)
        .addColumn("peer", integer, (column) => column.notNull())
        .addColumn("key", exact(64), (column) => column.notNull())
        .addColumn("age", integer, (column) => column.notNull())
        .addColumn("until", integer, (column) => column.notNull())
        .addPrimaryKeyConstraint(`${tables.replay}_key`, ["peer", "key"]),
      db.schema.createIndex(`${tables.replay}_age`).unique().on(tables.replay).columns(["peer", "age"]),
      db.schema.createIndex(`${tables.replay}_until`).on(tables.replay).columns(["peer", "until", "age"]),
      db.schema
        .createTable(tables.replay_peer)
        .addColumn("peer", integer, (column) => column.primaryKey())
        .addColumn("entries", integer, (column) => column.notNull())
        .addColumn("newest", integer, (column) => column.notNull()),
      db.schema
        .createTable(tables.stats)
        .addColumn("peer", integer, (column) => column.notNull())
        .addColumn("counter", exact(20), (column) => column.notNull())
        .addColumn("part", integer, (column) => column.notNull())
        .addColumn("total", integer, (column) => column.notNull())
        .addPrimaryKeyConstraint(`${tables.stats}_key`, ["peer", "counter", "part"]),
      db.schema
        .createTable(tables.log)
        .addColumn("sequence", id)
        .addColumn("at", integer, (column) => column.notNull())
        .addColumn("type", exact(64), (column) => column.notNull())
        .addColumn("peer", integer)
        .addColumn("code", exact(64))
        .addColumn("event", text, (column) => column.notNull()),
      db.schema.createIndex(`${tables.log}_at`).on(tables.log).column("at"),
      db.schema.createIndex(`${tables.log}_peer`).on(tables.log).columns(["peer", "sequence"]),
      db.schema.createIndex(`${tables.log}_type`).on(tables.log).columns(["type", "sequence"]),
      db.schema.createIndex(`${tables.log}_code`).on(tables.log).columns(["code", "sequence"]),
    ],
  },
  {
    name: "0002-services",
    creates: [
      "token",
      "session",
      "access",
      "outbox",
      "remote_peer",
      "remote_course",
      "remote_roster",
      "remote_enrolment",
      "run",
      "run_entry",
    ],
    statements: (db, tables, { id, exact, text, integer }) => [
      db.schema
        .createTable(tables.token)
        .addColumn("hash", exact(64), (column) => column.primaryKey())
        .addColumn("peer", integer, (column) => column.notNull())
        .addColumn("account_id", exact(255), (column) => column.notNull())
        .addColumn("session_id", exact(255), (column) => column.notNull())
        .addColumn("user_agent_hash", exact(64), (column) => column.notNull())
        .addColumn("expires_at", integer, (column) => column.notNull())
        .addColumn("uses", integer, (column) => column.notNull())
        .addColumn("first_used_at", integer),
      db.schema.createIndex(`${tables.token}_expires`).on(tables.token).column("expires_at"),
      db.schema
        .createTable(tables.session)
        .addColumn("id", id)
        .addColumn("role", exact(20), (column) => column.notNull())
        .addColumn("peer", integer, (column) => column.notNull())
        .addColumn("account_id", exact(255), (column) => column.notNull())
        .addColumn("username", exact(255), (column) => column.notNull())
        .addColumn("user_agent_hash", exact(64), (column) => column.notNull())
        .addColumn("session_id", exact(255), (column) => column.notNull())
        .addColumn("started_at", integer, (column) => column.notNull())
        .addColumn("expires_at", integer, (column) => column.notNull()),
      // What tells most stands first, so that each index is of use to a search for that alone.
      db.schema
        .createIndex(`${tables.session}_key`)
        .unique()
        .on(tables.session)
        .columns(["account_id", "peer", "role", "user_agent_hash"]),
      db.schema.createIndex(`${tables.session}_name`).on(tables.session).columns(["username", "peer", "role"]),
      db.schema.createIndex(`${tables.session}_session`).on(tables.session).column("session_id"),
      db.schema.createIndex(`${tables.session}_peer`).on(tables.session).columns(["peer", "id"]),
      db.schema.createIndex(`${tables.session}_expires`).on(tables.session).column("expires_at"),
      db.schema
        .createTable(tables.access)
        .addColumn("peer", integer, (column) => column.notNull())
        .addColumn("username", exact(255), (column) => column.notNull())
        .addColumn("rule", exact(20), (column) => column.notNull())
        .addPrimaryKeyConstraint(`${tables.access}_key`, ["peer", "username"]),
      db.schema
        .createTable(tables.outbox)
        .addColumn("sequence", id)
        .addColumn("id", exact(64), (column) => column.notNull().unique())
        .addColumn("kind", exact(40), (column) => column.notNull())
        .addColumn("peer", integer, (column) => column.notNull())
        .addColumn("data", text, (column) => column.notNull())
        .addColumn("attempts", integer, (column) => column.notNull())
        .addColumn("due_at", integer, (column) => column.notNull()),
      db.schema.createIndex(`${tables.outbox}_due`).on(tables.outbox).columns(["kind", "due_at", "sequence"]),
      db.schema
        .createTable(tables.remote_peer)
        .addColumn("peer", integer, (column) => column.primaryKey())
        .addColumn("fetched_at", integer),
      db.schema
        .createTable(tables.remote_course)
        .addColumn("peer", integer, (column) => column.notNull())
        .addColumn("course", integer, (column) => column.notNull())
        .addColumn("fields", text, (column) => column.notNull())
        .addPrimaryKeyConstraint(`${tables.remote_course}_key`, ["peer", "course"]),
      db.schema
        .createTable(tables.remote_roster)
        .addColumn("peer", integer, (column) => column.notNull())
        .addColumn("course", integer, (column) => column.notNull())
        .addColumn("fetched_at", integer, (column) => column.notNull())
        .addPrimaryKeyConstraint(`${tables.remote_roster}_key`, ["peer", "course"]),
      db.schema
        .createTable(tables.remote_enrolment)
        .addColumn("peer", integer, (column) => column.notNull())
        .addColumn("course", integer, (column) => column.notNull())
        .addColumn("username", exact(255), (column) => column.notNull())
        .addColumn("method", exact(100), (column) => column.notNull())
        .addColumn("role_name", text, (column) => column.notNull())
        .addColumn("changed_at", integer)
        .addPrimaryKeyConstraint(`${tables.remote_enrolment}_key`, ["peer", "course", "username", "method"]),
      db.schema
        .createIndex(`${tables.remote_enrolment}_user`)
        .on(tables.remote_enrolment)
        .columns(["username", "peer"]),
      db.schema
        .createTable(tables.run)
        .addColumn("id", id)
        .addColumn("key", exact(255), (column) => column.notNull().unique())
        .addColumn("owner", exact(64))
        .addColumn("lease_until", integer, (column) => column.notNull()),
      db.schema
        .createTable(tables.run_entry)
        .addColumn("run", integer, (column) => column.notNull())
        .addColumn("row", integer, (column) => column.notNull())
        .addColumn("digest", exact(64), (column) => column.notNull())
        .addColumn("outcome", text, (column) => column.notNull())
        .addPrimaryKeyConstraint(`${tables.run_entry}_key`, ["run", "row"]),
    ],
  },
  {
    name: "0010-secure-profile",
    creates: [],
    statements: (db, tables, { text }) => [db.schema.alterTable(tables.peer).addColumn("profile", text)],
  },
  {
    name: "0011-keys-of-peers",
    creates: [],
    statements: (db, tables, { integer }) => [
      db.schema.alterTable(tables.key).addColumn("peer", integer),
      db.schema.createIndex(`${tables.key}_peer`).on(tables.key).column("peer"),
    ],
  },
];

/** The statements of one step, with the one that records it at the end: whoever stops half way has a step that is not recorded. */
export function compileMigration(
  migration: Migration,
  db: Kysely<Schema>,
  tables: TableNames,
  columns: ColumnTypes,
): readonly CompiledQuery[] {
  const record = sql`insert into ${sql.table(tables.migration)} (${sql.ref("name")}) values (${sql.lit(migration.name)})`;
  return [...migration.statements(db, tables, columns), withoutParameters(record, db)]
    .map((statement) => statement.compile())
    .map((query) => (query.sql.startsWith("create table ") ? { ...query, sql: query.sql + columns.tableEnd } : query));
}

const withoutParameters = (statement: ReturnType<typeof sql>, db: Kysely<Schema>): Compilable => ({
  compile: () => statement.compile(db),
});
