import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Emit, NewEvent } from "../../src/core/events.ts";
import type { PeerId } from "../../src/core/ids.ts";
import type { VerifiedMessage } from "../../src/envelope/verified-message.ts";
import type { PeerRecord } from "../../src/peer/peer-store.ts";
import { ReplayGuard } from "../../src/peer/replay-guard.ts";
import type { ReplayStore } from "../../src/peer/replay-store.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { fakeClock, type FakeClock } from "../../src/testing/fake-clock.ts";
import { codeOf } from "../support/code-of.ts";

const alice = { id: 1 as PeerId, wwwroot: "https://alice.example" } as PeerRecord;
const bob = { id: 2 as PeerId, wwwroot: "https://bob.example" } as PeerRecord;
/** What the guard looks at in a message: the hash of its session key. */
const withKey = (replayKey: string): VerifiedMessage => ({ replayKey }) as unknown as VerifiedMessage;
const message = (n: number): VerifiedMessage => withKey(createHash("sha256").update(String(n)).digest("hex"));

interface Guarded {
  readonly guard: ReplayGuard;
  readonly clock: FakeClock;
  readonly events: NewEvent[];
  readonly emit: Emit;
  /** Takes it for a key that is good for another hour. */
  readonly take: (n: number, peer?: PeerRecord) => Promise<string>;
}
function guarded(store: ReplayStore = memoryStore().replay): Guarded {
  const clock = fakeClock();
  const events: NewEvent[] = [];
  const emit: Emit = (event) => void events.push(event);
  const guard = new ReplayGuard({ store, clock });
  const until = new Date(clock.now() + 3_600_000);
  const take: Guarded["take"] = (n, peer = alice) => codeOf(() => guard.take(peer, message(n), until, emit));
  return { guard, clock, events, emit, take };
}

describe("SEC-033 a message is taken once", () => {
  it("the second time it is refused, with an event; another message is not", async () => {
    const { take, events } = guarded();
    expect(await take(1)).toBe("accepted");
    expect(await take(1)).toBe("MNET_ENVELOPE_REPLAYED");
    expect(await take(2)).toBe("accepted");
    expect(events).toMatchObject([{ type: "replay.refused", peer: alice }]);
  });

  it("of many at once one is taken", async () => {
    const { take } = guarded();
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => take(1)));
    expect(outcomes.filter((code) => code === "accepted")).toHaveLength(1);
  });

  it("of each peer: what one has sent keeps nobody else from sending it", async () => {
    const { take } = guarded();
    expect(await take(1)).toBe("accepted");
    expect(await take(1, bob)).toBe("accepted");
  });

  it("until the key that opens it is out of use, and no longer", async () => {
    const { take, clock } = guarded();
    await take(1);
    await clock.advance(3_599_999);
    expect(await take(1)).toBe("MNET_ENVELOPE_REPLAYED");
    await clock.advance(1);
    expect(await take(1)).toBe("accepted");
  });

  it("not where the store cannot tell: the call fails", async () => {
    const failure = new Error("The store is away.");
    const away: ReplayStore = { ...memoryStore().replay, remember: () => Promise.reject(failure) };
    await expect(guarded(away).guard.take(alice, message(1), new Date(1), () => undefined)).rejects.toBe(failure);
  });

  it("in memory that is bounded: of a million and one messages the oldest is forgotten, with an event", async () => {
    const { guard, take, events, emit, clock } = guarded();
    const until = new Date(clock.now() + 3_600_000);
    const candidate = (n: number): Promise<void> =>
      guard.take(alice, withKey(n.toString(36).padStart(64, "0")), until, emit);
    // Whoever can sign can make any number; others cannot make one.
    for (let n = 0; n < 1_000_000; n += 1) await candidate(n);
    expect(await take(-1, bob)).toBe("accepted");
    expect(events).toEqual([]);
    await candidate(1_000_000);
    expect(events).toMatchObject([{ type: "replay.evicted", level: "warn", peer: alice, entries: 1 }]);
    // The newest are still known, and so are those of others.
    expect(await codeOf(() => candidate(1_000_000))).toBe("MNET_ENVELOPE_REPLAYED");
    expect(await codeOf(() => candidate(1))).toBe("MNET_ENVELOPE_REPLAYED");
    expect(await take(-1, bob)).toBe("MNET_ENVELOPE_REPLAYED");
    expect(await codeOf(() => candidate(0))).toBe("accepted");
  }, 60_000);
});
