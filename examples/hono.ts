// A Hono site that is a member of a Moodle Network.
import { once } from "node:events";
import { serve } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { Hono } from "hono";
import { createHost, defineService, t } from "mnet";
import { memoryStore } from "mnet/stores";

export const greeting = defineService({
  name: "greeting",
  methods: { hello: { params: { to: t.string() }, returns: t.string() } },
});

export async function start(port: number, name: string) {
  const host = await createHost({
    wwwroot: `http://127.0.0.1:${port}`,
    name,
    store: memoryStore(), // a site that lasts: openStore("sqlite:mnet.db")
    services: [greeting.implement({ hello: ({ to }) => `Hello ${to}, this is ${name}` })],
    network: { allowAddresses: ["127.0.0.0/8"] }, // a public site needs none
  });
  const app = new Hono();
  app.all("/mnet/*", (c) => host.fetch(c.req.raw, { remoteAddress: getConnInfo(c).remote.address }));
  app.get("/", (c) => c.html(`<!doctype html><title>${name}</title>`)); // peers read the title
  const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" });
  await once(server, "listening");
  return {
    host,
    async close() {
      server.close();
      await host.close();
    },
  };
}
