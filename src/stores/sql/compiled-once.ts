import type { Compilable, Kysely, QueryResult } from "kysely";
import type { Schema } from "./schema.ts";

/** Stands in a query for a value that comes later. */
class Gap {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

type Values = Readonly<Record<string, number | string>>;

/**
 * A query for a path that every call takes: Kysely builds and compiles it once, which costs more than running it.
 *
 * @param build makes the query; `gap("peer")` stands where the value with that name will.
 *
 * @example
 * const find = compiledOnce((gap: Gaps<{ id: number }>) => db.selectFrom(tables.peer).selectAll().where("id", "=", gap("id")));
 * const { rows } = await find(trx, { id: 7 });
 */
export function compiledOnce<Given extends Values, Row>(
  build: (gap: Gaps<Given>) => Compilable<Row>,
): (db: Kysely<Schema>, values: Given) => Promise<QueryResult<Row>> {
  // Kysely does not look at values, so what it is told of their type need not be true yet.
  const compiled = build((name) => new Gap(name) as never).compile();
  return (db, values) =>
    db.executeQuery<Row>({
      ...compiled,
      parameters: compiled.parameters.map((value) => (value instanceof Gap ? values[value.name] : value)),
    });
}

/** What stands in for values with these names and types. */
export type Gaps<Given extends Values> = <Name extends keyof Given & string>(name: Name) => Given[Name];
