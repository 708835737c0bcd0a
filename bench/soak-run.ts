import { setTimeout } from "node:timers/promises";
import type { MnetEvent } from "../src/core/events.ts";
import { defineService } from "../src/host/define-service.ts";
import type { Host } from "../src/host/host.ts";
import { t } from "../src/host/wire-type.ts";
import { DEFAULT_KEY_POLICY } from "../src/keys/key-policy.ts";
import { KeyRing } from "../src/keys/key-ring.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { testNetwork } from "../src/testing/test-network.ts";

/** What a soak does. */
export interface SoakOptions {
  readonly calls: number;
  /** Rotations, at most; each takes a fraction of a second for its key. */
  readonly rotations: number;
  /** The same seed makes the same plan, as far as it does not depend on how long things take. */
  readonly seed: number;
  /** Default 4. */
  readonly hosts?: number;
  /** Before a rotation, a peer gets a key of its own, or shares again (SEC-032). Default `false`. */
  readonly keyPairs?: boolean;
  readonly progress?: (counts: SoakCounts) => void;
}

/** What came of it. */
export interface SoakCounts {
  calls: number;
  /** Calls that failed, or gave something else than they should. */
  lost: number;
  /** Calls that were executed more than once. */
  twice: number;
  /** Calls of which nobody knows that were executed. */
  unknown: number;
  rotations: number;
  /** Peers that got a key of their own, each time. */
  ownKeys: number;
  /** Of the rotations: by another process of the site, which tells nobody. */
  silent: number;
  /** Of those: while calls were under way. */
  concurrent: number;
  /** A peer's new key was pinned. */
  rekeys: number;
  /** A peer was asked for its key because a signature did not verify. */
  refreshes: number;
  /** Calls that took two requests. */
  retries: number;
  /** HTTP exchanges. */
  exchanges: number;
  /** Requests that were refused on the way to success: 7025 and 710. */
  refusals: number;
  /** What the calls that were lost died of, by code. */
  readonly failures: Record<string, number>;
}

/** Longer than the refresh cooldown, which is 60 s; a day at most. */
const SHORTEST_INTERVAL_MS = 61_000;
const LONGEST_INTERVAL_MS = 24 * 60 * 60 * 1000;
/** What one process of a site does, the others have noticed by then. */
const NOTICED_AFTER_MS = 1000;
const BATCH = 8;
/** In real time, of a request and of an answer; and of one in twenty, which others overtake. */
const DELAY_MS = 8;
const LONG_DELAY_MS = 150;
/** As many rotations as an archive holds: whoever was silent longer is not understood any more. */
const GENERATIONS = DEFAULT_KEY_POLICY.generations;

const soak = defineService({
  name: "soak",
  methods: { record: { params: { id: t.string() }, returns: t.string() } },
});

/**
 * Hosts that call each other without end and rotate their keys on random sides, some announcing it and some not, some
 * while calls are under way. Nothing may be lost, nothing executed twice.
 */
export async function runSoak({
  calls,
  rotations,
  seed,
  hosts: count = 4,
  keyPairs = false,
  progress,
}: SoakOptions): Promise<SoakCounts> {
  const random = randomFrom(seed);
  const delays = randomFrom(seed + 1);
  const delay = (): number => delays.below(delays.below(20) === 0 ? LONG_DELAY_MS : DELAY_MS);
  const counts: SoakCounts = {
    calls: 0,
    lost: 0,
    twice: 0,
    unknown: 0,
    rotations: 0,
    ownKeys: 0,
    silent: 0,
    concurrent: 0,
    rekeys: 0,
    refreshes: 0,
    retries: 0,
    exchanges: 0,
    refusals: 0,
    failures: {},
  };
  const executed = new Map<string, number>();
  const service = soak.implement({
    record({ id }) {
      executed.set(id, (executed.get(id) ?? 0) + 1);
      return `done ${id}`;
    },
  });

  const network = testNetwork();
  const observer = ({ type, peer }: Pick<MnetEvent, "type" | "peer">): void => {
    if (type === "key.rotated" && !peer) counts.rotations += 1;
    if (type === "key.created" && peer) counts.ownKeys += 1;
    if (type === "peer.key-changed") counts.rekeys += 1;
    if (type === "call.retried") counts.retries += 1;
    if (type === "call.refused") counts.refusals += 1;
  };
  const sites: Site[] = [];
  for (let n = 0; n < count; n += 1) {
    const store = memoryStore();
    const host = await network.host(`https://site-${n}.test`, {
      store,
      services: [service],
      observer,
      transport: {
        async exchange(request) {
          counts.exchanges += 1;
          if (Buffer.from(request.body ?? []).includes("<methodName>system/keyswap")) counts.refreshes += 1;
          await setTimeout(delay());
          const response = await network.transport.exchange(request);
          await setTimeout(delay());
          return response;
        },
      },
    });
    const { keys } = store;
    const ring = new KeyRing({
      store: keys,
      site: host,
      policy: DEFAULT_KEY_POLICY,
      clock: network.clock,
      emit: observer,
    });
    sites.push({ host, ring, rotations: 0, knownTo: new Map() });
  }
  for (const a of sites) {
    for (const b of sites) {
      if (sites.indexOf(a) < sites.indexOf(b)) await network.connect(a.host, b.host, { soak: "both" });
    }
  }
  // Adding each other is not what is counted.
  counts.exchanges = 0;
  counts.refreshes = 0;

  const directions = sites.flatMap((from) => sites.filter((to) => to !== from).map((to) => ({ from, to })));
  let last = 0;
  const call = async ({ from, to }: Direction): Promise<void> => {
    last += 1;
    const id = String(last);
    const before = { from: from.rotations, to: to.rotations };
    try {
      const peer = await from.host.peers.get(to.host.wwwroot);
      const result = await from.host.call(peer, soak.methods.record, { id });
      if (result !== `done ${id}`) throw new Error("The answer is another call's.");
    } catch (error) {
      counts.lost += 1;
      const code = (error as { readonly code?: string }).code ?? String(error);
      const { faultCode = "" } = error as { readonly faultCode?: number };
      const name = `${code} ${faultCode}`.trim();
      counts.failures[name] = (counts.failures[name] ?? 0) + 1;
    }
    counts.calls += 1;
    const times = executed.get(id) ?? 0;
    executed.delete(id);
    if (times === 0) counts.unknown += 1;
    if (times > 1) counts.twice += 1;
    from.knownTo.set(to, before.from);
    to.knownTo.set(from, before.to);
  };
  const batch = (size: number): Promise<unknown> =>
    Promise.all(Array.from({ length: Math.min(size, calls - last) }, () => call(random.of(directions))));

  /** A peer that would otherwise miss more rotations than it may is called first. */
  const remind = async (site: Site, allowed: number): Promise<void> => {
    for (const from of sites) {
      const missed = site.rotations - (site.knownTo.get(from) ?? 0);
      if (from !== site && missed >= allowed) await call({ from, to: site });
    }
  };
  const rotate = async (site: Site): Promise<void> => {
    if (random.below(2) === 0) {
      await site.host.keys.rotate();
      return;
    }
    counts.silent += 1;
    await site.ring.rotate();
  };

  const changeOver = async (): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      const { from, to } = random.of(directions);
      const keyPair = random.below(3) === 0 ? "shared" : "own";
      await from.host.peers.set(await from.host.peers.get(to.host.wwwroot), { keyPair });
    }
  };

  while (last < calls) {
    await batch(1 + random.below(BATCH));
    // Spread over the whole run.
    if (last < calls && counts.rotations * calls < rotations * last) {
      await network.clock.advance(SHORTEST_INTERVAL_MS + random.below(LONGEST_INTERVAL_MS - SHORTEST_INTERVAL_MS));
      const chosen = sites.filter(() => random.below(count) === 0);
      if (chosen.length === 0) chosen.push(random.of(sites));
      const areCallsUnderWay = random.below(3) === 0;
      if (keyPairs) await changeOver();
      // A call that meets two new keys of its peer fails, and should (MNET-107).
      const allowed = !areCallsUnderWay ? GENERATIONS - 1 : keyPairs ? 0 : 1;
      for (const site of chosen) await remind(site, allowed);
      const rotating = { isOver: false };
      const rotated = Promise.all(chosen.map(rotate)).finally(() => (rotating.isOver = true));
      if (areCallsUnderWay) {
        counts.concurrent += chosen.length;
        // Some calls are signed with the old key and arrive after the peer has heard of the new one.
        while (!rotating.isOver && last < calls) await batch(BATCH);
      }
      await rotated;
      await network.clock.advance(NOTICED_AFTER_MS);
      for (const site of chosen) site.rotations += 1;
    }
    progress?.(counts);
  }
  await network[Symbol.asyncDispose]();
  return counts;
}

interface Site {
  readonly host: Host & { call: Host["call"] };
  /** Another process of the same site. */
  readonly ring: KeyRing;
  /** Those that all its processes have noticed. */
  rotations: number;
  /** How many there had been at the last call from or to each peer. */
  readonly knownTo: Map<Site, number>;
}
interface Direction {
  readonly from: Site;
  readonly to: Site;
}

interface Random {
  below(limit: number): number;
  of<T>(list: readonly T[]): T;
}

/** Marsaglia's xorshift32: a soak that found something can be repeated. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0 || 1;
  const below = (limit: number): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
  return {
    below,
    of<T>(list: readonly T[]): T {
      const chosen = list[below(list.length)];
      if (chosen === undefined) throw new Error("Nothing to choose from.");
      return chosen;
    },
  };
}
