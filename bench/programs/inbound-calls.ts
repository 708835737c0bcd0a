import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { InMemoryServer } from "../support/in-memory-server.ts";
import { echoCalls } from "../support/sites.ts";

/** Only inbound calls, for a profiler: so many, after some that warm up. */
const calls = Number(process.argv[2] ?? 2000);
const server = await InMemoryServer.start({ store: memoryStore(), workers: 0, documents: echoCalls(1024) });
const bodies = server.mail.fill(calls);
for (const body of bodies) await server.answer(body);
await server.close();
