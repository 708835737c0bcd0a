import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, inject, test } from "vitest";
import { administration, type Administration, type ServerName } from "../support/database-servers.ts";
import { hasNodeSqlite } from "../support/node-sqlite.ts";

/** A kind of database that tests run on. */
export interface Engine {
  readonly name: string;
  /** The URL of a new, empty database. */
  database(): Promise<string>;
  /** Where it is a server. */
  readonly server?: Administration;
}

/** The engines of a suite, by what they have in common. */
export const ENGINES = {
  embedded: ["sqlite by libsql", "sqlite by node:sqlite"],
  servers: ["postgresql", "mariadb"],
  sql: ["sqlite by libsql", "sqlite by node:sqlite", "postgresql", "mariadb"],
} as const;

export type EngineName = "memory" | (typeof ENGINES.sql)[number] | "redis";

/** The same tests on several engines: a row of the table that is printed at the end, and its columns. */
export function onEngines(suite: string, names: readonly EngineName[], tests: (engine: Engine) => void): void {
  describe(suite, () => {
    for (const name of names) {
      // What the runtime does not have is not missing on this machine.
      if (name === "sqlite by node:sqlite" && !hasNodeSqlite) continue;
      const engine = engineOf(name);
      describe(name, () => {
        if (typeof engine === "string") test("runs", ({ skip }) => skip(engine));
        else tests(engine);
      });
    }
  });
}

function engineOf(name: EngineName): Engine | string {
  switch (name) {
    case "memory":
      return { name, database: async () => "memory:" };
    case "sqlite by libsql":
    case "sqlite by node:sqlite": {
      const directory = mkdtempSync(join(tmpdir(), "mnet-engine-"));
      afterAll(() => {
        rmSync(directory, { recursive: true, force: true });
      });
      const scheme = name === "sqlite by libsql" ? "sqlite" : "node-sqlite";
      return { name, database: async () => `${scheme}:${join(directory, `${freshName()}.db`)}` };
    }
    default:
      return serverEngine(name);
  }
}

function serverEngine(name: ServerName): Engine | string {
  const port = inject("servers")[name];
  if (typeof port === "string") return port;
  const server = administration(name, port);
  return { name, server, database: () => server.database(freshName()) };
}

/** Safe in file names, URLs and identifiers. */
export const freshName = (): string => `mnet_${randomBytes(8).toString("hex")}`;
