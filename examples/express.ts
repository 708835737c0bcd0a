// An Express site that is a member of a Moodle Network.
import { once } from "node:events";
import express from "express";
import { createHost, defineService, t } from "mnet";
import { nodeHandler } from "mnet/node";
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
  const app = express();
  app.use(nodeHandler(host)); // before any body parser: signatures are about bytes
  app.use(express.urlencoded({ extended: false }));
  app.get("/", (_req, res) => {
    res.send(`<!doctype html><title>${name}</title>`); // peers read the title
  });
  const server = app.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    host,
    async close() {
      server.close();
      await host.close();
    },
  };
}
