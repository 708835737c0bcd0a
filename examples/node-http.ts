// A member of a Moodle Network on node:http, and nothing else.
import { once } from "node:events";
import { createServer } from "node:http";
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
  const server = createServer(nodeHandler(host)); // has a home page of its own, whose title is the name
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    host,
    async close() {
      server.close();
      await host.close();
    },
  };
}
