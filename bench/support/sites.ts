import { createHost } from "../../src/create-host.ts";
import type { Wwwroot } from "../../src/core/ids.ts";
import { Certificate } from "../../src/crypto/certificate.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import { encryptMessage } from "../../src/envelope/encrypted-message.ts";
import { open } from "../../src/envelope/open.ts";
import { signMessage } from "../../src/envelope/signed-message.ts";
import { defineService } from "../../src/host/define-service.ts";
import type { HostOptions } from "../../src/host/host-options.ts";
import type { Host } from "../../src/host/host.ts";
import type { Service } from "../../src/host/service.ts";
import { t } from "../../src/host/wire-type.ts";
import { generateKeyPair, type GeneratedKeyPair } from "../../src/keys/generate-key-pair.ts";
import type { PeerRecord } from "../../src/peer/peer-store.ts";
import { canonicalWwwroot } from "../../src/peer/wwwroot.ts";
import { decodeResponse } from "../../src/xmlrpc/decode.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";

const DAY_MS = 86_400_000;
/** Our server in every suite, and the path at which it is called. */
export const SERVER = "https://server.example";
export const RPC_PATH = "/mnet/xmlrpc/server.php";
/** Who calls it. */
export const CALLER = "https://caller.example";
/** Several of them, where what is shared fairly between peers is not to be one peer's alone. */
export const CALLERS = Array.from({ length: 8 }, (_, n) => `https://caller${n}.example`);

/** What the server serves: small calls, large ones, large answers. */
export const SERVICE = defineService({
  name: "bench",
  methods: {
    echo: { params: { text: t.string() }, returns: t.string() },
    count: { params: { items: t.value() }, returns: t.int() },
    picture: { params: { bytes: t.int() }, returns: t.bytes() },
  },
});

const pictures = new Map<number, Uint8Array>();
const implementation: Service = SERVICE.implement({
  echo: ({ text }) => text,
  count: ({ items }) => (Array.isArray(items) || items instanceof Uint8Array ? items.length : 0),
  picture({ bytes }) {
    let picture = pictures.get(bytes);
    if (!picture) pictures.set(bytes, (picture = new Uint8Array(bytes).fill(0xa5)));
    return picture;
  },
});

/** A new key pair of 2048 bits with its certificate. */
export async function makeKey(wwwroot: string): Promise<GeneratedKeyPair> {
  const validity = { notBefore: new Date(), notAfter: new Date(Date.now() + DAY_MS) };
  return generateKeyPair({ wwwroot, name: "Bench", modulusBits: 2048, ...validity });
}

/** A peer that may call the service, to be put into a store without asking it. */
export function peerOf(wwwroot: string, certificate: string): Omit<PeerRecord, "id" | "version"> {
  return {
    wwwroot: wwwroot as Wwwroot,
    canonical: canonicalWwwroot(wwwroot as Wwwroot),
    name: "A peer",
    application: "moodle",
    state: "active",
    certificate: Certificate.parse(certificate).pem,
    retired: [],
    settings: {},
    services: { bench: "both", sso_idp: "both", sso_sp: "both", mnet_enrol: "both" },
    // As that of a peer that has called before: the store is not written to for each.
    dialect: "pxr",
    lastContactAt: Date.now(),
  };
}

/** The host that is measured. */
export async function startServer(
  options: Pick<HostOptions, "store" | "limits" | "network" | "transport"> & {
    readonly wwwroot?: string | undefined;
    /** Served beside the service of the benches. Default none. */
    readonly services?: readonly Service[];
    /** Threads for cryptography. Default: those that a host has by itself; 0: none. */
    readonly workers?: number | undefined;
  },
): Promise<Host> {
  const { wwwroot = SERVER, workers, services = [], ...others } = options;
  return createHost({
    ...others,
    wwwroot,
    name: "Server",
    services: [implementation, ...services],
    ...(workers !== undefined && { crypto: { workers } }),
  });
}

/** Sent within twice this time after they were sealed, calls are on time; a server remarks on what is not. */
const AHEAD_MS = 10_000;

/** Seals calls of some sites, which share a key, for another: as many as are wanted, each of them fresh. */
export class Mailbag {
  readonly #senders: readonly string[];
  readonly #key: KeyPair;
  readonly #recipient: Certificate;
  readonly #documents: readonly Uint8Array[];
  #next = 0;

  constructor(options: {
    readonly senders: readonly string[];
    readonly key: GeneratedKeyPair;
    /** PEM of the receiver. */
    readonly recipient: string;
    readonly documents: readonly Uint8Array[];
  }) {
    this.#senders = options.senders;
    this.#key = KeyPair.parse(options.key);
    this.#recipient = Certificate.parse(options.recipient);
    this.#documents = options.documents;
  }

  seal(): Buffer {
    return Buffer.concat(this.fill(1));
  }

  fill(count: number): Buffer[] {
    const timestamp = new Date(Date.now() + AHEAD_MS);
    const sealers = this.#documents.flatMap((document) =>
      this.#senders.map((sender) => this.#sealer(document, sender, timestamp)),
    );
    return Array.from({ length: count }, () => {
      const seal = sealers[this.#next++ % sealers.length];
      if (!seal) throw new RangeError("There is nothing to seal.");
      return seal();
    });
  }

  /** A document is signed once; what makes an envelope fresh is its session key. */
  #sealer(document: Uint8Array, sender: string, timestamp: Date): () => Buffer {
    let signed: Buffer | undefined;
    return () => {
      signed ??= signMessage(document, { sender, key: this.#key, timestamp });
      return encryptMessage(signed, { sender, recipient: this.#recipient });
    };
  }
}

/** Calls of `bench/echo` whose documents have so many bytes, each with another text. */
export function echoCalls(size: number, count = 16): Uint8Array[] {
  const empty = encodeCall("bench/echo", [""]).length;
  return Array.from({ length: count }, (_, n) =>
    encodeCall("bench/echo", [`${n} `.padEnd(Math.max(0, size - empty), "Course of study ")]),
  );
}

/** Throws unless an answer is a result; a fault would be fast. `recipient` is the caller, whose answer it is. */
export async function requireResult(
  answer: Uint8Array,
  recipient: GeneratedKeyPair,
  senderCertificate: string,
): Promise<void> {
  const keys = [KeyPair.parse(recipient)];
  const certificate = Certificate.parse(senderCertificate);
  const { document } = await open(answer, { keys, certificateOf: () => certificate, maxBytes: Infinity });
  const response = decodeResponse(document);
  if (response.kind === "fault") throw new Error(`The answer is a fault: ${response.faultString}`);
}
