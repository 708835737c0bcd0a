/** What a column holds. Drivers give large numbers in several ways; see `integerOf`. */
export type MoodleValue = string | number | bigint | null;

/** One row, by the names of its columns. */
export type MoodleRow = Readonly<Record<string, MoodleValue>>;

/** Which rows. */
export interface MoodleQuery {
  /** Beside `id`. */
  readonly columns: readonly string[];
  /** Columns that must have these values. */
  readonly where?: Readonly<Record<string, string | number>>;
  /** Columns that must not. */
  readonly except?: Readonly<Record<string, string | number>>;
}

/** A Moodle's database, as far as an import asks it. Nothing is ever written to it. */
export interface MoodleDatabase {
  /** The columns of each table, by its name without the prefix. */
  tables(): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  /** At most `limit` rows with an id above `after`, by id, with their id. */
  rows(table: string, query: MoodleQuery, after: number, limit: number): Promise<readonly MoodleRow[]>;
  /** Ends the connection. */
  close(): Promise<void>;
}

const PAGE_SIZE = 500;

/** All rows of a query, page by page. */
export async function* everyRow(
  database: MoodleDatabase,
  table: string,
  query: MoodleQuery,
): AsyncGenerator<MoodleRow, void, undefined> {
  for (let after = 0, isLast = false; !isLast;) {
    const rows = await database.rows(table, query, after, PAGE_SIZE);
    yield* rows;
    isLast = rows.length < PAGE_SIZE;
    after = integerOf(rows.at(-1)?.["id"]) ?? after;
  }
}

/** A number, however the driver gave it. `undefined` for anything else. */
export function integerOf(value: MoodleValue | undefined): number | undefined {
  if (typeof value === "string" && !/^-?[0-9]{1,16}$/.test(value)) return undefined;
  const number = value === null || value === undefined ? NaN : Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Text; a number as it is written, nothing for NULL and for a column that this Moodle does not have. */
export const textOf = (value: MoodleValue | undefined): string =>
  value === null || value === undefined ? "" : String(value);
