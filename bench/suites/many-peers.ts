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
import { ratios } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";

const FEW = 10;
const MANY = 100_000;
const COUNTS = [FEW, 1000, MANY];
const CALLS_OF_ROUND = 50;
/** That of an echo has 4.8 KB, a fault less. */
const SHORTEST_ANSWER = 4096;

/** What a call costs a site that knows everybody: each call is another peer's, each peer has a certificate of its own. */
export const manyPeers: Suite = {
  name: "many-peers",
  title: "Inbound call of one of 100,000 peers instead of one of 10, one thread, 1 KB each way",
  async run(bench) {
    const directory = mkdtempSync(join(tmpdir(), "mnet-bench-"));
    const key = await makeKey(CALLER);
    const sites: Record<string, Site> = {};
    try {
      for (const peers of COUNTS) {
        sites[`memory-${peers}`] = await Site.start(memoryStore(), key, peers);
        sites[`sqlite-${peers}`] = await Site.start(openStore(`sqlite:${join(directory, `${peers}.db`)}`), key, peers);
      }
      const contenders = Object.fromEntries(Object.entries(sites).map(([name, { round }]) => [name, round]));
      const costs = await interleave(contenders, { rounds: bench.either(40, 6), warmUp: bench.either(5, 2) });
      for (const [store, title] of Object.entries({ memory: "Memory store", sqlite: "SQLite" })) {
        const few = costs[`${store}-${FEW}`] ?? [];
        for (const peers of COUNTS.filter((count) => count !== FEW)) {
          const id = peers === MANY ? `many-peers.${store}` : `many-peers.${store}-${peers}`;
          bench.add(
            id,
            `${title}: call among ${peers.toLocaleString("en")} peers / among ${FEW}`,
            ratios(costs[`${store}-${peers}`] ?? [], few),
            { unit: "×", ...(peers === MANY && { bound: { atMost: 1.1 } }) },
          );
        }
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
  readonly #peers: number;
  readonly #document = echoCalls(1024, 1)[0] ?? new Uint8Array();
  #calls = 0;

  private constructor(host: Host, key: KeyPair, recipient: Certificate, peers: number) {
    this.#host = host;
    this.#key = key;
    this.#recipient = recipient;
    this.#peers = peers;
  }

  static async start(store: Store, key: GeneratedKeyPair, peers: number): Promise<Site> {
    await store.open();
    await store.restore(records(key, peers));
    const host = await startServer({ store, workers: 0 });
    const { certificate } = await host.keys.current();
    return new Site(host, KeyPair.parse(key), Certificate.parse(certificate), peers);
  }

  /** Callers far from each other, each time others. The envelopes are sealed before the time is taken. */
  readonly round: Round = async () => {
    const bodies = Array.from({ length: CALLS_OF_ROUND }, () => this.#seal());
    return timeOfAsync(CALLS_OF_ROUND, async (n) => {
      const body = bodies[n] ?? new Uint8Array();
      const request = { method: "POST", path: RPC_PATH, headers: {}, body, remoteAddress: "127.0.0.1" };
      const answer = await this.#host.handle(request);
      if (answer?.status !== 200 || answer.body.length < SHORTEST_ANSWER) throw new Error("A call was refused.");
    });
  };

  #seal(): Buffer {
    const sender = wwwrootOf(1 + ((this.#calls++ * 7919) % this.#peers));
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
