import { describe, expect, it } from "vitest";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import type { TransportRequest, TransportResponse } from "../../src/transport/transport.ts";
import { decodeCall } from "../../src/xmlrpc/decode.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import {
  insertPeer,
  keyedSite,
  openAnswer,
  rig,
  transportTo,
  withBadSignature,
  withoutSignature,
  wrap,
  type Rig,
} from "../support/hosts.ts";

const mallory = keyedSite("https://mallory.example", 3);
const LIST = "system/listServices";

/** A host whose peer alice answers every request in the way that is given; what was asked is kept. */
async function withAlice(
  answer: (
    us: Rig,
    request: TransportRequest,
  ) => Uint8Array | string | TransportResponse | Promise<TransportResponse | Uint8Array>,
  options: Parameters<typeof rig>[0] = {},
): Promise<Rig & { readonly asked: TransportRequest[] }> {
  const asked: TransportRequest[] = [];
  const us: Rig = await rig({
    transport: transportTo((request) => {
      asked.push(request);
      return answer(us, request);
    }),
    ...options,
  });
  return { ...us, asked };
}

/** Alice's answer to us, wrapped in any way. */
const fromAlice = (
  us: Rig,
  document: Uint8Array = encodeResult("hello"),
  options: Partial<Parameters<typeof wrap>[1]> = {},
) => wrap(document, { from: us.alice, to: us.ours, timestamp: new Date(us.clock.now()), ...options });

const list = (us: Rig) => us.host.call({ id: us.aliceId }, LIST);

describe("a call", () => {
  it("is sealed for the peer, posted to its endpoint, and gives what it signed", async () => {
    await using us = await withAlice((self) => fromAlice(self, encodeResult(["a", { b: 1 }])));
    expect(await us.host.call({ id: us.aliceId }, LIST, ["x", 2])).toEqual(["a", { b: 1 }]);
    const [request] = us.asked;
    expect(request).toMatchObject({
      method: "POST",
      url: new URL("https://alice.example/mnet/xmlrpc/server.php"),
      headers: { "content-type": "text/xml", "user-agent": "Moodle" },
      tls: "verify",
      maxBytes: 16 * 1024 * 1024,
    });
    const sent = openAnswer(request!.body!, us.alice);
    expect(sent.form).toBe("signed and encrypted");
    expect(sent.senders).toEqual([us.host.wwwroot, us.host.wwwroot]);
    expect(decodeCall(sent.document)).toMatchObject({ method: LIST, params: ["x", 2] });
    expect(us.told("call.sent")).toMatchObject([{ method: LIST, peer: { wwwroot: us.alice.wwwroot } }]);
  });

  it("MNET-004 goes to a Mahara's own endpoint", async () => {
    await using us = await withAlice((self) => fromAlice(self), { alicePeer: { application: "mahara" } });
    await list(us);
    expect(us.asked[0]!.url.href).toBe("https://alice.example/api/xmlrpc/server.php");
  });

  it("is answered in a response that comes with white space before it, as a PHP site may send", async () => {
    await using us = await withAlice((self) => Buffer.concat([Buffer.from("\n \r\n"), fromAlice(self)]));
    expect(await list(us)).toBe("hello");
  });
});

describe("which methods may be called", () => {
  const weather = defineService({
    name: "weather",
    methods: { now: { params: { place: t.string(), days: t.int().optional() }, returns: t.int({ min: 0 }) } },
  });

  it.each(["system/listServices", "system/listMethods", "system/methodSignature", "system/methodHelp"])(
    "MNET-100 %s is always allowed",
    async (method) => {
      await using us = await withAlice((self) => fromAlice(self));
      expect(await us.host.call({ id: us.aliceId }, method)).toBe("hello");
    },
  );

  it.each([
    ["system/keyswap", "MNET_CALL_METHOD_UNKNOWN"],
    ["system/other", "MNET_CALL_METHOD_UNKNOWN"],
    ["weather/now", "MNET_CALL_NOT_SUBSCRIBED"],
    ["weather/then", "MNET_CALL_METHOD_UNKNOWN"],
    ["nonsense", "MNET_CALL_METHOD_UNKNOWN"],
    ["a/../b/cc", "MNET_CALL_METHOD_UNKNOWN"],
    ["", "MNET_CALL_METHOD_UNKNOWN"],
  ])("MNET-100 %j is refused here with %s, and nothing is sent", async (method, code) => {
    await using us = await withAlice((self) => fromAlice(self), {
      services: [weather],
      alicePeer: { services: { weather: "publish" } },
    });
    expect(await errorOf(() => us.host.call({ id: us.aliceId }, method))).toMatchObject({
      code,
      method,
      peer: us.alice.wwwroot,
    });
    expect(us.asked).toEqual([]);
  });

  it.each(["subscribe", "both"] as const)(
    "MNET-100 a method of a service with %s is called; all hosts count",
    async (flag) => {
      await using us = await withAlice((self) => fromAlice(self, encodeResult("5")), { services: [weather] });
      const place = { place: "Bern" };
      expect(await codeOf(() => us.host.call({ id: us.aliceId }, weather.methods.now, place))).toBe(
        "MNET_CALL_NOT_SUBSCRIBED",
      );
      await us.store.peers.changeAllHostsServices({ weather: flag });
      expect(await us.host.call({ id: us.aliceId }, weather.methods.now, place)).toBe(5);
      expect(await us.host.call({ id: us.aliceId }, "weather/now", ["Bern"])).toBe("5");
    },
  );

  it("MNET-100 unchecked: any name that is one, and it is told", async () => {
    await using us = await withAlice((self) => fromAlice(self));
    expect(await us.host.call({ id: us.aliceId }, "some/thing", [1], { unchecked: true })).toBe("hello");
    expect(us.told("call.unchecked")).toMatchObject([{ method: "some/thing", level: "info" }]);
    for (const method of ["nonsense", "system/keyswap"]) {
      expect(await codeOf(() => us.host.call({ id: us.aliceId }, method, [], { unchecked: true }))).toBe(
        "MNET_CALL_METHOD_UNKNOWN",
      );
    }
    expect(us.asked).toHaveLength(1);
  });

  it("described parameters and results are checked, with a path", async () => {
    let result: unknown = "5";
    await using us = await withAlice((self) => fromAlice(self, encodeResult(result as string)), {
      services: [weather],
      alicePeer: { services: { weather: "subscribe" } },
    });
    const now = (params: object) => us.host.call({ id: us.aliceId }, weather.methods.now, params as { place: string });
    expect(await errorOf(() => now({ place: 5 }))).toMatchObject({
      code: "MNET_CALL_PARAMS_INVALID",
      path: "place",
      method: "weather/now",
    });
    expect(await codeOf(() => now({}))).toBe("MNET_CALL_PARAMS_INVALID");
    expect(us.asked).toEqual([]);
    expect(await now({ place: "Bern" })).toBe(5);
    for (const wrong of ["cold", -1, ["5"], { a: 5 }, true]) {
      result = wrong;
      expect(await errorOf(() => now({ place: "Bern" }))).toMatchObject({
        code: "MNET_CALL_RESULT_INVALID",
        peer: us.alice.wwwroot,
      });
    }
  });

  it("a method of nobody is refused", async () => {
    await using us = await rig();
    const method = { name: "a/bc", service: "a" } as unknown as Parameters<typeof us.host.call>[1];
    expect(await errorOf(() => us.host.call({ id: us.aliceId }, method as never, {}))).toMatchObject({
      code: "MNET_CONFIG_INVALID",
      option: "method",
    });
  });

  it.each(["pending", "suspended"] as const)("a %s peer is not called", async (state) => {
    await using us = await withAlice((self) => fromAlice(self), { alicePeer: { state } });
    expect(await codeOf(() => list(us))).toBe("MNET_PEER_NOT_ACTIVE");
    expect(us.asked).toEqual([]);
  });

  it("nor is one that was removed, or never was", async () => {
    await using us = await withAlice((self) => fromAlice(self));
    const alice = await us.host.peers.get(us.aliceId);
    await us.host.peers.remove(alice);
    expect(await codeOf(() => us.host.call(alice, LIST))).toBe("MNET_PEER_UNKNOWN");
    expect(await codeOf(() => us.host.call({ id: 99 as typeof alice.id }, LIST))).toBe("MNET_PEER_UNKNOWN");
  });
});

describe("faults", () => {
  const compact = `<?xml version="1.0"?><methodResponse><fault><value><struct><member><name>faultCode</name><value><int>7020</int></value></member><member><name>faultString</name><value><string>https://us.example/wrong-wwwroot &amp; more</string></value></member></struct></value></fault></methodResponse>`;

  it.each([
    ["compact", () => compact],
    ["indented", () => encodeFault(7020, "https://us.example/wrong-wwwroot & more")],
    ["with status 404", () => ({ status: 404, headers: {}, body: Buffer.from(compact) })],
    ["with status 500", () => ({ status: 500, headers: {}, body: Buffer.from(compact) })],
  ])("MNET-101 in clear, %s: reported with code and text, as what nobody vouches for", async (_, answer) => {
    await using us = await withAlice(answer);
    expect(await errorOf(() => list(us))).toMatchObject({
      code: "MNET_REMOTE_FAULT",
      faultCode: 7020,
      faultString: "https://us.example/wrong-wwwroot & more",
      authenticated: false,
      method: LIST,
      peer: us.alice.wwwroot,
    });
    expect(us.told("call.failed")).toMatchObject([{ code: "MNET_REMOTE_FAULT", method: LIST }]);
  });

  it("MNET-101 encrypted and not signed: the same", async () => {
    await using us = await withAlice((self) => fromAlice(self, encodeFault(711, "no"), { form: "encrypted" }));
    expect(await errorOf(() => list(us))).toMatchObject({ faultCode: 711, authenticated: false });
  });

  it("MNET-101 signed and encrypted: vouched for, code 0 of a Mahara too", async () => {
    const zero = Buffer.from(Buffer.from(encodeFault(1, "bad token")).toString().replace("<int>1<", "<int>0<"));
    for (const [document, faultCode] of [
      [encodeFault(7012, "no"), 7012],
      [zero, 0],
    ] as const) {
      await using us = await withAlice((self) => fromAlice(self, document));
      expect(await errorOf(() => list(us))).toMatchObject({
        code: "MNET_REMOTE_FAULT",
        faultCode,
        authenticated: true,
      });
    }
  });

  it("a plain 7025 changes no key", async () => {
    await using us = await withAlice(() => encodeFault(7025, mallory.certificate.pem));
    expect(await codeOf(() => list(us))).toBe("MNET_REMOTE_FAULT");
    expect((await us.host.peers.get(us.aliceId)).key.fingerprint).toBe(us.alice.certificate.fingerprint);
  });
});

describe("answers that nobody signed for us", () => {
  const cases: readonly (readonly [id: string, name: string, code: string, answer: (us: Rig) => Buffer])[] = [
    ["MNET-102", "a plain result", "MNET_ENVELOPE_NOT_ENCRYPTED", () => Buffer.from(encodeResult("x"))],
    ["MNET-102", "signed only", "MNET_ENVELOPE_NOT_ENCRYPTED", (us) => fromAlice(us, undefined, { form: "signed" })],
    ["MNET-102", "encrypted only", "MNET_ENVELOPE_NOT_SIGNED", (us) => fromAlice(us, undefined, { form: "encrypted" })],
    [
      "MNET-102",
      "without the signature",
      "MNET_ENVELOPE_NOT_SIGNED",
      (us) => fromAlice(us, undefined, { damage: withoutSignature }),
    ],
    [
      "MNET-102",
      "a bad signature",
      "MNET_ENVELOPE_SIGNATURE_INVALID",
      (us) => fromAlice(us, undefined, { damage: withBadSignature }),
    ],
    [
      "MNET-102",
      "signed by another",
      "MNET_ENVELOPE_SIGNATURE_INVALID",
      (us) => wrap(encodeResult("x"), { from: mallory, to: us.ours, outer: us.alice.wwwroot, inner: us.alice.wwwroot }),
    ],
    [
      "MNET-102",
      "a fault with a bad signature",
      "MNET_ENVELOPE_SIGNATURE_INVALID",
      (us) => fromAlice(us, encodeFault(1, "x"), { damage: withBadSignature }),
    ],
    [
      "MNET-102",
      "encrypted to another",
      "MNET_ENVELOPE_DECRYPTION_FAILED",
      (us) => wrap(encodeResult("x"), { from: us.alice, to: mallory }),
    ],
    [
      "MNET-103",
      "as from another",
      "MNET_ENVELOPE_SENDER_MISMATCH",
      (us) => wrap(encodeResult("x"), { from: mallory, to: us.ours }),
    ],
    [
      "MNET-103",
      "as from another, signed with alice's key",
      "MNET_ENVELOPE_SENDER_MISMATCH",
      (us) => fromAlice(us, undefined, { outer: mallory.wwwroot, inner: mallory.wwwroot }),
    ],
    [
      "MNET-103",
      "another inside",
      "MNET_ENVELOPE_SENDER_MISMATCH",
      (us) => fromAlice(us, undefined, { inner: mallory.wwwroot }),
    ],
    [
      "MNET-103",
      "another outside",
      "MNET_ENVELOPE_SENDER_MISMATCH",
      (us) => fromAlice(us, undefined, { outer: mallory.wwwroot }),
    ],
    [
      "MNET-103",
      "our own message",
      "MNET_ENVELOPE_SENDER_MISMATCH",
      (us) => wrap(encodeResult("x"), { from: us.ours, to: us.ours }),
    ],
    ["MNET-102", "a broken envelope", "MNET_ENVELOPE_MALFORMED", () => Buffer.from("<encryptedMessage>")],
    ["MNET-102", "a cut envelope", "MNET_ENVELOPE_MALFORMED", (us) => fromAlice(us).subarray(0, -10)],
    [
      "MNET-102",
      "an envelope and more",
      "MNET_ENVELOPE_MALFORMED",
      (us) => Buffer.concat([fromAlice(us), Buffer.from("x")]),
    ],
  ];
  it.each(cases)("%s %s → %s", async (_id, _name, code, answer) => {
    await using us = await withAlice(answer);
    expect(await errorOf(() => list(us))).toMatchObject({ code });
    expect(us.told("call.failed")).toMatchObject([{ code }]);
    expect(us.told("call.sent")).toEqual([]);
  });

  it("MNET-103 a known peer cannot answer for another", async () => {
    await using us = await withAlice((self) => wrap(encodeResult("x"), { from: mallory, to: self.ours }));
    await insertPeer(us.store, mallory);
    expect(await codeOf(() => list(us))).toBe("MNET_ENVELOPE_SENDER_MISMATCH");
  });

  it("MNET-109 an answer to an archived key of ours is read", async () => {
    const old = keyedSite("https://host.example/moodle", 2);
    await using us = await withAlice((self) => wrap(encodeResult("late"), { from: self.alice, to: old }), {
      archived: [old],
    });
    expect(await list(us)).toBe("late");
  });

  it.each([
    ["a call", "<methodCall><methodName>a/bc</methodName></methodCall>", "MNET_XMLRPC_UNEXPECTED_ROOT"],
    ["no XML-RPC", "hello", "MNET_XMLRPC_MALFORMED"],
    [
      "two results",
      "<methodResponse><params><param><value/></param><param><value/></param></params></methodResponse>",
      "MNET_XMLRPC_MALFORMED",
    ],
    [
      "too deep",
      `<methodResponse><params><param><value>${"<array><data><value>".repeat(40)}${"</value></data></array>".repeat(40)}</value></param></params></methodResponse>`,
      "MNET_XMLRPC_LIMIT",
    ],
  ])("SEC-022 signed, but %s", async (_, document, code) => {
    await using us = await withAlice((self) => fromAlice(self, Buffer.from(document)));
    expect(await codeOf(() => list(us))).toBe(code);
  });
});

describe("clocks", () => {
  it.each([
    [14, undefined, []],
    [15, undefined, []],
    [16, "MNET_PEER_CLOCK_AHEAD", [16_000]],
    [7200, "MNET_PEER_CLOCK_AHEAD", [7_200_000]],
    [-14, undefined, []],
    [-16, undefined, [-16_000]],
    [-7200, undefined, [-7_200_000]],
  ])("MNET-104 SEC-035 an answer of %i s → %s", async (seconds, code, offsets) => {
    await using us = await withAlice((self) =>
      fromAlice(self, undefined, { timestamp: new Date(self.clock.now() + seconds * 1000) }),
    );
    if (code) expect(await errorOf(() => list(us))).toMatchObject({ code, offsetMs: seconds * 1000 });
    else expect(await list(us)).toBe("hello");
    expect(us.told("clock.off").map(({ offsetMs }) => offsetMs)).toEqual(offsets);
  });

  it("MNET-104 half of the round trip is taken off", async () => {
    // Ten seconds pass on the way, so an answer 19 s ahead of the sending is 14 s ahead, and one of 21 s 16 s.
    for (const [seconds, code] of [
      [19, "accepted"],
      [21, "MNET_PEER_CLOCK_AHEAD"],
    ] as const) {
      await using us = await withAlice(async (self) => {
        const timestamp = new Date(self.clock.now() + seconds * 1000);
        await self.clock.advance(10_000);
        return fromAlice(self, undefined, { timestamp });
      });
      expect(await codeOf(() => list(us))).toBe(code);
    }
  });

  it("MNET-104 the tolerance can be set per peer", async () => {
    const timestamp = new Date("2026-01-01T00:00:40Z");
    await using strict = await withAlice((self) => fromAlice(self, undefined, { timestamp }));
    expect(await codeOf(() => list(strict))).toBe("MNET_PEER_CLOCK_AHEAD");
    await using lenient = await withAlice((self) => fromAlice(self, undefined, { timestamp }), {
      alicePeer: { settings: { driftToleranceMs: 60_000 } },
    });
    expect(await codeOf(() => list(lenient))).toBe("accepted");
  });
});

describe("no answer at all", () => {
  const page = "<!doctype html><title>Maintenance</title>";
  it.each([
    ["a page", page, "MNET_TRANSPORT_NOT_MNET", false],
    ["nothing", "", "MNET_TRANSPORT_NOT_MNET", false],
    ["white space", "\n\n", "MNET_TRANSPORT_NOT_MNET", false],
    ["bytes", "\0\x01\x02", "MNET_TRANSPORT_NOT_MNET", false],
    ["a page with status 404", { status: 404, headers: {}, body: Buffer.from(page) }, "MNET_TRANSPORT_STATUS", false],
    ["a page with status 503", { status: 503, headers: {}, body: Buffer.from(page) }, "MNET_TRANSPORT_STATUS", true],
    ["status 429", { status: 429, headers: {}, body: Buffer.alloc(0) }, "MNET_TRANSPORT_STATUS", true],
    [
      "a broken envelope with status 500",
      { status: 500, headers: {}, body: Buffer.from("<encryptedMessage>") },
      "MNET_TRANSPORT_STATUS",
      true,
    ],
    [
      "a redirect",
      { status: 302, headers: { location: "http://127.0.0.1/" }, body: Buffer.alloc(0) },
      "MNET_TRANSPORT_REDIRECT",
      false,
    ],
    [
      "a permanent redirect",
      { status: 308, headers: { location: "https://alice.example/" }, body: Buffer.alloc(0) },
      "MNET_TRANSPORT_REDIRECT",
      false,
    ],
  ] as const)("%s → %s", async (_, answer, code, retryable) => {
    await using us = await withAlice(() => answer);
    expect(await errorOf(() => list(us))).toMatchObject({
      code,
      retryable,
      peer: us.alice.wwwroot,
      url: "https://alice.example/mnet/xmlrpc/server.php",
    });
    expect(us.asked).toHaveLength(1);
  });

  it("a body over the limit", async () => {
    await using us = await withAlice((self) => fromAlice(self, encodeResult("x".repeat(20_000))), {
      limits: { responseBytes: 10_000 },
    });
    expect(await codeOf(() => list(us))).toBe("MNET_ENVELOPE_TOO_LARGE");
    expect(us.asked[0]!.maxBytes).toBe(10_000);
  });

  it("MNET-074 a slow peer, with a time limit of its own", async () => {
    await using us = await withAlice(
      (_, { signal }) =>
        new Promise<never>((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason as Error)),
        ),
      { alicePeer: { settings: { timeoutMs: 2000 } } },
    );
    const outcome = errorOf(() => list(us));
    await us.clock.advance(2000);
    expect(await outcome).toMatchObject({ code: "MNET_TRANSPORT_TIMEOUT", retryable: true, peer: us.alice.wwwroot });
  });

  it("what a program cannot say is its own mistake", async () => {
    await using us = await withAlice((self) => fromAlice(self));
    expect(await codeOf(() => us.host.call({ id: us.aliceId }, LIST, [NaN]))).toBe("MNET_XMLRPC_UNENCODABLE");
    expect(us.asked).toEqual([]);
  });
});

it("the last contact is noted, and not with every call", async () => {
  await using us = await withAlice((self) => fromAlice(self));
  const contact = async () => (await us.host.peers.get(us.aliceId)).lastContactAt?.getTime();
  const start = us.clock.now();
  expect(await contact()).toBeUndefined();
  await list(us);
  await us.clock.advance(1);
  expect(await contact()).toBe(start);
  await us.clock.advance(30_000);
  await list(us);
  await us.clock.advance(1);
  expect(await contact()).toBe(start);
  await us.clock.advance(60_000);
  await list(us);
  const later = us.clock.now();
  await us.clock.advance(1);
  expect(await contact()).toBe(later);
});
