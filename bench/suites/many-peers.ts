import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";
import type { PeerId } from "../../src/core/ids.ts";
import type { StoreRecord } from "../../src/host/store-record.ts";
import type { Store } from "../../src/host/store.ts";
import { canonicalPem, Certificate } from "../../src/crypto/certificate.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import { encryptMessage } from "../../src/envelope/encrypted-message.ts";
import { signMessage } from "../../src/envelope/signed-message.ts";
import type { Host } from "../../src/host/host.ts";
import type { GeneratedKeyPair } from "../../src/keys/generate-key-pair.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { interleave, timeOfAsync, type Round } from "../support/interleave.ts";
import { CALLER, echoCalls, makeKey, peerOf, RPC_PATH, startServer } from "../support/sites.ts";
import type { Bound } from "../support/figures.ts";
import { ratios } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";

const FEW = 10;
const MANY = 100_000;
const COUNTS = [FEW, 1000, MANY];
/** Peers that call while others only could. */
const CALLING = 1000;
const CALLS_OF_ROUND = 50;
/** That of an echo has 4.8 KB, a fault less. */
const SHORTEST_ANSWER = 4096;

/** What a call costs a site that knows everybody. Each peer has a certificate of its own. */
export const manyPeers: Suite = {
  name: "many-peers",
  title: "Inbound call to a site with 100,000 peers instead of 10, one thread, 1 KB each way",
  async run(bench) {
    const directory = mkdtempSync(join(tmpdir(), "mnet-bench-"));
    const key = await makeKey(CALLER);
    const sites: Record<string, Site> = {};
    try {
      for (const peers of COUNTS) {
        sites[`memory-${peers}`] = await Site.start(memoryStore(), key, peers);
        sites[`sqlite-${peers}`] = await Site.start(openStore(`sqlite:${join(directory, `${peers}.db`)}`), key, peers);
      }
      const contenders = Object.entries(sites).flatMap(([name, site]): [string, Round][] => [
        [name, () => site.callsOfCallers()],
        ...(site.peers === MANY ? [[`${name}-first`, () => site.firstCalls()] satisfies [string, Round]] : []),
      ]);
      const rounds = { rounds: bench.either(40, 6), warmUp: bench.either(5, 2) };
      const costs = await interleave(Object.fromEntries(contenders), rounds);
      for (const [store, title] of Object.entries({ memory: "Memory store", sqlite: "SQLite" })) {
        const few = costs[`${store}-${FEW}`] ?? [];
        const add = (id: string, what: string, of: string, bound?: Bound): void =>
          bench.add(
            `many-peers.${id}`,
            `${title}: ${what} / among ${FEW}`,
            ratios(costs[`${store}-${of}`] ?? [], few),
            {
              unit: "×",
              ...(bound && { bound }),
            },
          );
        add(store, "call among 100,000 peers", `${MANY}`, { atMost: 1.1 });
        add(`${store}-1000`, "call among 1,000 peers", "1000");
        add(`${store}-first`, "first call of one of 100,000 peers, whose certificate has to be read", `${MANY}-first`);
      }
    } finally {
      for (const site of Object.values(sites)) await site.close();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

const wwwrootOf = (n: number): string => `https://peer${n}.example`;

/** A host with so many peers. */
class Site {
  readonly #host: Host;
  readonly #key: KeyPair;
  readonly #recipient: Certificate;
  readonly peers: number;
  readonly #document = echoCalls(1024, 1)[0] ?? new Uint8Array();
  #calls = 0;
  #firstCalls = 0;

  private constructor(host: Host, key: KeyPair, recipient: Certificate, peers: number) {
    this.#host = host;
    this.#key = key;
    this.#recipient = recipient;
    this.peers = peers;
  }

  static async start(store: Store, key: GeneratedKeyPair, peers: number): Promise<Site> {
    await store.open();
    await store.restore(records(key, peers));
    const host = await startServer({ store, workers: 0 });
    const { certificate } = await host.keys.current();
    const site = new Site(host, KeyPair.parse(key), Certificate.parse(certificate), peers);
    for (let called = 0; called < Math.min(peers, CALLING); called += CALLS_OF_ROUND) await site.callsOfCallers();
    return site;
  }

  /** Of the peers that call at all, in turn; they stand far from each other. */
  callsOfCallers(): Promise<number> {
    const callers = Math.min(this.peers, CALLING);
    return this.#call(() => 1 + (this.#calls++ % callers) * Math.floor(this.peers / callers));
  }

  /** Of others, each for the first time: their numbers are even, those of the callers among 100,000 odd. */
  firstCalls(): Promise<number> {
    return this.#call(() => 2 + 40 * this.#firstCalls++);
  }

  /** The envelopes are sealed before the time is taken. */
  #call(nextPeer: () => number): Promise<number> {
    const bodies = Array.from({ length: CALLS_OF_ROUND }, () => this.#seal(wwwrootOf(nextPeer())));
    return timeOfAsync(CALLS_OF_ROUND, async (n) => {
      const body = bodies[n] ?? new Uint8Array();
      const request = { method: "POST", path: RPC_PATH, headers: {}, body, remoteAddress: "127.0.0.1" };
      const answer = await this.#host.handle(request);
      if (answer?.status !== 200 || answer.body.length < SHORTEST_ANSWER) throw new Error("A call was refused.");
    });
  }

  #seal(sender: string): Buffer {
    const signed = signMessage(this.#document, { sender, key: this.#key, timestamp: new Date() });
    return encryptMessage(signed, { sender, recipient: this.#recipient });
  }

  close(): Promise<void> {
    return this.#host.close();
  }
}

/** Peers that share a key and have a certificate each, because nobody can wait for 100,000 keys. */
async function* records(key: GeneratedKeyPair, count: number): AsyncGenerator<StoreRecord, void, undefined> {
  const peer = peerOf(CALLER, key.certificate);
  const der = Buffer.from(key.certificate.replaceAll(/-----.*-----|\s/g, ""), "base64");
  const serial = serialNumberOf(der);
  for (let n = 1; n <= count; n += 1) {
    // Nobody looks at the self-signature of a certificate that is pinned, so another serial number makes another one.
    createHash("sha256").update(String(n)).digest().copy(serial, 1, 0, 15);
    const wwwroot = wwwrootOf(n) as typeof peer.wwwroot;
    const certificate = canonicalPem(der);
    yield { kind: "peer", peer: { ...peer, id: n as PeerId, version: 1, wwwroot, canonical: wwwroot, certificate } };
  }
}

/** The 16 bytes of ours, a view into the certificate: after the outer two sequences and the version. */
function serialNumberOf(der: Buffer): Buffer {
  const at = der.indexOf(Buffer.from([0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x10])) + 7;
  if (at < 7) throw new Error("The certificate has no serial number of 16 bytes.");
  return der.subarray(at, at + 16);
}
