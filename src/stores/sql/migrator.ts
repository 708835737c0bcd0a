import type { Kysely } from "kysely";
import { StoreError } from "../../core/errors.ts";
import type { Store } from "../../host/store.ts";
import type { SqlContext } from "./engine.ts";
import { compileMigration, MIGRATIONS, type Migration } from "./migrations.ts";
import type { Schema } from "./schema.ts";

/** The part of a store that looks after the schema. */
export function migrator({ db, tables, engine }: SqlContext): Pick<Store, "open" | "migrate" | "pendingMigrations"> {
  return { open, migrate, pendingMigrations };

  async function open(): Promise<void> {
    const { pending, isEmpty } = await inspect(db);
    if (pending.length === 0) return;
    if (!(engine.embedded && isEmpty)) {
      throw new StoreError(
        "MNET_STORE_MIGRATION_NEEDED",
        `The database lacks ${list(pending.map(({ name }) => name))}. Back it up, then run store.migrate() or "mnet migrate".`,
      );
    }
    await migrate();
  }

  async function migrate(): Promise<{ readonly applied: readonly string[] }> {
    return engine.migrating(db, async (locked) => {
      // Read again under the lock: another process may just have finished.
      const { pending } = await inspect(locked);
      for (const migration of pending) {
        for (const query of compileMigration(migration, locked, tables, engine.columns)) {
          await locked.executeQuery(query);
        }
      }
      return { applied: pending.map(({ name }) => name) };
    });
  }

  async function pendingMigrations(): Promise<readonly { readonly name: string; readonly sql: string }[]> {
    const { pending } = await inspect(db);
    return pending.map((migration) => ({
      name: migration.name,
      sql: compileMigration(migration, db, tables, engine.columns)
        .map((query) => `${query.sql};\n`)
        .join(""),
    }));
  }

  /** What is to be done, or a `StoreError` where nothing can be. */
  async function inspect(
    connection: Kysely<Schema>,
  ): Promise<{ readonly pending: readonly Migration[]; readonly isEmpty: boolean }> {
    const { present, recorded } = await read(connection);
    const known = MIGRATIONS.map(({ name }) => name);
    const unknown = recorded.filter((name) => !known.includes(name));
    if (unknown.length > 0) {
      throw new StoreError(
        "MNET_STORE_TOO_NEW",
        `The database was migrated by a newer version of mnet (${list(unknown)}). Install that version here.`,
      );
    }
    const pending = MIGRATIONS.filter(({ name }) => !recorded.includes(name));
    const firstPending = MIGRATIONS.findIndex(({ name }) => !recorded.includes(name));
    if (firstPending !== -1 && firstPending < recorded.length) {
      throw incomplete(`${known[firstPending]} is not recorded, although later steps are`);
    }
    for (const migration of MIGRATIONS) {
      const isRecorded = recorded.includes(migration.name);
      for (const created of migration.creates) {
        const name = tables[created];
        if (present.has(name.toLowerCase()) !== isRecorded) {
          throw incomplete(
            isRecorded
              ? `the table ${name} is missing`
              : `the table ${name} is there, although ${migration.name} is not recorded`,
          );
        }
      }
    }
    return { pending, isEmpty: present.size === 0 };
  }

  /** All tables, in lower case because some engines do not tell case, and the steps that are recorded. */
  async function read(
    connection: Kysely<Schema>,
  ): Promise<{ readonly present: ReadonlySet<string>; readonly recorded: readonly string[] }> {
    const look = async (trx: Kysely<Schema>) => {
      const present = new Set((await engine.tables(trx)).map((name) => name.toLowerCase()));
      if (!present.has(tables.migration.toLowerCase())) return { present, recorded: [] };
      const rows = await trx.selectFrom(tables.migration).select("name").execute();
      return { present, recorded: rows.map(({ name }) => name) };
    };
    if (connection.isTransaction) return look(connection);
    // One snapshot: between two reads of their own, another process could finish a step.
    return connection.transaction().setAccessMode("read only").setIsolationLevel("repeatable read").execute(look);
  }
}

const list = (names: readonly string[]): string => names.join(", ");

const incomplete = (why: string): StoreError =>
  new StoreError(
    "MNET_STORE_INCOMPLETE",
    `The database is not one of mnet, or only half of one: ${why}. Restore a backup, or use another tablePrefix.`,
  );
