import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { PeerId } from "../../core/ids.ts";
import type { Store } from "../../host/store.ts";
import type { IssuedToken, Redemption, TokenGrace } from "../../service-stores/token-store.ts";
import { type Checks, HOSTILE_TEXTS, race, START } from "./check.ts";

const [ONE, TWO] = [1 as PeerId, 2 as PeerId];
const UA = "a".repeat(40);
const ONCE: TokenGrace = { uses: 1, withinMs: 0 };
const GRACE: TokenGrace = { uses: 3, withinMs: 10_000 };
const LIFETIME_MS = 30_000;
const MANY = 1000;

/** Tokens of single sign-on. */
export const TOKEN_CHECKS: Checks = {
  "SEC-063 tokens: one that was issued is redeemed by everybody's first call, with all that was said of it": async (
    store,
    other,
  ) => {
    const given = token("a");
    await store.tokens.issue(given);
    assert.deepEqual(await redeem(other, given), { outcome: "redeemed", token: given });
    assert.deepEqual(await redeem(store, given), { outcome: "used" });
    assert.deepEqual(await redeem(other, given), { outcome: "used" });
  },
  "tokens: one that was never issued is absent": async (store) => {
    await store.tokens.issue(token("a"));
    for (const hash of [token("b").hash, "", ...HOSTILE_TEXTS]) {
      assert.deepEqual(await redeem(store, { ...token("a"), hash }), { outcome: "absent" });
    }
  },
  "SEC-062 tokens: another peer, or another user agent, finds none and uses nothing up": async (store, other) => {
    const given = token("a");
    await store.tokens.issue(given);
    for (const wrong of [{ peer: TWO }, { userAgentHash: "b".repeat(40) }, { userAgentHash: UA.toUpperCase() }]) {
      assert.deepEqual(await redeem(other, { ...given, ...wrong }, GRACE), { outcome: "absent" });
    }
    assert.equal((await redeem(store, given)).outcome, "redeemed");
    // Nor is anybody else told that it was used.
    assert.deepEqual(await redeem(other, { ...given, peer: TWO }, GRACE), { outcome: "absent" });
  },
  "SEC-063 tokens: a first use at exactly its end is too late": async (store, other) => {
    await store.tokens.issue(token("a"));
    await store.tokens.issue(token("b"));
    assert.deepEqual(await redeem(store, token("a"), GRACE, START + LIFETIME_MS), { outcome: "expired" });
    assert.deepEqual(await redeem(other, token("a"), GRACE, START + LIFETIME_MS + 1), { outcome: "expired" });
    assert.equal((await redeem(other, token("b"), GRACE, START + LIFETIME_MS - 1)).outcome, "redeemed");
  },
  "SEC-063 tokens: within the grace one answers again, so often and no longer, even after its end": async (
    store,
    other,
  ) => {
    const first = START + LIFETIME_MS - 1;
    for (const name of ["a", "b"]) await store.tokens.issue(token(name));
    assert.equal((await redeem(store, token("a"), GRACE, first)).outcome, "redeemed");
    assert.deepEqual(await redeem(other, token("a"), GRACE, first + 9999), { outcome: "redeemed", token: token("a") });
    assert.equal((await redeem(store, token("a"), GRACE, first + 5)).outcome, "redeemed");
    assert.deepEqual(await redeem(other, token("a"), GRACE, first + 5), { outcome: "used" });
    assert.equal((await redeem(store, token("b"), GRACE, first)).outcome, "redeemed");
    assert.deepEqual(await redeem(other, token("b"), GRACE, first + 10_000), { outcome: "used" });
    assert.equal((await redeem(other, token("b"), GRACE, first + 9999)).outcome, "redeemed");
  },
  "SEC-063 tokens: the grace counts from the first use, not from the last": async (store) => {
    await store.tokens.issue(token("a"));
    const grace = { uses: 9, withinMs: 100 };
    const outcomes = [];
    for (const at of [0, 60, 99, 100]) outcomes.push((await redeem(store, token("a"), grace, START + at)).outcome);
    assert.deepEqual(outcomes, ["redeemed", "redeemed", "redeemed", "used"]);
  },
  "SEC-063 tokens: a clock that runs behind does not end the grace": async (store, other) => {
    await store.tokens.issue(token("a"));
    assert.equal((await redeem(store, token("a"), GRACE, START + 50)).outcome, "redeemed");
    assert.equal((await redeem(other, token("a"), GRACE, START)).outcome, "redeemed");
  },
  "SEC-063 tokens: of a thousand who redeem one at once, one gets it": async (store, other) => {
    await store.tokens.issue(token("a"));
    assert.deepEqual(await counted(store, other, ONCE), { redeemed: 1, used: MANY - 1 });
  },
  "SEC-062 SEC-063 tokens: of a thousand who redeem one at once with a grace of three, three of the issuing peer get it":
    async (store, other) => {
      await store.tokens.issue(token("a"));
      assert.deepEqual(await counted(store, other, GRACE, [ONE, TWO]), {
        redeemed: 3,
        used: MANY / 2 - 3,
        absent: MANY / 2,
      });
      const late = START + GRACE.withinMs;
      assert.deepEqual(await redeem(store, token("a"), GRACE, late), { outcome: "used" });
    },
  "SEC-057 tokens: quotes, backslashes and Unicode come back from every text as they were": async (store, other) => {
    for (const [index, text] of HOSTILE_TEXTS.entries()) {
      const given = { ...token(`${index}`), accountId: text, sessionId: text, userAgentHash: text };
      await store.tokens.issue(given);
      assert.deepEqual(await redeem(other, given), { outcome: "redeemed", token: given });
    }
  },
  "tokens: the longest values fit": async (store, other) => {
    const long = "\u{1f600}".repeat(255);
    const given = { ...token("a"), accountId: long, sessionId: long, expiresAt: Number.MAX_SAFE_INTEGER };
    await store.tokens.issue(given);
    assert.deepEqual(await redeem(other, given), { outcome: "redeemed", token: given });
  },
  "SEC-084 tokens: prune forgets those that expired before a moment, at most so many, the oldest first": async (
    store,
    other,
  ) => {
    for (const index of [3, 1, 2, 4]) {
      await store.tokens.issue({ ...token(`${index}`), expiresAt: START + index });
    }
    assert.equal(await store.tokens.prune(START + 1, 10), 0);
    assert.equal(await store.tokens.prune(START + 4, 1), 1);
    assert.equal(await other.tokens.prune(START + 4, 1), 1);
    const outcomes = [];
    for (const index of [1, 2, 3, 4]) outcomes.push((await redeem(store, token(`${index}`), ONCE, START + 9)).outcome);
    assert.deepEqual(outcomes, ["absent", "absent", "expired", "expired"]);
    assert.equal(await store.tokens.prune(START + 4, 10), 1);
    assert.equal(await store.tokens.prune(START + 5, 10), 1);
    assert.equal(await store.tokens.prune(START + 5, 10), 0);
  },
  "SEC-084 tokens: many are pruned in one go, used ones too": async (store, other) => {
    for (let index = 0; index < 450; index += 1) await store.tokens.issue(token(`${index}`));
    await redeem(other, token("7"));
    assert.equal(await store.tokens.prune(START + LIFETIME_MS + 1, 1000), 450);
    assert.deepEqual(await redeem(other, token("7")), { outcome: "absent" });
  },
};

/** A token of the first peer that ends in 30 seconds. */
const token = (name: string): IssuedToken => ({
  hash: createHash("sha256").update(name).digest("hex"),
  peer: ONE,
  accountId: `account of ${name}`,
  sessionId: `session of ${name}`,
  userAgentHash: UA,
  expiresAt: START + LIFETIME_MS,
});

const redeem = (
  store: Store,
  { hash, peer, userAgentHash }: IssuedToken,
  grace = ONCE,
  now = START,
): Promise<Redemption> => store.tokens.redeem(hash, { peer, userAgentHash }, grace, now);

/** What a thousand calls at once get, by turns of these peers. */
async function counted(
  store: Store,
  other: Store,
  grace: TokenGrace,
  peers: readonly PeerId[] = [ONE],
): Promise<Partial<Record<Redemption["outcome"], number>>> {
  const counts: Partial<Record<Redemption["outcome"], number>> = {};
  await race(
    async (contender, index) => {
      // By pairs, so that each store has calls of each peer.
      const peer = peers[(index >> 1) % peers.length] ?? ONE;
      const { outcome } = await redeem(contender, { ...token("a"), peer }, grace);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    },
    store,
    other,
    MANY,
  );
  return counts;
}
