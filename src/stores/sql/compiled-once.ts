import type { Compilable, Kysely, QueryResult } from "kysely";
import type { Schema } from "./schema.ts";

/** Stands in a query for a value that comes later. */
class Gap {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** What stands in a query for values with these names and types. */
export type Gaps<Given> = <Name extends keyof Given & string>(name: Name) => Given[Name];

/**
 * A query for a path that every call takes: Kysely builds and compiles it once, which costs as much as running it.
 *
 * @param build makes the query; `gap("peer")` stands where the value with that name will.
 *
 * @example
 * const find = compiledOnce((gap: Gaps<{ id: number }>) => db.selectFrom(tables.peer).selectAll().where("id", "=", gap("id")));
 * const { rows } = await find(trx, { id: 7 });
 */
export function compiledOnce<Given extends object, Row>(
  build: (gap: Gaps<Given>) => Compilable<Row>,
): (db: Kysely<Schema>, values: Given) => Promise<QueryResult<Row>> {
  // Kysely does not look at values, so what it is told of their type need not be true yet.
  const compiled = build((name) => new Gap(name) as never).compile();
  return (db, values) => {
    const byName = values as Readonly<Record<string, unknown>>;
    return db.executeQuery<Row>({
      ...compiled,
      parameters: compiled.parameters.map((value) => (value instanceof Gap ? byName[value.name] : value)),
    });
  };
}
