// A Fastify site that is a member of a Moodle Network.
import { fastify } from "fastify";
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
  const app = fastify();
  const mnet = nodeHandler(host);
  // In the first hook nothing has read the body yet. What MNet answers goes no further.
  app.addHook("onRequest", (request, reply, done) => {
    mnet(request.raw, reply.raw, (error) => done(error as Error | undefined));
  });
  app.get("/", (_request, reply) => reply.type("text/html").send(`<!doctype html><title>${name}</title>`)); // peers read the title
  await app.listen({ port, host: "127.0.0.1" });
  return {
    host,
    async close() {
      await app.close();
      await host.close();
    },
  };
}
