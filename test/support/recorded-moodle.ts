import { readFileSync } from "node:fs";
import type { MoodleDatabase, MoodleRow, MoodleValue } from "../../src/moving/moodle/moodle-database.ts";

/** The tables of a Moodle, to be changed by a test before they are read. */
export type MoodleTables = Record<string, { columns: string[]; rows: Record<string, MoodleValue>[] }>;

const FIXTURE = new URL("../../fixtures/moodle-4.5-database.json", import.meta.url);

/** The rows of fixtures/moodle-4.5-database.sql, as MariaDB's driver gave them. */
export const recordedTables = (): MoodleTables => JSON.parse(readFileSync(FIXTURE, "utf8")) as MoodleTables;

/** The row of a table with these values. */
export function rowOf(
  tables: MoodleTables,
  table: string,
  match: Readonly<Record<string, MoodleValue>>,
): Record<string, MoodleValue> {
  const found = tables[table]?.rows.find((row) => Object.entries(match).every(([name, value]) => row[name] === value));
  if (!found) throw new Error(`There is no such row in ${table}.`);
  return found;
}

/** A database of these tables. Like a real one, it knows no columns but its own. */
export function moodleOf(tables: MoodleTables): MoodleDatabase & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    async tables() {
      return new Map(Object.entries(tables).map(([name, { columns }]) => [name, new Set(columns)]));
    },
    async rows(table, { columns, where = {}, except = {} }, after, limit) {
      const found = tables[table];
      if (!found) throw new Error(`There is no table ${table}.`);
      const names = ["id", ...columns];
      for (const name of [...names, ...Object.keys(where), ...Object.keys(except)]) {
        if (!found.columns.includes(name)) throw new Error(`There is no column ${table}.${name}.`);
        asked.push(`${table}.${name}`);
      }
      return found.rows
        .filter(
          (row) =>
            Number(row["id"]) > after &&
            Object.entries(where).every(([name, value]) => String(row[name]) === String(value)) &&
            Object.entries(except).every(([name, value]) => String(row[name]) !== String(value)),
        )
        .sort((a, b) => Number(a["id"]) - Number(b["id"]))
        .slice(0, limit)
        .map((row): MoodleRow => Object.fromEntries(names.map((name) => [name, row[name] ?? null])));
    },
    close: async () => undefined,
  };
}

/** What the recorded Moodle's users of other sites are, as JSON. */
export const RECORDED_USERS = [
  {
    moodleId: 7,
    home: { id: 4, wwwroot: "http://mahara.test:8110" },
    username: "mauser",
    suspended: false,
    profile: {
      email: "mauser@mahara.test",
      firstname: "Mauser",
      lastname: "Tester",
      country: "NZ",
      lang: "en",
      timezone: "99",
      other: { calendartype: "gregorian" },
    },
  },
  {
    moodleId: 8,
    home: { id: 3, wwwroot: "http://moodle-b.test:8102" },
    username: "student1",
    suspended: false,
    profile: {
      email: "student1-b@example.test",
      firstname: "Zoë",
      lastname: "Ångström 日本",
      country: "NZ",
      lang: "en",
      timezone: "99",
      other: { calendartype: "gregorian" },
    },
  },
  {
    moodleId: 9,
    home: { id: 3, wwwroot: "http://moodle-b.test:8102" },
    username: "student2",
    suspended: false,
    profile: {
      email: "student2-b@example.test",
      firstname: "Pat",
      lastname: "O'Picture",
      country: "NZ",
      lang: "en",
      timezone: "99",
      other: { calendartype: "gregorian" },
    },
  },
];
