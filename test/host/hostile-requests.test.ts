import { describe, expect, it } from "vitest";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import { aliceCalls, openAnswer, padded, post, rig, summary, wrap, type Rig } from "../support/hosts.ts";

const BOTH = "signed and encrypted";

/** A host whose one method would tell that it ran. */
async function guarded(options: Parameters<typeof rig>[0] = {}): Promise<Rig & { readonly executed: string[] }> {
  const executed: string[] = [];
  const service = defineService({ name: "work", methods: { run: { params: { of: t.value() }, returns: t.string() } } });
  const run = (): string => {
    executed.push("ran");
    return "ran";
  };
  const us = await rig({
    services: [service.implement({ run })],
    alicePeer: { services: { work: "publish" } },
    ...options,
  });
  return { ...us, executed };
}

/** That nothing happened: nothing ran, nothing was stored, and the host goes on. */
async function expectUnharmed(us: Rig & { readonly executed: string[] }): Promise<void> {
  expect(us.executed).toEqual([]);
  expect((await us.host.peers.list().page()).items.map(({ wwwroot }) => wwwroot)).toEqual([us.alice.wwwroot]);
  expect(await us.host.keys.all()).toHaveLength(1);
  const answer = openAnswer(await post(us.host, aliceCalls(us, "work/run", ["x"])), us.alice);
  expect(summary(answer)).toEqual({ form: BOTH, value: "ran" });
}

describe("bodies that are no messages", () => {
  it("a body cut at any byte is refused with a plain fault, and nothing runs", { timeout: 60_000 }, async () => {
    await using us = await guarded();
    const whole = aliceCalls(us, "work/run", ["x"]);
    const faults = new Map<number, number>();
    for (let length = 0; length < whole.length; length += 1) {
      const answer = summary(openAnswer(await post(us.host, whole.subarray(0, length))));
      expect(answer.form).toBe("plain");
      faults.set(answer.fault!, (faults.get(answer.fault!) ?? 0) + 1);
    }
    // As soon as the root can be seen it is a broken envelope, before that nothing at all.
    const rootEnd = whole.indexOf("<encryptedMessage>") + "<encryptedMessage>".length;
    expect([...faults]).toEqual([
      [7021, rootEnd],
      [7023, whole.length - rootEnd],
    ]);
    expect(us.told("call.refused")).toHaveLength(whole.length);
    expect(us.told("call.served")).toEqual([]);
    await expectUnharmed(us);
  });

  const envelope = (us: Rig): string => aliceCalls(us, "work/run", ["x"]).toString("latin1");
  const bodies: Record<string, readonly [fault: number, (us: Rig) => string | Buffer]> = {
    nothing: [7021, () => ""],
    "white space": [7021, () => " \n"],
    "a page": [7021, () => "<!doctype html><title>x</title>"],
    "a text": [7021, () => "hello"],
    bytes: [7021, () => Buffer.from([0, 1, 2, 0xff, 0xfe])],
    "UTF-16": [7021, (us) => Buffer.from(envelope(us), "utf16le")],
    "two roots": [7023, (us) => envelope(us) + "<encryptedMessage></encryptedMessage>"],
    "the same twice": [7023, (us) => envelope(us) + envelope(us)],
    "trailing text": [7023, (us) => `${envelope(us)}x`],
    "a DOCTYPE": [7021, (us) => envelope(us).replace("?>", '?><!DOCTYPE x [<!ENTITY a "b">]>')],
    "a DOCTYPE inside": [7023, (us) => envelope(us).replace("<EncryptedData", "<!DOCTYPE x><EncryptedData")],
    "an entity": [7023, (us) => envelope(us).replace("https://alice", "&alice;")],
    "a comment in the sender": [7023, (us) => envelope(us).replace("https://alice", "https://<!-- x -->alice")],
    "CDATA in the sender": [7023, (us) => envelope(us).replace(/<wwwroot>([^<]*)/, "<wwwroot><![CDATA[$1]]>")],
    "wrong base64": [7023, (us) => envelope(us).replace("<CipherValue>", "<CipherValue>!")],
    "base64 without padding": [
      7023,
      (us) =>
        envelope(us)
          .replace(/=+<\/CipherValue>/g, "</CipherValue>")
          .replace("<CipherValue>", "<CipherValue>A"),
    ],
    "a sender twice": [7023, (us) => envelope(us).replace("</wwwroot>", "</wwwroot><wwwroot>.evil</wwwroot>")],
    "no sender": [7023, (us) => envelope(us).replace(/<wwwroot>.*<\/wwwroot>/, "")],
    "an empty sender": [7020, (us) => envelope(us).replace(/<wwwroot>.*<\/wwwroot>/, "<wwwroot></wwwroot>")],
    "an illegal character": [7023, (us) => envelope(us).replace("</wwwroot>", "\0</wwwroot>")],
    "a depth bomb": [7023, () => `<encryptedMessage>${"<a>".repeat(100_000)}`],
    "a long attribute": [7023, () => `<encryptedMessage ${"a".repeat(1_000_000)}>`],
    "a deep plain document": [7021, () => `<methodCall>${"<a>".repeat(100_000)}`],
    "a plain document with many entities": [7021, () => `<methodCall>${"&amp;".repeat(100_000)}`],
    "a sender of a million characters": [
      7020,
      (us) => envelope(us).replace("https://alice", `https://${"a".repeat(1_000_000)}`),
    ],
    "a sender named __proto__": [7020, (us) => envelope(us).replace("https://alice.example", "__proto__")],
  };

  it.each(Object.entries(bodies))(
    "%s → a coded event and a fault in clear, nothing stored",
    async (_, [fault, body]) => {
      await using us = await guarded();
      const answer = await post(us.host, Buffer.from(body(us) as string));
      expect(summary(openAnswer(answer))).toEqual({ form: "plain", fault });
      const [refused] = us.told("call.refused");
      expect(refused).toMatchObject({ faultCode: fault, code: expect.stringMatching(/^MNET_ENVELOPE_/) });
      expect(refused!.detail.length).toBeLessThan(1000);
      await expectUnharmed(us);
    },
  );
});

describe("signed documents that are no calls", () => {
  const value = (inner: string): string =>
    `<methodCall><methodName>work/run</methodName><params><param><value>${inner}</value></param></params></methodCall>`;
  const documents: Record<string, readonly [fault: number, document: string]> = {
    nothing: [7021, ""],
    "a text": [7021, "hello"],
    "a cut call": [7021, "<methodCall><methodName>work/run</methodName>"],
    "two calls": [7021, value("<string>x</string>").repeat(2)],
    "trailing text": [7021, `${value("<string>x</string>")}x`],
    "a DOCTYPE": [7021, `<!DOCTYPE x [<!ENTITY a "b">]>${value("&a;")}`],
    "a depth bomb": [7021, value("<array><data><value>".repeat(33) + "</value></data></array>".repeat(33))],
    "many values": [7021, value(`<array><data>${"<value/>".repeat(100_001)}</data></array>`)],
    "many members": [
      7021,
      value(
        `<struct>${Array.from({ length: 4097 }, (_, n) => `<member><name>m${n}</name><value/></member>`).join("")}</struct>`,
      ),
    ],
    "a member twice": [
      7021,
      value("<struct><member><name>a</name><value/></member><member><name>a</name><value/></member></struct>"),
    ],
    "an unknown type": [7021, value("<thing>1</thing>")],
    "an int that is none": [7021, value("<int>1e3</int>")],
    "no method name": [7021, "<methodCall><params/></methodCall>"],
    "an empty method name": [713, "<methodCall><methodName></methodName></methodCall>"],
    "no parameters": [17, "<methodCall><methodName>work/run</methodName></methodCall>"],
    "invalid UTF-8": [7021, value("<string>\xff\xfe</string>")],
  };

  it.each(Object.entries(documents))(
    "%s → a coded event, an enveloped fault, nothing run",
    async (_, [fault, document]) => {
      await using us = await guarded();
      const body = wrap(Buffer.from(document, "latin1"), { from: us.alice, to: us.ours });
      expect(summary(openAnswer(await post(us.host, body), us.alice))).toEqual({ form: BOTH, fault });
      expect(us.told("call.refused")).toMatchObject([
        { faultCode: fault, code: expect.stringMatching(/^MNET_(XMLRPC|CALL)_/) },
      ]);
      await expectUnharmed(us);
    },
  );

  it("SEC-019 depth, values and members: the limit passes, one more does not", async () => {
    await using us = await guarded({ limits: { depth: 5, nodes: 10, members: 3 } });
    const nested = (depth: number): string =>
      "<array><data><value>".repeat(depth - 1) + "<int>1</int>" + "</value></data></array>".repeat(depth - 1);
    const list = (count: number): string =>
      `<array><data>${"<value><int>1</int></value>".repeat(count)}</data></array>`;
    const members = (count: number): string =>
      `<struct>${Array.from({ length: count }, (_, n) => `<member><name>m${n}</name><value/></member>`).join("")}</struct>`;
    const outcome = async (inner: string): Promise<unknown> => {
      const answer = openAnswer(await post(us.host, wrap(value(inner), { from: us.alice, to: us.ours })), us.alice);
      return summary(answer).fault ?? summary(answer).value;
    };
    expect([await outcome(nested(5)), await outcome(nested(6))]).toEqual(["ran", 7021]);
    expect([await outcome(list(9)), await outcome(list(10))]).toEqual(["ran", 7021]);
    expect([await outcome(members(3)), await outcome(members(4))]).toEqual(["ran", 7021]);
    expect(us.told("call.refused").map(({ code }) => code)).toEqual(
      Array.from({ length: 3 }, () => "MNET_XMLRPC_LIMIT"),
    );
  });

  it("SEC-019 the body: the limit passes, one byte more does not", async () => {
    await using us = await guarded({ limits: { requestBytes: 20_000 } });
    const body = (length: number): Buffer => padded(aliceCalls(us, "work/run", ["x"]), length);
    expect(summary(openAnswer(await post(us.host, body(20_000)), us.alice))).toEqual({ form: BOTH, value: "ran" });
    expect(summary(openAnswer(await post(us.host, body(20_001))))).toEqual({ form: "plain", fault: 7023 });
    expect(us.told("call.refused")).toMatchObject([{ code: "MNET_ENVELOPE_TOO_LARGE" }]);
  });

  it("characters that XML forbids are dropped from values and crash nothing", async () => {
    const seen: unknown[] = [];
    const service = defineService({
      name: "echo",
      methods: { back: { params: { of: t.string() }, returns: t.string() } },
    });
    const back = ({ of }: { readonly of: string }): string => {
      seen.push(of);
      return `\0\x0b${of}\ud800\ufffe`;
    };
    await using us = await rig({
      services: [service.implement({ back })],
      alicePeer: { services: { echo: "publish" } },
    });
    const document = Buffer.from(encodeCall("echo/back", ["MARK"]))
      .toString()
      .replace("MARK", "a&#0;&#11;&#xFFFE;b");
    const answer = openAnswer(await post(us.host, wrap(document, { from: us.alice, to: us.ours })), us.alice);
    expect(seen).toEqual(["ab"]);
    expect(summary(answer)).toEqual({ form: BOTH, value: "ab" });
  });
});
