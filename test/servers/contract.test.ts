import { test } from "vitest";
import type { Store } from "../../src/host/store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { storeContract } from "../../src/testing/store-contract.ts";
import { ENGINES, onEngines } from "./engines.ts";

onEngines("store contract", ["memory", ...ENGINES.sql], (engine) => {
  // Of a server one database, in which each place has a prefix: making a database takes longer than a test.
  const shared = engine.server ? engine.database() : undefined;
  shared?.catch(() => undefined);
  const places = new Map<string, { readonly url: string; readonly store: Store }>();
  const cases = storeContract(async (place) => {
    const known = places.get(place);
    if (known && engine.name === "memory") return known.store;
    const url = known?.url ?? (await (shared ?? engine.database()));
    const store = openStore(url, { maxConnections: 5, ...(shared && { tablePrefix: `${place}_` }) });
    // Nobody but its administrator makes a server's database ready.
    if (!known && shared) await store.migrate();
    places.set(place, { url, store });
    return store;
  });
  for (const { name, run } of cases) test(name, run);
});
