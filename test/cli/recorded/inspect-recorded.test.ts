import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../../src/cli/run.ts";
import { inspectRecorded, type ExchangeReport } from "../../../src/cli/recorded/inspect-recorded.ts";
import { KeyPair } from "../../../src/crypto/key-pair.ts";
import { rc4 } from "../../../src/crypto/rc4.ts";
import { wrapKey } from "../../../src/crypto/rsa.ts";
import { encryptMessage } from "../../../src/envelope/encrypted-message.ts";
import { signMessage } from "../../../src/envelope/signed-message.ts";

const fixtures = (path: string): string => fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url));

describe("the recorded sets", () => {
  it.each<[set: string, exchanges: number, deviations: Record<string, number>]>([
    ["moodle-4.5", 115, { "MNET-082": 1, "SEC-003": 2, "SEC-021": 2, "SEC-031": 1, "SEC-037": 1 }],
    ["moodle-4.5-register", 4, {}],
    ["moodle-4.2-https", 10, {}],
    ["moodle-3.11", 19, {}],
    [
      "mahara-23.04",
      78,
      {
        "MNET-077": 2,
        "MNET-078": 1,
        "MNET-082": 2,
        "MNET-083": 1,
        "MNET-084": 1,
        "SEC-003": 1,
        "SEC-021": 1,
        "SEC-031": 1,
      },
    ],
  ])("%s is opened and answered as recorded", async (set, exchanges, deviations) => {
    const report = await inspectRecorded(fixtures(set));
    expect(report.exchanges.filter(({ verdict }) => verdict === "failed")).toEqual([]);
    expect(report).toMatchObject({ passed: exchanges, failed: 0 });
    const counts: Record<string, number> = {};
    for (const { id } of report.exchanges) if (id !== undefined) counts[id] = (counts[id] ?? 0) + 1;
    expect(counts).toEqual(deviations);
  });
});

/** Exchanges made of a recorded one, in a folder of their own and under other names. */
describe("an exchange that was changed", () => {
  const A = "http://moodle-a.test:8101";
  const B = "http://moodle-b.test:8102";
  let folder: string;
  let keys: Record<string, { certificate: string; privateKey: string }>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the JSON of a recording, to be changed at will
  let exchange: any;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "mnet-recorded-"));
    keys = JSON.parse(await readFile(fixtures("moodle-4.5/keys.json"), "utf8")) as typeof keys;
    exchange = JSON.parse(await readFile(fixtures("moodle-4.5/190-final-sanity.json"), "utf8"));
    exchange.name = "any";
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function inspect(): Promise<ExchangeReport> {
    await writeFile(join(folder, "keys.json"), JSON.stringify(keys));
    await writeFile(join(folder, "zzz.json"), JSON.stringify(exchange));
    const { exchanges } = await inspectRecorded(folder);
    expect(exchanges).toHaveLength(1);
    return exchanges[0]!;
  }

  const pairOf = (wwwroot: string): KeyPair => KeyPair.parse(keys[exchange.keys[wwwroot].current as string]!);

  /** The request again, with its signed envelope changed, as a recording would have it. */
  function reseal(change: (signedXml: string) => string): void {
    const signedXml = change(exchange.request.signedXml as string);
    exchange.request.signedXml = signedXml;
    exchange.request.bodyBase64 = encryptMessage(Buffer.from(signedXml), {
      sender: B,
      recipient: pairOf(A).certificate,
    }).toString("base64");
  }

  /** The request again, with another document, properly signed. */
  function resign(document: string): void {
    exchange.request.xmlrpc = document;
    exchange.request.xmlrpcBase64 = Buffer.from(document).toString("base64");
    const timestamp = new Date(exchange.recordedAt * 1000);
    const signed = signMessage(Buffer.from(document), { sender: B, key: pairOf(B), timestamp });
    reseal(() => signed.toString());
  }

  it("passes unchanged, whatever its file is called", async () => {
    expect(await inspect()).toMatchObject({ name: "any", verdict: "passed", recorded: "answered", ours: "answered" });
  });

  it.each<[string, () => void]>([
    ["another sender's key", () => void (exchange.keys[B].current = exchange.keys[A].current)],
    ["a receiver without its key", () => void (exchange.keys[A].current = exchange.keys[B].current)],
    ["another opener than recorded", () => void (exchange.request.openedWith = `${A} history[0]`)],
    ["another signer than recorded", () => void (exchange.request.signatureValidWith = `${B} history[1]`)],
    ["another text inside", () => void (exchange.request.signedXml += " ")],
    ["another document", () => void (exchange.request.xmlrpcBase64 = "PGEvPg==")],
    ["another document in the response", () => void (exchange.response.xmlrpcBase64 = "PGEvPg==")],
    ["a recorded 710", () => void (exchange.faultCode = 710)],
    ["a recorded 7020 of a known sender", () => void (exchange.faultCode = 7020)],
    ["a recorded 7025", () => void (exchange.faultCode = 7025)],
    ["a recorded 713", () => void (exchange.faultCode = 713)],
    ["an unknown sender that was served", () => void (exchange.unknownTo = [B])],
    ["a request that is no message", () => void (exchange.request.bodyBase64 = "")],
    [
      "a signature that is wrong without being recorded so",
      () => {
        reseal((xml) =>
          xml.replace(/(<SignatureValue>)(.)/, (_, tag: string, first: string) => tag + (first === "A" ? "B" : "A")),
        );
      },
    ],
  ])("fails with %s", async (_, change) => {
    change();
    expect((await inspect()).verdict).toBe("failed");
  });

  it.each<[id: string, what: string, change: () => void]>([
    [
      "SEC-015",
      "a DOCTYPE in the signed envelope",
      () => {
        reseal((xml) => xml.replace("?>", "?><!DOCTYPE a>"));
      },
    ],
    [
      "SEC-016",
      "a comment in a field",
      () => {
        reseal((xml) => xml.replace("<wwwroot>", "<wwwroot><!-- x -->"));
      },
    ],
    [
      "SEC-016",
      "CDATA in a field",
      () => {
        reseal((xml) => xml.replace(/<wwwroot>(.*?)</, "<wwwroot><![CDATA[$1]]><"));
      },
    ],
    [
      "SEC-017",
      "a cut signed envelope",
      () => {
        reseal((xml) => xml.replace("</signedMessage>", ""));
      },
    ],
    [
      "SEC-018",
      "text outside ASCII",
      () => {
        reseal((xml) => xml.replace("</signedMessage>", "<x>é</x></signedMessage>"));
      },
    ],
    [
      "SEC-014",
      "a wwwroot in two parts",
      () => {
        reseal((xml) => xml.replace("<wwwroot>http://moodle-b", "<wwwroot>http://</wwwroot><wwwroot>moodle-b"));
      },
    ],
    [
      "SEC-014",
      "names in capitals",
      () => {
        reseal((xml) => xml.replaceAll("SignatureValue", "SIGNATUREVALUE"));
      },
    ],
    [
      "SEC-014",
      "no timestamp",
      () => {
        reseal((xml) => xml.replace(/<timestamp>.*<\/timestamp>/, ""));
      },
    ],
    [
      "SEC-012",
      "base64 with a foreign character",
      () => {
        reseal((xml) => xml.replace('<object ID="XMLRPC-MSG">', "$&*"));
      },
    ],
    [
      "SEC-015",
      "a DOCTYPE in the XML-RPC",
      () => {
        resign("<!DOCTYPE a><methodCall><methodName>a/bc</methodName></methodCall>");
      },
    ],
    [
      "SEC-016",
      "CDATA in the XML-RPC",
      () => {
        resign("<methodCall><methodName><![CDATA[a/bc]]></methodName></methodCall>");
      },
    ],
    [
      "SEC-020",
      "a member twice",
      () => {
        const member = "<member><name>a</name><value>1</value></member>";
        resign(
          `<methodCall><methodName>a/bc</methodName><params><param><value><struct>${member}${member}</struct></value></param></params></methodCall>`,
        );
      },
    ],
    [
      "SEC-021",
      "a number that is none",
      () => {
        resign(
          "<methodCall><methodName>a/bc</methodName><params><param><value><int>x</int></value></param></params></methodCall>",
        );
      },
    ],
    [
      "MNET-049",
      "a session key of 5 bytes",
      () => {
        const sessionKey = Buffer.from("12345");
        const body = Buffer.from(exchange.request.bodyBase64 as string, "base64").toString();
        const values = [
          rc4(sessionKey, Buffer.from(exchange.request.signedXml as string)).toString("base64"),
          wrapKey(pairOf(A).certificate.publicKey, sessionKey).toString("base64"),
        ];
        const changed = body.replace(/(<CipherValue>)[^<]*/g, (_, tag: string) => tag + values.shift()!);
        exchange.request.bodyBase64 = Buffer.from(changed).toString("base64");
      },
    ],
    [
      "MNET-077",
      "an unknown sender to whom a debugging site said 0",
      () => {
        exchange.unknownTo = [B];
        exchange.faultCode = 0;
      },
    ],
    [
      "SEC-037",
      "a signed request in clear, which a trusting site served",
      () => {
        exchange.request.bodyBase64 = Buffer.from(exchange.request.signedXml as string).toString("base64");
        exchange.request.openedWith = null;
      },
    ],
    [
      "SEC-037",
      "an unsigned request in clear, which a trusting site refused with 711",
      () => {
        exchange.request.bodyBase64 = exchange.request.xmlrpcBase64;
        Object.assign(exchange.request, { openedWith: null, signatureValidWith: null, signedXml: null });
        exchange.faultCode = 711;
      },
    ],
  ])("deviates by %s: %s", async (id, _, change) => {
    change();
    expect(await inspect()).toMatchObject({ verdict: "deviates", id });
  });

  it("a folder of another kind is refused", async () => {
    await expect(inspectRecorded(folder)).rejects.toMatchObject({ code: "MNET_CONFIG_INVALID", option: "--recorded" });
    await expect(inspectRecorded(join(folder, "nowhere"))).rejects.toMatchObject({ code: "MNET_CONFIG_INVALID" });
    await writeFile(join(folder, "keys.json"), "{}");
    await expect(inspectRecorded(folder)).rejects.toMatchObject({ code: "MNET_CONFIG_INVALID" });
    await writeFile(join(folder, "x.json"), '{"name":"x"}');
    await expect(inspectRecorded(folder)).rejects.toMatchObject({ code: "MNET_CONFIG_INVALID" });
  });
});

describe("mnet inspect --recorded", () => {
  async function mnet(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
    let out = "";
    let err = "";
    const code = await run(argv, {
      stdin: Readable.from([]),
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      env: {},
      interruption: () => new AbortController().signal,
    });
    return { code, out, err };
  }

  it("lists what deviates, with the statement that asks for it, and ends with the counts", async () => {
    const { code, out } = await mnet("inspect", "--recorded", fixtures("moodle-4.5"));
    expect(code).toBe(0);
    expect(out).toContain("SEC-031");
    expect(out).not.toContain("PRIVATE KEY");
    expect(out.trimEnd().split("\n").at(-1)).toBe("115 passed, 0 failed");
  });

  it("gives programs JSON and nothing else", async () => {
    const { code, out } = await mnet("inspect", "--recorded", fixtures("moodle-4.5-register"), "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ passed: 4, failed: 0 });
  });

  it("wants a file or a folder, not both and not neither", async () => {
    expect(await mnet("inspect")).toMatchObject({ code: 2 });
    expect(await mnet("inspect", "x", "--recorded", fixtures("moodle-4.5"))).toMatchObject({ code: 2 });
    expect(await mnet("inspect", "--recorded", fixtures("nowhere"))).toMatchObject({ code: 1 });
  });
});
