import type { TestProject } from "vitest/node";
import {
  missingServer,
  SERVERS,
  startServer,
  type DatabaseServer,
  type ServerName,
} from "../support/database-servers.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The port of each server, or why it is not there. */
    servers: Readonly<Record<ServerName, number | string>>;
  }
}

/** Starts each server once for all files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started: DatabaseServer[] = [];
  const found = await Promise.all(
    SERVERS.map(async (name) => {
      const missing = missingServer(name);
      if (missing !== undefined) return [name, missing] as const;
      const server = await startServer(name);
      started.push(server);
      return [name, server.port] as const;
    }),
  );
  project.provide("servers", Object.fromEntries(found) as Record<ServerName, number | string>);
  return async () => {
    await Promise.all(started.map((server) => server.remove()));
  };
}
