import { createPrivateKey, createPublicKey } from "node:crypto";
import { TransportError } from "../../src/core/errors.ts";
import type { MnetEvent } from "../../src/core/events.ts";
import type { Fingerprint, Wwwroot } from "../../src/core/ids.ts";
import { createHost } from "../../src/create-host.ts";
import { Certificate } from "../../src/crypto/certificate.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import { isSignedSha1 } from "../../src/crypto/rsa.ts";
import { decryptMessage, encryptMessage } from "../../src/envelope/encrypted-message.ts";
import { readEnvelope } from "../../src/envelope/open.ts";
import { signMessage, type SignedMessage } from "../../src/envelope/signed-message.ts";
import type { HostOptions } from "../../src/host/host-options.ts";
import type { Host } from "../../src/host/host.ts";
import type { HttpRequest } from "../../src/host/http.ts";
import type { Store } from "../../src/host/store.ts";
import { selfSignedCertificate } from "../../src/keys/self-signed-certificate.ts";
import type { PeerRecord } from "../../src/peer/peer-store.ts";
import { canonicalWwwroot } from "../../src/peer/wwwroot.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { fakeClock, type FakeClock } from "../../src/testing/fake-clock.ts";
import type { Transport, TransportRequest, TransportResponse } from "../../src/transport/transport.ts";
import { decode } from "../../src/xmlrpc/decode.ts";
import type { XmlRpcDocument } from "../../src/xmlrpc/document.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";
import { recordedPems } from "./fixtures.ts";

/** A site with one key of 2048 bits. */
export interface KeyedSite {
  readonly wwwroot: Wwwroot;
  readonly key: KeyPair;
  readonly certificate: Certificate;
  readonly privateKeyPem: string;
}

const NOT_BEFORE = new Date("2025-12-01T00:00:00Z");
const NOT_AFTER = new Date("2027-01-01T00:00:00Z");
const privateKeys = Object.values(recordedPems("moodle-4.5")).map(({ privateKey }) => privateKey);
const made = new Map<string, KeyedSite>();

/** A site with the `n`th of a dozen different keys. They are the recorded sites', because making keys is slow. */
export function keyedSite(wwwroot: string, n = 0): KeyedSite {
  const name = `${wwwroot} ${n}`;
  let site = made.get(name);
  if (!site) {
    const privateKeyPem = privateKeys[n]!;
    const privateKey = createPrivateKey(privateKeyPem);
    const certificate = selfSignedCertificate(
      { privateKey, publicKey: createPublicKey(privateKey) },
      { wwwroot, name: "Test site", notBefore: NOT_BEFORE, notAfter: NOT_AFTER },
    );
    const key = KeyPair.parse({ certificate, privateKey: privateKeyPem });
    site = { wwwroot: wwwroot as Wwwroot, key, certificate: key.certificate, privateKeyPem };
    made.set(name, site);
  }
  return site;
}

/** A memory store, or the one given, with our keys in it: the current one first, then archived ones, newest first. */
export async function storeWithKeys(
  keys: readonly { readonly certificate: string; readonly privateKey: string }[],
  store: Store = memoryStore(),
): Promise<Store> {
  await store.open();
  let current: Fingerprint | undefined;
  for (const [age, { certificate, privateKey }] of [...keys.entries()].reverse()) {
    const { fingerprint } = Certificate.parse(certificate, { minimumBits: 1024 });
    const createdAt = NOT_BEFORE.getTime() - age * 1000;
    const bytes = Buffer.from(privateKey);
    await store.keys.prepare({ fingerprint, certificate, privateKey: bytes, state: "prepared", createdAt });
    await store.keys.promote(fingerprint, current, createdAt);
    current = fingerprint;
  }
  return store;
}

const pem = ({ certificate, privateKeyPem }: KeyedSite): { certificate: string; privateKey: string } => ({
  certificate: certificate.pem,
  privateKey: privateKeyPem,
});

/** A memory store, or the one given, with one of the recorded keys: hosts that need not make one start at once. */
export const keyedStore = (wwwroot: string, n: number, store?: Store): Promise<Store> =>
  storeWithKeys([pem(keyedSite(wwwroot, n))], store);

/** Puts a peer into a store without asking it. */
export async function insertPeer(
  store: Store,
  site: { readonly wwwroot: string; readonly certificate: Certificate },
  more: Partial<PeerRecord> = {},
): Promise<PeerRecord> {
  const { peer } = await store.peers.insert({
    wwwroot: site.wwwroot as Wwwroot,
    canonical: canonicalWwwroot(site.wwwroot as Wwwroot),
    name: "A peer",
    application: "moodle",
    state: "active",
    certificate: site.certificate.pem,
    retired: [],
    settings: {},
    services: {},
    ...more,
  });
  return peer;
}

/** A host, what it told, and whom it knows. */
export interface Rig extends AsyncDisposable {
  readonly host: Host;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly events: MnetEvent[];
  /** Our current key. */
  readonly ours: KeyedSite;
  /** An active peer. */
  readonly alice: KeyedSite;
  readonly aliceId: PeerRecord["id"];
  /** Events of one type. */
  readonly told: <T extends MnetEvent["type"]>(type: T) => Extract<MnetEvent, { readonly type: T }>[];
}

export const OUR_WWWROOT = "https://host.example/moodle";
export const ALICE = "https://alice.example";

/** A host on a fake clock that knows alice. */
export async function rig({
  archived = [],
  alicePeer = {},
  store: given,
  ...options
}: Partial<HostOptions> & {
  readonly archived?: readonly KeyedSite[];
  readonly alicePeer?: Partial<PeerRecord>;
} = {}): Promise<Rig> {
  const ours = keyedSite(options.wwwroot ?? OUR_WWWROOT, 0);
  const alice = keyedSite(ALICE, 1);
  const store = await storeWithKeys([ours, ...archived].map(pem), given);
  const { id: aliceId } = await insertPeer(store, alice, alicePeer);
  const clock = fakeClock();
  const events: MnetEvent[] = [];
  const host = await createHost({
    wwwroot: OUR_WWWROOT,
    name: "Our host",
    store,
    maintenance: "manual",
    clock,
    transport: noTransport,
    observer: (event) => void events.push(event),
    ...options,
  });
  return {
    host,
    store,
    clock,
    events,
    ours,
    alice,
    aliceId,
    told: (type) => events.filter((event): event is Extract<MnetEvent, { type: typeof type }> => event.type === type),
    [Symbol.asyncDispose]: () => host.close(),
  };
}

/** Nobody can be reached. */
export const noTransport: Transport = {
  exchange: ({ url }) =>
    Promise.reject(
      new TransportError("MNET_TRANSPORT_UNREACHABLE", "There is no network.", { url: url.href, retryable: true }),
    ),
};

/** Leads every request to one function, which answers with a body or a whole response. */
export const transportTo = (
  answer: (
    request: TransportRequest,
  ) => Uint8Array | string | TransportResponse | Promise<Uint8Array | TransportResponse>,
): Transport => ({
  async exchange(request) {
    const given = await answer(request);
    if (typeof given === "string") return { status: 200, headers: {}, body: Buffer.from(given) };
    return given instanceof Uint8Array ? { status: 200, headers: {}, body: given } : given;
  },
});

/** How a message is wrapped. */
export type Form = "plain" | "signed" | "encrypted" | "signed and encrypted";

/** Wraps a document in any form, right or wrong. */
export function wrap(
  document: Uint8Array | string,
  {
    form = "signed and encrypted",
    from,
    to,
    outer = from.wwwroot,
    inner = from.wwwroot,
    timestamp = new Date("2026-01-01T00:00:00Z"),
    damage = (signed) => signed,
  }: {
    readonly form?: Form;
    readonly from: KeyedSite;
    readonly to: { readonly certificate: Certificate };
    /** Wwwroot of the encrypted envelope. */
    readonly outer?: string;
    /** Wwwroot of the signed envelope. */
    readonly inner?: string;
    readonly timestamp?: Date;
    /** Changes the signed envelope before it is encrypted. */
    readonly damage?: (signed: Buffer) => Buffer;
  },
): Buffer {
  const bytes = Buffer.from(document);
  const isSigned = form === "signed" || form === "signed and encrypted";
  const signed = isSigned ? damage(signMessage(bytes, { sender: inner, key: from.key, timestamp })) : bytes;
  if (form === "plain" || form === "signed") return signed;
  return encryptMessage(signed, { sender: outer, recipient: to.certificate });
}

/** Makes the signature one of nothing. */
export const withBadSignature = (signed: Buffer): Buffer =>
  Buffer.from(
    signed.toString("latin1").replace(/<SignatureValue>([^<]*)/, (_, value: string) => {
      const bytes = Buffer.from(value, "base64");
      bytes[7]! ^= 1;
      return `<SignatureValue>${bytes.toString("base64")}`;
    }),
    "latin1",
  );

/** Leaves the signature out. */
export const withoutSignature = (signed: Buffer): Buffer =>
  Buffer.from(signed.toString("latin1").replace(/<SignatureValue>[^<]*<\/SignatureValue>/, ""), "latin1");

/** Alice's call to a rig's host. */
export const aliceCalls = (
  { alice, ours }: Rig,
  method: string,
  params: readonly XmlRpcValue[] = [],
  options: Partial<Parameters<typeof wrap>[1]> = {},
): Buffer => wrap(encodeCall(method, params), { from: alice, to: ours, ...options });

/** What came back from a door. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Gives the host a request. Throws if it is not MNet's. */
export async function request(host: Host, options: Partial<HttpRequest> = {}): Promise<Reply> {
  const basePath = new URL(host.wwwroot).pathname.replace(/\/$/, "");
  const response = await host.handle({
    method: "POST",
    path: `${basePath}/mnet/xmlrpc/server.php`,
    headers: {},
    body: new Uint8Array(),
    remoteAddress: "192.0.2.7",
    ...options,
  });
  if (!response) throw new Error("The host does not answer this.");
  return { ...response, headers: Object.fromEntries(response.headers), body: Buffer.from(response.body) };
}

/** Posts a body to the host's endpoint and gives the body of the answer. Throws unless it is MNet's 200 (MNET-070). */
export async function post(host: Host, body: Uint8Array): Promise<Buffer> {
  const reply = await request(host, { body });
  if (reply.status !== 200 || reply.headers["content-type"] !== "text/xml; charset=utf-8") {
    throw new Error(`The answer has status ${reply.status} and type ${reply.headers["content-type"]}.`);
  }
  return reply.body;
}

/** An answer, opened. */
export interface OpenedAnswer {
  readonly form: Form;
  /** The wwwroots of the envelopes, outer first. */
  readonly senders: readonly string[];
  readonly signed: SignedMessage | undefined;
  readonly document: Buffer;
  readonly decoded: XmlRpcDocument;
}

/** Opens an answer with the key of whom it is for. Looks at no signature; see `isSignedBy`. */
export function openAnswer(body: Uint8Array, reader?: { readonly key: KeyPair }): OpenedAnswer {
  const envelope = readEnvelope(body);
  const opened = (form: Form, senders: string[], document: Uint8Array, signed?: SignedMessage): OpenedAnswer => ({
    form,
    senders,
    signed,
    document: Buffer.from(document),
    decoded: decode(document),
  });
  if (envelope.kind === "plain") return opened("plain", [], envelope.document);
  if (envelope.kind === "signed") {
    return opened("signed", [envelope.message.sender], envelope.message.document, envelope.message);
  }
  if (!reader) throw new Error("The answer is encrypted.");
  const { content } = decryptMessage(envelope.message, [reader.key]);
  const { sender } = envelope.message;
  return content.kind === "unsigned"
    ? opened("encrypted", [sender], content.document)
    : opened("signed and encrypted", [sender, content.message.sender], content.message.document, content.message);
}

/** Whether the answer carries a signature by this site's key. */
export const isSignedBy = ({ signed }: OpenedAnswer, { certificate }: { readonly certificate: Certificate }): boolean =>
  signed !== undefined && isSignedSha1(certificate.publicKey, signed.document, signed.signature);

/** Form and fault code of an answer, or its value. */
export function summary(answer: OpenedAnswer): { form: Form; fault?: number; value?: XmlRpcValue } {
  const { form, decoded } = answer;
  if (decoded.kind === "call") throw new Error("The answer is a call.");
  return decoded.kind === "fault" ? { form, fault: decoded.faultCode } : { form, value: decoded.value };
}

/** The same message, made to have exactly so many bytes by an element that nobody looks at. */
export function padded(envelope: Buffer, length: number): Buffer {
  const text = envelope.toString("latin1");
  const filler = length - text.length - "<X1></X1>".length;
  return Buffer.from(text.replace("<EncryptedData", `<X1>${"a".repeat(filler)}</X1><EncryptedData`), "latin1");
}
