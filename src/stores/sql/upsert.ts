import { sql, type InsertQueryBuilder } from "kysely";
import type { SqlEngine } from "./engine.ts";
import type { Schema } from "./schema.ts";

type Insert<Table extends keyof Schema, Result> = InsertQueryBuilder<Schema, Table, Result>;
type Column<Table extends keyof Schema> = keyof Schema[Table] & string;

/** The same insert, but where a row with this key is there already, those columns of it are replaced. */
export function replacing<Table extends keyof Schema, Result>(
  { upserts }: SqlEngine,
  insert: Insert<Table, Result>,
  key: readonly Column<Table>[],
  replaced: readonly Column<Table>[],
): Insert<Table, Result> {
  if (upserts === "on-duplicate-key")
    return insert.onDuplicateKeyUpdate(assignments(replaced, (column) => sql`values(${column})`));
  return insert.onConflict((conflict) =>
    conflict.columns(key).doUpdateSet(assignments(replaced, (column) => sql`${sql.ref("excluded")}.${column}`)),
  );
}

/** The same insert, but where a row with this key is there already, that is left as it is. */
export function keeping<Table extends keyof Schema, Result>(
  { upserts }: SqlEngine,
  insert: Insert<Table, Result>,
  key: Column<Table>,
): Insert<Table, Result> {
  // `insert ignore` would also ignore that a value is too long.
  if (upserts === "on-duplicate-key") return insert.onDuplicateKeyUpdate(assignments([key], (column) => column));
  return insert.onConflict((conflict) => conflict.column(key as never).doNothing());
}

/** Which column gets what. Kysely cannot follow the types of a table that is not known here. */
const assignments = (columns: readonly string[], value: (column: ReturnType<typeof sql.ref>) => unknown): never =>
  Object.fromEntries(columns.map((column) => [column, value(sql.ref(column))])) as never;
