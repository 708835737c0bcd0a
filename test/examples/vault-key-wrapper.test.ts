import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { vaultKeyWrapper } from "../../examples/vault-key-wrapper.ts";
import { Secret } from "../../src/core/secret.ts";
import { createHost } from "../../src/create-host.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { noTransport } from "../support/hosts.ts";

const TOKEN = "hvs.token";
/** As Vault's transit engine answers: ciphertexts are text with a prefix, what is not its own is a 400. */
const vault = createServer((request, response) => {
  void text(request).then((body) => {
    const { plaintext = "", ciphertext = "" } = JSON.parse(body) as Record<string, string | undefined>;
    const say = (status: number, data: object): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ data }));
    };
    asked.push(request.url ?? "");
    if (trouble !== undefined) say(trouble, {});
    else if (request.headers["x-vault-token"] !== TOKEN) say(403, {});
    else if (request.url === "/v1/transit/encrypt/mnet") say(200, { ciphertext: `vault:v1:${plaintext}` });
    else if (!ciphertext.startsWith("vault:v1:")) say(400, {});
    else say(200, { plaintext: ciphertext.slice("vault:v1:".length) });
  });
});
let asked: string[] = [];
let trouble: number | undefined;
let address = "";

describe("the example of a KMS", () => {
  beforeAll(async () => {
    await new Promise<void>((listening) => vault.listen(0, "127.0.0.1", listening));
    address = `http://127.0.0.1:${(vault.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    vault.closeAllConnections();
    vault.close();
  });
  beforeEach(() => {
    asked = [];
    trouble = undefined;
  });
  const wrapper = (token = TOKEN) => vaultKeyWrapper({ address, token: new Secret(token), key: "mnet" });
  const site = { wwwroot: "https://lms.example.edu", name: "Example LMS", transport: noTransport };

  it("is what docs/keys-at-rest.md shows", () => {
    const program = readFileSync("examples/vault-key-wrapper.ts", "utf8");
    expect(readFileSync("docs/keys-at-rest.md", "utf8")).toContain(`\`\`\`ts\n${program}\`\`\`\n`);
  });

  it("SEC-051 keeps a site's keys, and gives them back to its next process only", async () => {
    const store = memoryStore();
    const host = await createHost({ ...site, store, keys: { encryptWith: wrapper() }, maintenance: "manual" });
    const { fingerprint } = await host.keys.current();
    await host.close();
    const [stored] = await store.keys.list();
    expect(Buffer.from(stored!.privateKey).toString()).toContain("vault:v1:");
    asked = [];
    const next = await createHost({ ...site, store, keys: { encryptWith: wrapper() }, maintenance: "manual" });
    expect((await next.keys.current()).fingerprint).toBe(fingerprint);
    expect(asked).toContain("/v1/transit/decrypt/mnet");
    await next.close();
    const start = (token?: string) => createHost({ ...site, store, keys: { encryptWith: wrapper(token) } });
    expect(await codeOf(() => start("another token"))).toBe("MNET_STORE_KEY_WRONG");
    trouble = 503;
    expect(await errorOf(() => start())).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: true });
  });

  it("says that Vault does not answer", async () => {
    const away = vaultKeyWrapper({ address: "http://127.0.0.1:1", token: new Secret(TOKEN), key: "mnet" });
    expect(await errorOf(() => away.wrap(Buffer.from("x")))).toMatchObject({ code: "MNET_STORE_UNAVAILABLE" });
  });
});
