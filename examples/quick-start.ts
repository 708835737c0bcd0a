import { createServer } from "node:http";
import { createHost, defineService, t } from "mnet";
import { nodeHandler } from "mnet/node";
import { memoryStore } from "mnet/stores";

const greeting = defineService({
  name: "greeting",
  methods: { hello: { params: { to: t.string() }, returns: t.string() } },
});
async function site(name: string, port: number) {
  const wwwroot = `http://127.0.0.1:${port}`;
  const services = [greeting.implement({ hello: ({ to }) => `Hello ${to}, this is ${name}` })];
  const host = await createHost({
    wwwroot,
    name,
    store: memoryStore(),
    services,
    network: { allowAddresses: ["127.0.0.0/8"] },
  });
  createServer(nodeHandler(host)).listen(port).unref();
  return host;
}
const [alpha, beta] = await Promise.all([site("Alpha University", 8201), site("Beta College", 8202)]);
const [toBeta, toAlpha] = await Promise.all([alpha.peers.add(beta.wwwroot), beta.peers.add(alpha.wwwroot)]);
await alpha.peers.setServices(toBeta, { greeting: "both" });
await beta.peers.setServices(toAlpha, { greeting: "both" });
console.log(await alpha.call(toBeta, greeting.methods.hello, { to: "Ada" }));
console.log(await beta.call(toAlpha, greeting.methods.hello, { to: "Grace" }));
await Promise.all([alpha.close(), beta.close()]);
