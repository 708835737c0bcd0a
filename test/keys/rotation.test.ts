import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import type { NewEvent } from "../../src/core/events.ts";
import type { Wwwroot } from "../../src/core/ids.ts";
import type { Certificate } from "../../src/crypto/certificate.ts";
import { encryptMessage, type EncryptedMessage } from "../../src/envelope/encrypted-message.ts";
import { readEnvelope } from "../../src/envelope/open.ts";
import { signMessage } from "../../src/envelope/signed-message.ts";
import { DEFAULT_KEY_POLICY, type KeyPolicy } from "../../src/keys/key-policy.ts";
import { KeyRing } from "../../src/keys/key-ring.ts";
import type { KeyStore } from "../../src/keys/key-store.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { fakeClock, type FakeClock } from "../../src/testing/fake-clock.ts";
import { codeOf } from "../support/code-of.ts";
import { rig, request } from "../support/hosts.ts";
import { makeSite } from "../support/sites.ts";

const SITE = { wwwroot: "https://lms.example.edu", name: "Example LMS" };
const DAY = 24 * 60 * 60 * 1000;
const sender = makeSite("https://alice.example");

interface Rings {
  readonly clock: FakeClock;
  readonly store: KeyStore;
  readonly events: NewEvent[];
  /** How often the store was asked for all keys. */
  readonly reads: () => number;
  /** One more process on the same store. */
  readonly ring: () => KeyRing;
}
function rings(policy: Partial<KeyPolicy> = {}): Rings {
  const clock = fakeClock();
  const { keys } = memoryStore();
  const events: NewEvent[] = [];
  let reads = 0;
  const store: KeyStore = {
    ...keys,
    list() {
      reads += 1;
      return keys.list();
    },
  };
  return {
    clock,
    store,
    events,
    reads: () => reads,
    ring: () =>
      new KeyRing({
        store,
        site: SITE,
        // Keys of 1024 bits are made ten times as fast.
        policy: { ...DEFAULT_KEY_POLICY, modulusBits: 1024, ...policy },
        clock,
        emit: (event) => void events.push(event),
      }),
  };
}
const currentOf = async (ring: KeyRing): Promise<Certificate> => (await ring.active()).current.certificate;

/** A message for one of our keys. */
function messageTo(recipient: Certificate): EncryptedMessage {
  const signed = signMessage(Buffer.from("<a/>"), { sender: sender.wwwroot, key: sender.key, timestamp: new Date(0) });
  const envelope = readEnvelope(encryptMessage(signed, { sender: sender.wwwroot, recipient }));
  if (envelope.kind !== "encrypted") throw new Error("It is not encrypted.");
  return envelope.message;
}

describe("the archive", () => {
  it.each([0, 1, 3, 7])(
    "MNET-021 MNET-022 of %i generations opens as many, and forgets older ones",
    async (generations) => {
      const { ring: make, clock, store } = rings({ generations });
      const ring = make();
      const made = [await currentOf(ring)];
      for (let n = 0; n < generations + 2; n += 1) {
        await clock.advance(1000);
        await ring.rotate();
        made.unshift(await currentOf(ring));
      }
      const codes = await Promise.all(made.map((certificate) => codeOf(() => ring.decrypt(messageTo(certificate)))));
      const opened = codes.map((code) => code === "accepted");
      expect(opened).toEqual(made.map((_, age) => age <= generations));
      expect((await store.list()).map(({ state }) => state)).toEqual([
        "current",
        ...Array.from({ length: generations }, () => "archived"),
      ]);
    },
  );

  it("MNET-021 says which key opened the message, and which one is current", async () => {
    const { ring: make, clock } = rings();
    const ring = make();
    const first = await currentOf(ring);
    await clock.advance(1000);
    await ring.rotate();
    const { keys, decrypted } = await ring.decrypt(messageTo(first));
    expect(decrypted.openedWith.certificate.fingerprint).toBe(first.fingerprint);
    expect(keys.current.certificate.fingerprint).not.toBe(first.fingerprint);
  });
});

describe("a clock that was wrong", () => {
  it("MNET-021 the key that is replaced is not dropped for one that was made at a later hour", async () => {
    const { keys: store } = memoryStore();
    let now = new Date("2026-06-01T00:00:00Z").getTime();
    const ring = new KeyRing({
      store,
      site: SITE,
      policy: { ...DEFAULT_KEY_POLICY, modulusBits: 1024 },
      clock: { now: () => now, after: () => () => undefined },
      emit: () => undefined,
    });
    for (let n = 0; n < 4; n += 1) {
      await ring.rotate();
      now += 1000;
    }
    now -= 150 * DAY;
    const made = [await currentOf(ring)];
    for (let n = 0; n < 3; n += 1) {
      await ring.rotate();
      now += 1000;
      made.unshift(await currentOf(ring));
    }
    const { current, archived } = await ring.active();
    const inUse = [current, ...archived].map(({ certificate }) => certificate.fingerprint);
    expect(inUse).toEqual(made.map(({ fingerprint }) => fingerprint));
  });
});

describe("SEC-049 rotation before expiry", () => {
  it("happens when it is due, and not before", async () => {
    const { ring: make, clock, events } = rings();
    const ring = make();
    const first = await currentOf(ring);
    await clock.advance(0.8 * 28 * DAY - 1);
    expect(await ring.rotateIfDue()).toBe(false);
    expect((await currentOf(ring)).fingerprint).toBe(first.fingerprint);
    await clock.advance(1);
    expect(await ring.rotateIfDue()).toBe(true);
    expect((await currentOf(ring)).fingerprint).not.toBe(first.fingerprint);
    expect(await ring.rotateIfDue()).toBe(false);
    expect(events.map(({ type }) => type)).toEqual(["key.created", "key.rotated"]);
  });

  it("of several processes at once one does it, and knows that it was the one", async () => {
    const { ring: make, clock, events } = rings();
    await make().active();
    await clock.advance(23 * DAY);
    const processes = [make(), make(), make()];
    const done = await Promise.all(processes.map((ring) => ring.rotateIfDue()));
    expect(done.filter(Boolean)).toHaveLength(1);
    expect(new Set((await Promise.all(processes.map(currentOf))).map(({ fingerprint }) => fingerprint)).size).toBe(1);
    expect(events.filter(({ type }) => type === "key.rotated")).toHaveLength(1);
  });

  it("of a key that has expired meanwhile is one rotation, too", async () => {
    for (const rotate of [(ring: KeyRing) => ring.rotate(), (ring: KeyRing) => ring.rotateIfDue()]) {
      const { ring: make, clock, store, events } = rings();
      const ring = make();
      const first = await currentOf(ring);
      await clock.advance(40 * DAY);
      await rotate(ring);
      expect(events.map(({ type }) => type)).toEqual(["key.created", "key.rotated"]);
      expect(events.at(-1)).toMatchObject({ from: first.fingerprint });
      expect(await store.list()).toHaveLength(2);
    }
  });

  it("leaves time: messages are remembered until no process takes any for that key", async () => {
    const { ring: make } = rings();
    const ring = make();
    const certificate = await currentOf(ring);
    expect(ring.retiredAt(certificate).getTime() - certificate.notAfter.getTime()).toBe(60_000);
  });
});

describe("what another process did a moment ago", () => {
  it("a message for a key that it made is opened, and the store asked once", async () => {
    const { ring: make, clock, reads } = rings();
    const [ours, other] = [make(), make()];
    await ours.active();
    await other.rotate();
    await clock.advance(100);
    const before = reads();
    const { keys, decrypted } = await ours.decrypt(messageTo(await currentOf(other)));
    expect(decrypted.openedWith).toBe(keys.current);
    expect(reads() - before).toBe(1);
    expect((await currentOf(ours)).fingerprint).toBe((await currentOf(other)).fingerprint);
  });

  it("any number of messages for nobody ask the store ten times a second, after the first fifty", async () => {
    const { ring: make, clock, reads } = rings();
    const ring = make();
    const message = messageTo(makeSite(SITE.wwwroot).certificate);
    await ring.active();
    const before = reads();
    for (let turn = 0; turn < 200; turn += 1) {
      expect(await codeOf(() => ring.decrypt(message))).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
      await clock.advance(10);
    }
    expect(reads() - before).toBeLessThanOrEqual(70);
  });

  it("is seen at once by who doubts, however lately the keys were read", async () => {
    const { ring: make } = rings();
    const [ours, other] = [make(), make()];
    const first = await currentOf(ours);
    await other.rotate();
    expect((await ours.active()).current.certificate.fingerprint).toBe(first.fingerprint);
    expect((await ours.recent()).current.certificate.fingerprint).toBe((await currentOf(other)).fingerprint);
  });

  it("SEC-050 a key that it revoked opens nothing here a moment later", async () => {
    const { ring: make, clock } = rings();
    const [ours, other] = [make(), make()];
    const stolen = await currentOf(ours);
    await other.revoke(stolen.fingerprint, "stolen");
    await clock.advance(5000);
    expect(await codeOf(() => ours.decrypt(messageTo(stolen)))).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
    const replacement = await currentOf(other);
    expect(await codeOf(() => ours.decrypt(messageTo(replacement)))).toBe("accepted");
  });
});

describe("SEC-051 private keys stay where they are", () => {
  it("a revoked or forgotten key leaves the store", async () => {
    const { ring: make, clock, store } = rings({ generations: 1 });
    const ring = make();
    const first = await currentOf(ring);
    for (let n = 0; n < 2; n += 1) {
      await clock.advance(1000);
      await ring.rotate();
    }
    const second = (await ring.active()).archived[0]!.certificate;
    await ring.revoke(second.fingerprint, "stolen");
    const stored = await store.list();
    expect(stored.map(({ fingerprint }) => fingerprint)).not.toContain(first.fingerprint);
    expect(stored.find(({ fingerprint }) => fingerprint === second.fingerprint)).toMatchObject({
      state: "revoked",
      privateKey: new Uint8Array(),
    });
  });

  it("no public object shows one: not inspected, not as JSON, not over HTTP", async () => {
    await using us = await rig();
    await us.host.keys.rotate();
    const revoked = await us.host.keys.revoke(us.ours.certificate.fingerprint, { reason: "stolen" });
    const peer = await us.host.peers.get(us.alice.wwwroot);
    const failed = await us.host.call(peer, "system/listServices").catch((error: unknown) => error);
    const published = await request(us.host, { method: "GET", path: "/moodle/mnet/publickey.php" });
    const shown = [
      us.host,
      await us.host.keys.current(),
      await us.host.keys.all(),
      revoked,
      peer,
      failed,
      us.events,
      published,
    ];
    const text = shown
      .map((value) => inspect(value, { depth: 30, showHidden: true, getters: true }) + JSON.stringify(value))
      .join("\n");
    expect(text).toContain("BEGIN CERTIFICATE");
    expect(text).not.toMatch(/PRIVATE KEY|PrivateKeyObject/);
    for (const { privateKey } of await us.store.keys.list()) {
      const secret = Buffer.from(privateKey).toString("latin1").split("\n")[5];
      if (secret) expect(text).not.toContain(secret);
    }
    expect(us.host.wwwroot satisfies Wwwroot).toBeDefined();
  });
});
