import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createHost } from "../../src/create-host.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import { Certificate } from "../../src/crypto/certificate.ts";
import type { Host } from "../../src/host/host.ts";
import type { StoredKey } from "../../src/keys/key-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import { childProgram, type Child, type ChildProgram } from "../support/child-program.ts";
import {
  ALICE,
  insertPeer,
  isSignedBy,
  keyedSite,
  noTransport,
  openAnswer,
  OUR_WWWROOT,
  post,
  storeWithKeys,
  summary,
  wrap,
} from "../support/hosts.ts";
import { rekeyed } from "../support/rekeyed.ts";

const alice = keyedSite(ALICE, 1);
const first = keyedSite(OUR_WWWROOT, 0);
const older = rekeyed(OUR_WWWROOT, 2, { notBefore: "2025-11-01T00:00:00Z" });
const SERVED = { form: "signed and encrypted", value: [] };
const WRITES = ["prepare", "promote", "prune"].flatMap((write) => [`before ${write}`, `after ${write}`]);

let program: ChildProgram;
let directory = "";
let file = "";
beforeAll(() => {
  program = childProgram("test/crash/child.ts");
});
afterAll(() => program.remove());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mnet-crash-"));
  file = join(directory, "mnet.db");
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const pem = ({ certificate, privateKeyPem }: typeof first) => ({
  certificate: certificate.pem,
  privateKey: privateKeyPem,
});

/** A site that has been in use: two keys, and a peer. */
async function usedSite(): Promise<void> {
  const store = await storeWithKeys([first, older].map(pem), openStore(`sqlite:${file}`));
  await insertPeer(store, alice);
  await store.close();
}
const start = (dieAt = ""): Child => program.start(file, OUR_WWWROOT, dieAt);
async function ready(dieAt = ""): Promise<Child> {
  const child = start(dieAt);
  expect(await child.hear()).toBe("ready");
  return child;
}
async function storedKeys(): Promise<readonly StoredKey[]> {
  const store = openStore(`sqlite:${file}`);
  await store.open();
  const keys = await store.keys.list();
  await store.close();
  return keys;
}
/** The site after it was started again. */
const restarted = (): Promise<Host> =>
  createHost({
    wwwroot: OUR_WWWROOT,
    name: "A site",
    store: openStore(`sqlite:${file}`),
    clock: fakeClock(),
    transport: noTransport,
  });

/** Alice's call to us, sealed for the key that she has of us. */
const callFor = (certificate: Certificate): Buffer =>
  wrap(encodeCall("system/listServices", []), { from: alice, to: { certificate } });

/** Alice, who knows us by that key, is served: at once, or after the key has brought her the new one. */
async function expectService(host: Host, known: Certificate): Promise<void> {
  const current = Certificate.parse((await host.keys.current()).certificate);
  const answer = openAnswer(await post(host, callFor(known)), alice);
  if (known.fingerprint !== current.fingerprint) {
    expect(answer.decoded).toMatchObject({ faultCode: 7025, faultString: current.pem });
    expect(isSignedBy(answer, { certificate: known })).toBe(true);
    expect(summary(openAnswer(await post(host, callFor(current)), alice))).toEqual(SERVED);
  } else {
    expect(summary(answer)).toEqual(SERVED);
  }
}

describe("a process that is killed while it rotates", () => {
  it.each(WRITES)(
    "MNET-021 SEC-049 %s: the next start serves with a key that peers can open, and goes on",
    async (point) => {
      await usedSite();
      const child = await ready(point);
      child.tell("rotate");
      expect(await child.ended).toBe("SIGKILL");

      const stored = await storedKeys();
      expect(stored.filter(({ state }) => state === "current")).toHaveLength(1);
      const isPromoted = point === "after promote" || point.endsWith("prune");
      const host = await restarted();
      // Nobody has seen the new key before it was promoted, and everybody may have seen it since.
      expect((await host.keys.current()).fingerprint === first.certificate.fingerprint).toBe(!isPromoted);
      await expectService(host, first.certificate);
      await expectService(host, older.certificate);

      const { to } = await host.keys.rotate();
      expect((await host.keys.current()).fingerprint).toBe(to);
      await expectService(host, first.certificate);
      await host.close();
    },
  );

  it.each(["after prepare", "before promote", "after promote"])(
    "%s, on its very first start: the next one serves",
    async (point) => {
      expect(await start(point).ended).toBe("SIGKILL");
      const host = await restarted();
      expect(await host.keys.all()).toHaveLength(1);
      expect((await storedKeys()).filter(({ state }) => state === "current")).toHaveLength(1);
      await host.close();
      const store = openStore(`sqlite:${file}`);
      await store.open();
      await insertPeer(store, alice);
      await store.close();
      const again = await restarted();
      await expectService(again, Certificate.parse((await again.keys.current()).certificate));
      await again.close();
    },
  );

  it.each(["after promote", "before revoke", "after revoke"])(
    "SEC-050 %s, while it revokes the current key: the next start serves, and revoking again ends it",
    async (point) => {
      await usedSite();
      const child = await ready(point);
      child.tell(`revoke ${first.certificate.fingerprint}`);
      expect(await child.ended).toBe("SIGKILL");

      const host = await restarted();
      const isRevoked = point === "after revoke";
      if (isRevoked) {
        expect(summary(openAnswer(await post(host, callFor(first.certificate))))).toEqual({
          form: "plain",
          fault: 7023,
        });
      } else {
        await expectService(host, first.certificate);
      }
      await expectService(host, older.certificate);
      await host.keys.revoke(first.certificate.fingerprint, { reason: "again" });
      expect(summary(openAnswer(await post(host, callFor(first.certificate))))).toEqual({ form: "plain", fault: 7023 });
      await expectService(host, older.certificate);
      await host.close();
      expect(
        (await storedKeys()).find(({ fingerprint }) => fingerprint === first.certificate.fingerprint),
      ).toMatchObject({
        state: "revoked",
        privateKey: new Uint8Array(),
      });
    },
  );

  it("MNET-021 at any moment of many rotations: no key that it had shown is lost", async () => {
    const shown: string[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      const child = start("at any moment");
      shown.push((await child.hear()) as string);
      const killing = setTimeout(40 + turn * 37).then(() => child.kill());
      for (;;) {
        const to = await child.hear().catch(() => undefined);
        if (to === undefined) break;
        shown.push(to as string);
      }
      await killing;

      const keys = new Map((await storedKeys()).map((key) => [key.fingerprint as string, key]));
      expect([...keys.values()].filter(({ state }) => state === "current")).toHaveLength(1);
      // The archive holds three; the current one may be one that it had no time to show.
      for (const fingerprint of shown.slice(-3)) {
        const key = keys.get(fingerprint)!;
        expect(["current", "archived"]).toContain(key.state);
        const privateKey = Buffer.from(key.privateKey).toString();
        expect(KeyPair.parse({ certificate: key.certificate, privateKey }).certificate.fingerprint).toBe(fingerprint);
      }
    }
    expect(shown.length).toBeGreaterThan(4);
  });
});

describe("two processes on one file", () => {
  it("MNET-021 rotate at once: one new key, and both serve it and the old one", async () => {
    await usedSite();
    const children = await Promise.all([ready(), ready()]);
    for (const child of children) child.tell("rotate-together");
    // Both have made a key in place of the same one.
    for (const child of children) expect(await child.hear()).toBe("prepared");
    for (const child of children) child.tell("go");
    const results = (await Promise.all(children.map((child) => child.hear()))) as { from: string; to: string }[];
    expect(new Set(results.map(({ from }) => from))).toEqual(new Set([first.certificate.fingerprint]));
    const [to, ...others] = new Set(results.map((result) => result.to));
    expect(others).toEqual([]);

    const states = (await storedKeys()).map(({ state }) => state).sort();
    expect(states).toEqual(["archived", "archived", "current", "prepared"]);
    const current = (await storedKeys()).find(({ state }) => state === "current")!;
    expect(current.fingerprint).toBe(to);
    const certificate = Certificate.parse(current.certificate);
    for (const child of children) {
      child.tell(`serve ${callFor(certificate).toString("base64")}`);
      const served = openAnswer(Buffer.from((await child.hear()) as string, "base64"), alice);
      expect(summary(served)).toEqual(SERVED);
      expect(isSignedBy(served, { certificate })).toBe(true);
      child.tell(`serve ${callFor(first.certificate).toString("base64")}`);
      const told = openAnswer(Buffer.from((await child.hear()) as string, "base64"), alice);
      expect(told.decoded).toMatchObject({ faultCode: 7025, faultString: certificate.pem });
    }
  });

  it("one rotates: the other one serves the new key as soon as a peer uses it", async () => {
    await usedSite();
    const [rotating, serving] = await Promise.all([ready(), ready()]);
    rotating.tell("rotate");
    const { to } = (await rotating.hear()) as { to: string };
    const { certificate: text } = (await storedKeys()).find(({ fingerprint }) => fingerprint === to)!;
    const certificate = Certificate.parse(text);
    serving.tell("advance 100");
    serving.tell(`serve ${callFor(certificate).toString("base64")}`);
    const served = openAnswer(Buffer.from((await serving.hear()) as string, "base64"), alice);
    expect(summary(served)).toEqual(SERVED);
  });
});
