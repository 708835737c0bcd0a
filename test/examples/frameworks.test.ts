import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as expressSite from "../../examples/express.ts";
import * as fastifySite from "../../examples/fastify.ts";
import * as honoSite from "../../examples/hono.ts";
import * as nodeSite from "../../examples/node-http.ts";
import { freePort } from "../support/http-site.ts";

const EXAMPLES = { express: expressSite, fastify: fastifySite, hono: honoSite, "node-http": nodeSite };

it.each(Object.entries(EXAMPLES))(
  "examples/%s.ts: two sites add and call each other",
  async (_, { start, greeting }) => {
    const [alpha, beta] = await Promise.all([
      start(await freePort(), "Alpha University"),
      start(await freePort(), "Beta College"),
    ]);
    try {
      const [toBeta, toAlpha] = await Promise.all([
        alpha.host.peers.add(beta.host.wwwroot),
        beta.host.peers.add(alpha.host.wwwroot),
      ]);
      expect([toBeta.name, toAlpha.name]).toEqual(["Beta College", "Alpha University"]);
      await alpha.host.peers.setServices(toBeta, { greeting: "both" });
      await beta.host.peers.setServices(toAlpha, { greeting: "both" });
      const { hello } = greeting.methods;
      expect(await alpha.host.call(toBeta, hello, { to: "Ada" })).toBe("Hello Ada, this is Beta College");
      expect(await beta.host.call(toAlpha, hello, { to: "Grace" })).toBe("Hello Grace, this is Alpha University");

      const status = async (path: string, init?: RequestInit): Promise<number> =>
        (await fetch(alpha.host.wwwroot + path, init)).status;
      expect(await status("/mnet/publickey.php")).toBe(200);
      expect(await status("/nothing-here")).toBe(404);
      expect(
        await status("/mnet/xmlrpc/server.php", { method: "POST", body: "x", headers: { "content-type": "text/xml" } }),
      ).toBe(200);
      expect(
        await status("/mnet/xmlrpc/server.php", {
          method: "POST",
          body: "a=b",
          headers: { "content-type": "application/x-www-form-urlencoded" },
        }),
      ).toBe(200);
      expect(
        await status("/mnet/xmlrpc/server.php", {
          method: "POST",
          body: "{}",
          headers: { "content-type": "application/json" },
        }),
      ).toBe(200);
    } finally {
      await Promise.all([alpha.close(), beta.close()]);
    }
  },
);

it.each(Object.keys(EXAMPLES))("examples/%s.ts is as short as it is said to be", (name) => {
  const lines = readFileSync(new URL(`../../examples/${name}.ts`, import.meta.url), "utf8")
    .trim()
    .split("\n");
  expect(lines.length).toBeLessThanOrEqual(40);
});
