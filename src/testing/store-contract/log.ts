import assert from "node:assert/strict";
import type { MnetEvent } from "../../core/events.ts";
import type { Cursor, PeerId, Wwwroot } from "../../core/ids.ts";
import type { Page } from "../../core/listing.ts";
import type { LogEntry, LogFilter } from "../../host/log-store.ts";
import { type Checks, CONTENDERS, HOSTILE_TEXTS, race, START } from "./check.ts";
import { event, everyEntry, numberOf } from "./sample-events.ts";
import { fingerprint } from "./sample-keys.ts";

/** What happened. */
export const LOG_CHECKS: Checks = {
  "SEC-090 log: entries are listed newest first, with numbers that go up": async (store, other) => {
    assert.deepEqual(await store.log.list({}, undefined, 10), { items: [] });
    await store.log.append([]);
    await store.log.append([event(1), event(2)]);
    await other.log.append([event(3)]);
    const entries = await everyEntry(store);
    assert.deepEqual(entries.map(numberOf), [3, 2, 1]);
    const sequences = entries.map(({ sequence }) => sequence);
    assert.deepEqual(
      sequences,
      [...new Set(sequences)].sort((a, b) => b - a),
    );
  },
  "log: every type of event comes back as it was, dates as dates": async (store, other) => {
    const peerRef = { id: 7 as PeerId, wwwroot: "https://seven.test" as Wwwroot };
    const base = { at: new Date(START + 123), level: "info", peer: peerRef, exchange: "x-1" } as const;
    const sizes = { method: "m", durationMs: 1.5, bytesIn: 10, bytesOut: 20 };
    const events: readonly MnetEvent[] = [
      { ...base, type: "call.served", ...sizes, faultCode: 17 },
      {
        ...base,
        type: "call.refused",
        code: "MNET_ENVELOPE_REPLAYED",
        faultCode: 7020,
        detail: "d",
        remoteAddress: "::1",
      },
      { ...base, type: "call.sent", ...sizes },
      { ...base, type: "call.failed", method: "m", durationMs: 0, code: "MNET_TRANSPORT_TIMEOUT" },
      { ...base, type: "envelope.remark", remark: "r" },
      { ...base, type: "clock.off", offsetMs: -1234 },
      { ...base, type: "peer.added", wwwroot: "https://seven.test", by: "itself" },
      { ...base, type: "peer.changed", state: "suspended", changed: ["state", "services"] },
      { ...base, type: "peer.key-expiring", notAfter: new Date(START + 456), daysLeft: 3 },
      { at: base.at, level: "debug", type: "key.created", fingerprint: fingerprint("a") },
    ];
    await store.log.append(events);
    const entries = (await everyEntry(other)).toReversed();
    assert.deepEqual(
      entries.map(({ sequence: _, ...rest }) => rest),
      events,
    );
  },
  "log: takes whatever a handler threw; of an error it keeps name and message": async (store) => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    const error = Object.assign(new RangeError("too far"), { token: "secret", cause: circular });
    for (const thrown of [error, circular, undefined, null, "text", 5, 5n, Symbol("s"), () => 1, new Map()]) {
      await store.log.append([
        { type: "handler.failed", method: "m", error: thrown, at: new Date(START), level: "error" },
      ]);
    }
    const entries = (await everyEntry(store)).toReversed();
    assert.equal(entries.length, 10);
    const [first] = entries;
    assert.ok(first?.type === "handler.failed");
    assert.deepEqual(first.error, { name: "RangeError", message: "too far" });
  },
  "SEC-057 log: quotes, backslashes and Unicode come back from every text as they were": async (store) => {
    for (const text of [...HOSTILE_TEXTS, "nul \0 in it", "\u{1f600}".repeat(20_000)]) {
      const given: MnetEvent = { ...event(1), type: "envelope.remark", remark: text, exchange: text };
      await store.log.append([given]);
      const { items } = await store.log.list({}, undefined, 1);
      assert.deepEqual(items, [{ ...given, sequence: items[0]?.sequence }]);
    }
    for (const text of HOSTILE_TEXTS) {
      assert.deepEqual(await everyEntry(store, { type: text as MnetEvent["type"] }), []);
      assert.deepEqual(await everyEntry(store, { code: text as "MNET_KEY_HELD" }), []);
    }
  },
  "log: what a caller does to its copy does not reach the store": async (store) => {
    const given: MnetEvent = {
      type: "peer.changed",
      state: "active",
      changed: ["name"],
      at: new Date(START),
      level: "info",
    };
    await store.log.append([given]);
    given.at.setTime(0);
    const spoil = (entry: LogEntry | undefined): void => {
      assert.ok(entry?.type === "peer.changed");
      (entry.changed as string[]).push("spoilt");
      entry.at.setTime(0);
    };
    spoil((await everyEntry(store))[0]);
    const [entry] = await everyEntry(store);
    assert.ok(entry?.type === "peer.changed");
    assert.deepEqual(entry.changed, ["name"]);
    assert.equal(entry.at.getTime(), START);
  },
  "log: filters by peer, type, code and time, and by all of them": async (store) => {
    const at = (ms: number): Date => new Date(START + ms);
    const from = (id: number) => ({ id: id as PeerId, wwwroot: `https://${id}.test` as Wwwroot });
    await store.log.append([
      {
        type: "call.failed",
        method: "1",
        durationMs: 1,
        code: "MNET_PEER_UNKNOWN",
        at: at(1),
        level: "warn",
        peer: from(1),
      },
      {
        type: "call.failed",
        method: "2",
        durationMs: 1,
        code: "MNET_KEY_HELD",
        at: at(2),
        level: "warn",
        peer: from(1),
      },
      {
        type: "call.failed",
        method: "3",
        durationMs: 1,
        code: "MNET_KEY_HELD",
        at: at(3),
        level: "warn",
        peer: from(2),
      },
      { type: "call.unchecked", method: "4", at: at(4), level: "info", peer: from(2) },
      { type: "call.unchecked", method: "5", at: at(4), level: "info" },
      { type: "call.refused", detail: "6", faultCode: 7, code: "MNET_KEY_HELD", at: at(5), level: "warn" },
    ]);
    const found = async (filter: LogFilter): Promise<readonly number[]> =>
      (await everyEntry(store, filter, 1)).map(numberOf);
    assert.deepEqual(await found({}), [6, 5, 4, 3, 2, 1]);
    assert.deepEqual(await found({ peer: undefined, type: undefined, code: undefined }), [6, 5, 4, 3, 2, 1]);
    assert.deepEqual(await found({ peer: from(1) }), [2, 1]);
    assert.deepEqual(await found({ peer: from(9) }), []);
    assert.deepEqual(await found({ type: "call.unchecked" }), [5, 4]);
    assert.deepEqual(await found({ code: "MNET_KEY_HELD" }), [6, 3, 2]);
    assert.deepEqual(await found({ since: at(4) }), [6, 5, 4]);
    assert.deepEqual(await found({ until: at(4) }), [3, 2, 1]);
    assert.deepEqual(await found({ since: at(2), until: at(3) }), [2]);
    assert.deepEqual(await found({ since: at(3), until: at(3) }), []);
    assert.deepEqual(await found({ peer: from(2), code: "MNET_KEY_HELD" }), [3]);
    const all = { peer: from(1), type: "call.failed", code: "MNET_KEY_HELD", since: at(2), until: at(3) } as const;
    assert.deepEqual(await found(all), [2]);
  },
  "log: pages have no gap and no double, whatever their size and while entries are added": async (store, other) => {
    await store.log.append(Array.from({ length: 10 }, (_, index) => event(index + 1)));
    for (const limit of [1, 2, 3, 9, 10, 11]) {
      const seen: number[] = [];
      let after: Cursor | undefined;
      do {
        const page: Page<LogEntry> = await store.log.list({ until: new Date(START + 11) }, after, limit);
        assert.ok(page.items.length <= limit);
        seen.push(...page.items.map(numberOf));
        after = page.next;
        await other.log.append([event(100)]);
      } while (after !== undefined);
      assert.deepEqual(seen, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1], `pages of ${limit}`);
    }
  },
  "log: many who append at once lose nothing, and each keeps its order": async (store, other) => {
    await race(
      (contender, index) => contender.log.append(Array.from({ length: 30 }, (_, turn) => event(index * 100 + turn))),
      store,
      other,
    );
    const entries = await everyEntry(store, {}, 97);
    assert.equal(new Set(entries.map(numberOf)).size, CONTENDERS * 30);
    assert.equal(new Set(entries.map(({ sequence }) => sequence)).size, CONTENDERS * 30);
    for (let index = 0; index < CONTENDERS; index += 1) {
      const own = entries.map(numberOf).filter((number) => Math.floor(number / 100) === index);
      assert.deepEqual(
        own,
        [...own].sort((a, b) => b - a),
      );
    }
  },
  "log: takes many events in one go": async (store) => {
    await store.log.append(Array.from({ length: 2500 }, (_, index) => event(index)));
    const entries = await everyEntry(store, {}, 1000);
    assert.deepEqual(
      entries.map(numberOf),
      Array.from({ length: 2500 }, (_, index) => 2499 - index),
    );
  },
  "log: prune forgets what is older than a moment, the oldest first, at most so many": async (store, other) => {
    await store.log.append([1, 2, 3, 4, 5, 6].map(event));
    assert.equal(await store.log.prune(START + 1, 10), 0);
    assert.equal(await store.log.prune(START + 5, 3), 3);
    assert.deepEqual((await everyEntry(other)).map(numberOf), [6, 5, 4]);
    assert.equal(await other.log.prune(START + 5, 3), 1);
    assert.equal(await other.log.prune(START + 5, 3), 0);
    assert.deepEqual((await everyEntry(store)).map(numberOf), [6, 5]);
  },
  "log: prune keeps what is new enough, wherever it stands": async (store) => {
    // Clocks of several processes differ: an older event may come later.
    await store.log.append([9, 1, 8, 2, 7, 3].map(event));
    assert.equal(await store.log.prune(START + 5, 2), 2);
    assert.deepEqual((await everyEntry(store)).map(numberOf), [3, 7, 8, 9]);
  },
  "log: numbers are not used again after everything was forgotten": async (store, other) => {
    await store.log.append([event(1), event(2)]);
    const last = (await everyEntry(store))[0]?.sequence ?? NaN;
    assert.equal(await other.log.prune(START + 9, 10), 2);
    await store.log.append([event(3)]);
    const [next] = await everyEntry(store);
    assert.ok(next && next.sequence > last);
  },
};
