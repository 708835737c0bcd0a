import { describe, expect, it } from "vitest";
import type { MnetEvent } from "../../src/core/events.ts";
import type { Wwwroot } from "../../src/core/ids.ts";
import { createHost } from "../../src/create-host.ts";
import type { KeyPair } from "../../src/crypto/key-pair.ts";
import { decryptMessage } from "../../src/envelope/encrypted-message.ts";
import { readEnvelope } from "../../src/envelope/open.ts";
import type { Host } from "../../src/host/host.ts";
import type { Store } from "../../src/host/store.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { exchangeNames, RECORDINGS, recordedKeyPair, recordedPems, type Recording } from "../support/fixtures.ts";
import {
  insertPeer,
  isSignedBy,
  openAnswer,
  post,
  storeWithKeys,
  summary,
  transportTo,
  wrap,
  type OpenedAnswer,
} from "../support/hosts.ts";
import { recordedRequest, type RecordedRequest } from "../support/recorded-exchange.ts";

const LIST = "system/listServices";
const KEYSWAP = "system/keyswap";
const NEW_KEY = 7025;

// ── What was recorded ───────────────────────────────────────────────────────
// A rotation is recognised by its keys and its answers; what a file is called plays no part.

/** An exchange between two known sites. */
interface Exchange extends RecordedRequest {
  readonly from: string;
}
const exchanges = RECORDINGS.flatMap((recording) =>
  exchangeNames(recording).map((name) => recordedRequest(recording, name)),
).filter((exchange): exchange is Exchange => exchange.from !== null && exchange.from in exchange.keys);

const pairOf = ({ recording }: RecordedRequest, id: string): KeyPair => recordedKeyPair(recording, id)!;
const current = (exchange: RecordedRequest, site: string): KeyPair => pairOf(exchange, exchange.keys[site]!.current);
const requestOf = ({ request }: RecordedRequest): Buffer => Buffer.from(request.bodyBase64 ?? "", "base64");
const isClear = (exchange: RecordedRequest): boolean =>
  !/<(?:encryptedMessage|signedMessage)[\s>]/.test(requestOf(exchange).toString("latin1"));
const responseOf = ({ response }: RecordedRequest): Buffer => Buffer.from(response.bodyBase64 ?? "", "base64");

/** Whichever key of a recording opens the body. */
function openerOf(recording: Recording, body: Buffer): KeyPair | undefined {
  try {
    const envelope = readEnvelope(body);
    if (envelope.kind !== "encrypted") return undefined;
    const pairs = Object.keys(recordedPems(recording)).flatMap((id) => recordedKeyPair(recording, id) ?? []);
    return pairs.find((pair) => {
      try {
        return decryptMessage(envelope.message, [pair]).openedWith === pair;
      } catch {
        return false;
      }
    });
  } catch {
    return undefined;
  }
}
const reading = (key: KeyPair): { readonly key: KeyPair } => ({ key });
const same = (one: KeyPair | undefined, other: KeyPair): boolean =>
  one?.certificate.fingerprint === other.certificate.fingerprint;

/** Which key a site had before that one, as any exchange of the recording tells. */
function previousOf({ recording }: RecordedRequest, site: string, key: KeyPair): KeyPair | undefined {
  for (const exchange of exchanges) {
    const keys = exchange.recording === recording ? exchange.keys[site] : undefined;
    const archived = keys && same(pairOf(exchange, keys.current), key) ? keys.archived[0] : undefined;
    if (archived) return pairOf(exchange, archived);
  }
  return undefined;
}

const news = exchanges.filter(({ faultCode }) => faultCode === NEW_KEY);
const isProse = ({ response }: RecordedRequest): boolean => !response.xmlrpc?.includes("BEGIN CERTIFICATE");
/** Those that bring a certificate: the request was sealed for a key of the receiver that is archived by then. */
const newKeys = news.filter((exchange) => !isProse(exchange));
/** Answered with the peer's new key: Moodle proves it with its old one, Mahara does not. */
const isProved = (exchange: Exchange): boolean => {
  const opener = openerOf(exchange.recording, responseOf(exchange))!;
  return !isSignedBy(openAnswer(responseOf(exchange), reading(opener)), current(exchange, exchange.to));
};
/** Calls of a site that has rotated, signed with the key that the receiver may not know yet. */
const fromRotated = exchanges.filter((exchange) => {
  if (!(exchange.request.signedXml ?? "").includes("<signedMessage") || exchange.method === KEYSWAP) return false;
  const sender = current(exchange, exchange.from);
  const opener = openerOf(exchange.recording, requestOf(exchange));
  return (
    exchange.from !== exchange.to &&
    same(opener, current(exchange, exchange.to)) &&
    previousOf(exchange, exchange.from, sender) !== undefined &&
    // Those that were made up to be refused are no rotations.
    isSignedBy(openAnswer(requestOf(exchange), reading(opener!)), sender) &&
    openAnswer(requestOf(exchange), reading(opener!)).senders.every((sender) => sender === exchange.from)
  );
});
const titled = (list: readonly Exchange[]) =>
  list.map((exchange) => [`${exchange.recording}/${exchange.name}`, exchange] as const);

// ── A host in the place of one of the sites ─────────────────────────────────

interface InPlace extends AsyncDisposable {
  readonly host: Host;
  readonly store: Store;
  readonly events: MnetEvent[];
  /** What it asked the other site, in order. */
  readonly asked: string[];
  readonly pinned: () => Promise<string>;
  readonly peer: { readonly id: never };
}

/**
 * A host with the keys of `self` at that moment that knows `other` by `pinned`.
 *
 * @param script answers what it asks the other site: the method, and the key that the request is sealed for.
 */
async function inPlaceOf(
  exchange: Exchange,
  { self, other, pinned, keys }: { self: string; other: string; pinned: KeyPair; keys?: readonly string[] },
  script: (
    method: string,
    sealedFor: KeyPair | undefined,
    body: Buffer,
    host: Host,
  ) => Uint8Array | Promise<Uint8Array>,
): Promise<InPlace> {
  const ring = keys ?? [exchange.keys[self]!.current, ...exchange.keys[self]!.archived];
  const store = await storeWithKeys(ring.map((id) => recordedPems(exchange.recording)[id]!));
  const application = other.includes("mahara") ? "mahara" : "moodle";
  const peer = await insertPeer(store, { wwwroot: other, certificate: pinned.certificate }, { application });
  const asked: string[] = [];
  const events: MnetEvent[] = [];
  const host: Host = await createHost({
    wwwroot: self,
    name: "In its place",
    store,
    clock: fakeClock(new Date(exchange.recordedAt * 1000)),
    observer: (event) => void events.push(event),
    transport: transportTo((request) => {
      const body = Buffer.from(request.body!);
      const sealedFor = openerOf(exchange.recording, body);
      const { decoded } = openAnswer(body, sealedFor && reading(sealedFor));
      if (decoded.kind !== "call") throw new Error("Only calls are sent.");
      asked.push(decoded.method);
      return script(decoded.method, sealedFor, body, host);
    }),
  });
  return {
    host,
    store,
    events,
    asked,
    peer: peer as never,
    pinned: async () => (await store.peers.find(other as Wwwroot))!.certificate,
    [Symbol.asyncDispose]: () => host.close(),
  };
}

/** A document from `site`, made with its recorded key. */
const from = (exchange: Exchange, site: string, key: KeyPair, to: KeyPair, document: Uint8Array): Buffer =>
  wrap(document, {
    from: { wwwroot: site as Wwwroot, key, certificate: key.certificate, privateKeyPem: "" },
    to: { certificate: to.certificate },
    timestamp: new Date(exchange.recordedAt * 1000),
  });

const lineOf = (text: string, name: string): string | undefined => new RegExp(`<${name}>.*</${name}>`).exec(text)?.[0];

// ── The tests ───────────────────────────────────────────────────────────────

it("there are rotations of Moodle and of Mahara in both directions", () => {
  const roles = newKeys.map(
    (exchange) =>
      `${exchange.from.includes("mahara") ? "mahara" : exchange.from.includes("moodle") ? "moodle" : "peer"} asks ${exchange.to.includes("mahara") ? "mahara" : exchange.to.includes("moodle") ? "moodle" : "peer"}`,
  );
  expect(new Set(roles)).toEqual(new Set(["moodle asks moodle", "peer asks mahara", "mahara asks peer"]));
  expect(newKeys.length).toBeGreaterThanOrEqual(7);
  expect(news.filter(isProse)).toHaveLength(1);
  expect([...new Set(fromRotated.map(({ recording }) => recording))]).toEqual(
    expect.arrayContaining(["moodle-4.5", "moodle-4.2-https", "moodle-3.11", "mahara-23.04"]),
  );
});

describe("as the server that has rotated", () => {
  it.each(titled(newKeys))(
    "MNET-079 MNET-080 MNET-081 %s: the same certificate in the same form",
    async (_, exchange) => {
      const { recording, to } = exchange;
      const opened = openerOf(recording, requestOf(exchange))!;
      const pinned = current(exchange, exchange.from);
      await using us = await inPlaceOf(exchange, { self: to, other: exchange.from, pinned }, () => "" as never);
      const ours: OpenedAnswer = openAnswer(await post(us.host, requestOf(exchange)), reading(pinned));
      const theirs = openAnswer(responseOf(exchange), reading(openerOf(recording, responseOf(exchange))!));

      // The certificate to the byte, with its last line feed, in an envelope that is signed and encrypted.
      expect(summary(ours)).toEqual({ form: theirs.form, fault: NEW_KEY });
      expect(ours.decoded).toHaveProperty("faultString", current(exchange, to).certificate.pem);
      expect(ours.decoded).toHaveProperty("faultString", (theirs.decoded as { faultString: string }).faultString);
      expect((ours.decoded as { faultString: string }).faultString.endsWith("-----END CERTIFICATE-----\n")).toBe(true);
      // A Moodle's document to the byte, but for the line ends of that site's files.
      if (to.includes("moodle"))
        expect(ours.document.toString().trim()).toBe(theirs.document.toString().replaceAll("\r\n", "\n").trim());
      expect(ours.senders).toEqual([to, to]);
      // Signed by the key that opened it; that is where a Mahara does otherwise, and cannot be believed (SEC-039).
      expect(isSignedBy(ours, opened)).toBe(true);
      expect(isSignedBy(ours, current(exchange, to))).toBe(false);
      if (isProved(exchange)) expect(isSignedBy(theirs, opened)).toBe(true);
      expect(us.asked).toEqual([]);
    },
  );

  it.each(titled(news.filter(isProse)))(
    "MNET-078 %s: a key that was never ours is 7023 in clear, not prose",
    async (_, exchange) => {
      await using us = await inPlaceOf(
        exchange,
        { self: exchange.to, other: exchange.from, pinned: current(exchange, exchange.from) },
        () => "" as never,
      );
      expect(summary(openAnswer(await post(us.host, requestOf(exchange))))).toEqual({ form: "plain", fault: 7023 });
    },
  );

  const swaps = exchanges.filter(
    (exchange) => exchange.method === KEYSWAP && isClear(exchange) && !isProse(exchange) && exchange.faultCode === null,
  );
  it.each(titled(swaps))("MNET-095 %s: a key swap shows the current key, in clear", async (_, exchange) => {
    await using us = await inPlaceOf(
      exchange,
      { self: exchange.to, other: exchange.from, pinned: current(exchange, exchange.from) },
      () => "" as never,
    );
    const ours = openAnswer(await post(us.host, requestOf(exchange)));
    const theirs = openAnswer(responseOf(exchange));
    expect(ours.form).toBe("plain");
    expect(ours.decoded).toHaveProperty("value", current(exchange, exchange.to).certificate.pem);
    if (ours.form === "plain")
      expect(ours.decoded).toHaveProperty("value", (theirs.decoded as { value: string }).value);
  });
});

describe("as the client of a server that has rotated", () => {
  it.each(titled(newKeys.filter(isProved)))(
    "MNET-105 %s: the key is adopted, and the call repeated",
    async (_, exchange) => {
      const { recording, to } = exchange;
      const pinned = openerOf(recording, requestOf(exchange))!;
      await using us = await inPlaceOf(exchange, { self: exchange.from, other: to, pinned }, (_method, sealedFor) =>
        same(sealedFor, current(exchange, to))
          ? from(exchange, to, current(exchange, to), current(exchange, exchange.from), encodeResult(["done"]))
          : responseOf(exchange),
      );
      expect(await us.host.call(us.peer, LIST)).toEqual(["done"]);
      expect(us.asked).toEqual([LIST, LIST]);
      expect(await us.pinned()).toBe(current(exchange, to).certificate.pem);
      expect(us.events.filter(({ type }) => type === "peer.key-changed")).toHaveLength(1);
    },
  );

  it.each(titled(newKeys.filter((exchange) => !isProved(exchange))))(
    "SEC-039 %s: signed with the new key, it is held, and nothing repeated",
    async (_, exchange) => {
      const pinned = openerOf(exchange.recording, requestOf(exchange))!;
      await using us = await inPlaceOf(exchange, { self: exchange.from, other: exchange.to, pinned }, () =>
        responseOf(exchange),
      );
      const fingerprint = current(exchange, exchange.to).certificate.fingerprint;
      expect(await errorOf(() => us.host.call(us.peer, LIST))).toMatchObject({ code: "MNET_KEY_HELD", fingerprint });
      expect(us.asked).toEqual([LIST]);
      expect(await us.pinned()).toBe(pinned.certificate.pem);
      expect(us.events.find(({ type }) => type === "peer.key-held")).toMatchObject({ level: "error", fingerprint });
      const held = (await us.host.peers.get(exchange.to)).heldKey;
      expect(held).toMatchObject({ fingerprint, reason: "signed-by-new-key" });
    },
  );

  it.each(titled(news.filter(isProse)))("MNET-108 %s: prose is a 7023, and changes nothing", async (_, exchange) => {
    const pinned = current(exchange, exchange.to);
    await using us = await inPlaceOf(exchange, { self: exchange.from, other: exchange.to, pinned }, () =>
      responseOf(exchange),
    );
    expect(await errorOf(() => us.host.call(us.peer, LIST))).toMatchObject({ faultCode: 7023, authenticated: true });
    expect(us.asked).toEqual([LIST]);
    expect(await us.pinned()).toBe(pinned.certificate.pem);
  });

  it.each(titled(newKeys))(
    "SEC-038 SEC-040 %s: not of a peer whose key is another, nor a second time",
    async (_, exchange) => {
      const { from: self, to: other } = exchange;
      // Known by a key that has nothing to do with it: our own will do.
      const stranger = current(exchange, self);
      await using us = await inPlaceOf(exchange, { self, other, pinned: stranger }, () => responseOf(exchange));
      expect(await codeOf(() => us.host.call(us.peer, LIST))).toBe(
        isProved(exchange) ? "MNET_ENVELOPE_SIGNATURE_INVALID" : "MNET_KEY_HELD",
      );
      expect(await us.pinned()).toBe(stranger.certificate.pem);

      // It had that key once and gave it up.
      const pinned = openerOf(exchange.recording, requestOf(exchange))!;
      await using later = await inPlaceOf(exchange, { self, other, pinned }, () => responseOf(exchange));
      const record = (await later.store.peers.find(other as Wwwroot))!;
      await later.store.peers.update({ ...record, retired: [current(exchange, other).certificate.fingerprint] });
      expect(await codeOf(() => later.host.call(later.peer, LIST))).toBe("MNET_KEY_ROLLBACK");
      expect(await later.pinned()).toBe(pinned.certificate.pem);
    },
  );
});

describe("as the server of a client that has rotated", () => {
  /** The recorded answer to our call-back, if there is one: the 7025 that the old key signed. */
  const recordedNews = (exchange: Exchange, sender: KeyPair): Exchange | undefined =>
    newKeys.find(
      (other) =>
        other.recording === exchange.recording &&
        other.to === exchange.from &&
        other.from === exchange.to &&
        same(current(other, other.to), sender) &&
        same(current(other, other.from), current(exchange, exchange.to)),
    );
  /** And to our question for the key. */
  const recordedSwap = ({ recording, from: site }: Exchange, sender: KeyPair): Buffer | undefined => {
    const swap = exchanges.find(
      (other) =>
        other.recording === recording &&
        other.to === site &&
        other.method === KEYSWAP &&
        isClear(other) &&
        other.faultCode === null &&
        same(current(other, site), sender),
    );
    return swap && responseOf(swap);
  };
  /** Whether the site proves its new key by its old one, as far as any of its 7025 shows. */
  const proves = ({ recording, from: site }: Exchange): boolean =>
    newKeys.filter((other) => other.recording === recording && other.to === site).every(isProved);

  /** The host in the receiver's place, which knows the sender by the key that it had before. */
  const knowingTheOldKey = (exchange: Exchange): Promise<InPlace> => {
    const { from: other, to: self } = exchange;
    const sender = current(exchange, other);
    const pinned = previousOf(exchange, other, sender)!;
    const ours = current(exchange, self);
    const recorded = recordedNews(exchange, sender);
    return inPlaceOf(exchange, { self, other, pinned }, (method, sealedFor) => {
      if (method === KEYSWAP) return recordedSwap(exchange, sender) ?? encodeResult(sender.certificate.pem);
      if (same(sealedFor, sender)) return from(exchange, other, sender, ours, encodeResult([]));
      // What the real site answered, where that was recorded; else what it would have said.
      return recorded
        ? responseOf(recorded)
        : from(exchange, other, proves(exchange) ? pinned : sender, ours, encodeFault(NEW_KEY, sender.certificate.pem));
    });
  };
  it.each(titled(fromRotated.filter(proves)))(
    "MNET-084 MNET-090 MNET-091 %s: it is asked, believed, and served",
    async (_, exchange) => {
      const sender = current(exchange, exchange.from);
      await using us = await knowingTheOldKey(exchange);
      const answer = openAnswer(await post(us.host, requestOf(exchange)), reading(sender));
      expect(us.asked).toEqual([KEYSWAP, LIST, LIST]);
      expect(await us.pinned()).toBe(sender.certificate.pem);
      expect(answer.form).toBe("signed and encrypted");
      expect(isSignedBy(answer, current(exchange, exchange.to))).toBe(true);
      expect(us.events.filter(({ type }) => type === "peer.key-changed")).toHaveLength(1);
      // Past its signature: served, or refused for another reason.
      expect(summary(answer)).not.toMatchObject({ fault: 710 });
    },
  );

  it.each(titled(fromRotated.filter((exchange) => !proves(exchange))))(
    "MNET-091 SEC-039 %s: it is asked, and what it says is held; 710 until somebody approves it",
    async (_, exchange) => {
      const sender = current(exchange, exchange.from);
      const pinned = previousOf(exchange, exchange.from, sender)!;
      await using us = await knowingTheOldKey(exchange);
      const answer = openAnswer(await post(us.host, requestOf(exchange)), reading(pinned));
      expect(summary(answer)).toEqual({ form: "signed and encrypted", fault: 710 });
      expect(us.asked).toEqual([KEYSWAP, LIST]);
      expect(await us.pinned()).toBe(pinned.certificate.pem);
      const { fingerprint } = sender.certificate;
      expect(us.events.find(({ type }) => type === "peer.key-held")).toMatchObject({ level: "error", fingerprint });
    },
  );

  it("the real site's own answers to the call-back are among them, of Moodle and of a peer of Mahara", () => {
    const recorded = fromRotated.filter((exchange) => recordedNews(exchange, current(exchange, exchange.from)));
    expect(new Set(recorded.map(({ recording }) => recording))).toEqual(
      new Set(["moodle-4.5", "moodle-3.11", "mahara-23.04"]),
    );
  });
});

describe("as the client that has rotated, of a Mahara", () => {
  /** Mahara's question during our call, and our call, which it answers with a plain fault. */
  const dropped = newKeys.flatMap((probe) =>
    exchanges
      .filter(
        (call) =>
          call.recording === probe.recording &&
          call.from === probe.to &&
          call.to === probe.from &&
          call.faultCode === 0 &&
          Math.abs(call.recordedAt - probe.recordedAt) <= 1 &&
          same(current(call, call.from), current(probe, probe.to)),
      )
      .map((call) => [`${call.recording}/${call.name}`, { call, probe }] as const),
  );

  it("there is one", () => {
    expect(dropped).toHaveLength(1);
  });

  it.each(dropped)(
    "MNET-129 %s: our call is made again after it has learnt our key, once",
    async (_, { call, probe }) => {
      const { from: self, to: mahara } = call;
      const ours = current(call, self);
      const { current: newest, archived } = probe.keys[self]!;
      const pinned = current(probe, mahara);
      let requests = 0;
      await using us = await inPlaceOf(
        call,
        { self, other: mahara, pinned, keys: [newest, ...archived] },
        async (_method, sealedFor, _body, host) => {
          expect(same(sealedFor, pinned)).toBe(true);
          requests += 1;
          if (requests > 1) return from(call, mahara, pinned, ours, encodeResult(["done"]));
          // Its own words, while it has our call: we bring it our key, signed with the one that it knows.
          const reply = openAnswer(await post(host, requestOf(probe)), reading(pinned));
          expect(summary(reply)).toEqual({ form: "signed and encrypted", fault: NEW_KEY });
          expect(isSignedBy(reply, pairOf(probe, archived[0]!))).toBe(true);
          return responseOf(call);
        },
      );
      expect(await us.host.call(us.peer, LIST)).toEqual(["done"]);
      expect(us.asked).toEqual([LIST, LIST]);
      expect(us.events.filter(({ type }) => type === "call.retried")).toMatchObject([
        { reason: "mahara-learned-our-key" },
      ]);
    },
  );

  it.each(dropped)("MNET-129 %s: without its question the fault is final", async (_, { call, probe }) => {
    const pinned = current(probe, call.to);
    await using us = await inPlaceOf(call, { self: call.from, other: call.to, pinned }, () => responseOf(call));
    expect(await errorOf(() => us.host.call(us.peer, LIST))).toMatchObject({ faultCode: 0, authenticated: false });
    expect(us.asked).toEqual([LIST]);
  });
});

describe("a key that was replaced without an archive", () => {
  const forgotten = exchanges.filter((exchange) => {
    if (exchange.faultCode !== 7023) return false;
    const opener = openerOf(exchange.recording, requestOf(exchange));
    return (
      opener !== undefined &&
      Object.values(exchange.keys).every((keys) => !same(opener, pairOf(exchange, keys.current)))
    );
  });

  it.each(titled(forgotten))(
    "MNET-078 %s: 7023 in clear, as it was recorded; as its client, nothing changes",
    async (_, exchange) => {
      const { from: self, to: other } = exchange;
      await using server = await inPlaceOf(
        exchange,
        { self: other, other: self, pinned: current(exchange, self) },
        () => "" as never,
      );
      const ours = openAnswer(await post(server.host, requestOf(exchange)));
      expect(summary(ours)).toEqual({ form: "plain", fault: 7023 });
      expect(lineOf(ours.document.toString(), "int")).toBe(lineOf(responseOf(exchange).toString(), "int"));

      const pinned = openerOf(exchange.recording, requestOf(exchange))!;
      await using client = await inPlaceOf(exchange, { self, other, pinned }, () => responseOf(exchange));
      expect(await errorOf(() => client.host.call(client.peer, LIST))).toMatchObject({
        faultCode: 7023,
        authenticated: false,
      });
      expect(await client.pinned()).toBe(pinned.certificate.pem);
    },
  );

  it("there is one", () => {
    expect(forgotten.length).toBeGreaterThanOrEqual(1);
  });
});
