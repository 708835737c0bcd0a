import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { Store } from "../../src/host/store.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { storeContract } from "../../src/testing/store-contract.ts";
import { hasNodeSqlite } from "../support/node-sqlite.ts";

describe("memory", () => {
  const places = new Map<string, Store>();
  const cases = storeContract(async (place) => {
    const store = places.get(place) ?? memoryStore();
    places.set(place, store);
    return store;
  });
  for (const { name, run } of cases) test(name, run);
});

// The other runtimes do not have it; that an error says so is tested in node-sqlite.test.ts.
const SCHEMES = hasNodeSqlite ? ["sqlite", "node-sqlite"] : ["sqlite"];

describe.each(SCHEMES)("%s", (scheme) => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "mnet-store-"));
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const cases = storeContract(async (place) => openStore(`${scheme}:${join(directory, `${place}.db`)}`));
  for (const { name, run } of cases) test(name, run);
});
