import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { sign } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import type { Check, CheckName, Explanation } from "../../src/cli/inspect/explanation.ts";
import { explain, type ExplainOptions } from "../../src/cli/inspect/explain.ts";
import { readKeyFiles, type GivenKey } from "../../src/cli/inspect/key-bag.ts";
import { UsageError } from "../../src/cli/usage-error.ts";
import { open } from "../../src/envelope/open.ts";
import { signMessage } from "../../src/envelope/signed-message.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import {
  alice,
  bob,
  DOCUMENT,
  edit,
  encryptedToBob,
  mallory,
  sealedByAlice,
  signedByAlice,
  TIMESTAMP,
} from "../support/envelopes.ts";
import { codeOf } from "../support/code-of.ts";
import { exchangeNames, recordedMessage, recordedMessages, recordedPems } from "../support/fixtures.ts";
import { makeSite, type Site } from "../support/sites.ts";
import { runCli } from "./run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "mnet-inspect-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const put = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

const certificateOf = ({ certificate }: Site): GivenKey => ({ origin: "certificate.pem", certificate });
const pairOf = ({ certificate, key }: Site): GivenKey => ({ origin: "pair.pem", certificate, pair: key });
const privatePem = ({ privateKey }: Site, type: "pkcs1" | "pkcs8" = "pkcs8") =>
  privateKey.export({ type, format: "pem" }).toString();
const KEYS = [pairOf(bob), certificateOf(alice)];
const NOW = { now: TIMESTAMP };

const explainFor = (body: Uint8Array, keys = KEYS, options: ExplainOptions = NOW) => explain(body, keys, options);
const checkOf = ({ checks }: Explanation, name: CheckName): Check | undefined =>
  checks.find((check) => check.name === name);
const outcomes = ({ checks }: Explanation) =>
  Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome])) as Partial<Record<CheckName, string>>;
const failures = ({ checks }: Explanation) =>
  checks.filter(({ outcome }) => outcome === "failed").map(({ code }) => code);

describe("explain: what is right", () => {
  test("a sealed message, layer by layer", async () => {
    const body = await sealedByAlice();
    const explanation = explainFor(body);
    expect(explanation).toMatchObject({
      ok: true,
      verified: true,
      kind: "encrypted",
      bytes: body.length,
      encrypted: {
        sender: alice.wwwroot,
        wrappedKeyBytes: 128,
        algorithms: { cipher: "http://www.w3.org/2001/04/xmlenc#arcfour" },
        openedWith: { fingerprint: bob.certificate.fingerprint, modulusBits: 1024, origin: "pair.pem" },
      },
      signed: {
        sender: alice.wwwroot,
        timestamp: "2026-11-21T12:00:00.000Z",
        ageSeconds: 0,
        digest: "matches",
        verifiedWith: { fingerprint: alice.certificate.fingerprint, origin: "certificate.pem" },
      },
      document: { verified: true, kind: "call", method: "system/listServices", params: 0, dialect: "pxr" },
    });
    expect(new Set(Object.values(outcomes(explanation)))).toEqual(new Set(["passed"]));
    expect(explanation.document).not.toHaveProperty("payload");
  });

  test("the payload, if it is asked for", async () => {
    const body = await sealedByAlice();
    expect(explainFor(body, KEYS, { showPayload: true }).document?.payload).toBe(DOCUMENT.toString());
  });

  test("every recorded message, exactly as far as open() goes", async () => {
    const messages = recordedMessages().filter(({ signedXml }) => signedXml !== undefined);
    expect(messages.length).toBeGreaterThan(300);
    for (const { title, body, keys, document, certificateOf: pinned, from, timestamp } of messages) {
      const isAccepted = (await codeOf(() => open(body, { keys, certificateOf: pinned }))) === "accepted";
      const theirs = from === undefined ? undefined : pinned(from);
      const given: GivenKey[] = keys.map((pair) => ({ origin: "ours", certificate: pair.certificate, pair }));
      const explanation = explain(body, theirs ? [...given, { origin: "theirs", certificate: theirs }] : given);
      expect(explanation.verified, title).toBe(isAccepted);
      if (explanation.signed) expect(Date.parse(explanation.signed.timestamp) / 1000, title).toBe(timestamp);
      if (explanation.document) expect(explanation.document.bytes, title).toBe(document?.length);
    }
  });

  test("recorded faults are named, with their meaning, and the new certificate in 7025", () => {
    const keys = readKeyFiles([{ name: "keys.json", text: JSON.stringify(recordedPems("moodle-4.5")) }]);
    const faults = exchangeNames("moodle-4.5")
      .map((name) => explain(recordedMessage("moodle-4.5", name, "response").body, keys).document)
      .filter((document) => document?.kind === "fault");
    expect(faults.length).toBeGreaterThan(20);
    const newKeys = faults.filter((fault) => fault?.faultCode === 7025);
    expect(newKeys.length).toBeGreaterThan(0);
    for (const fault of newKeys) {
      expect(fault).toMatchObject({
        verified: true,
        faultMeaning: expect.stringContaining("old key"),
        certificate: { belongs: true },
      });
    }
  });
});

describe("explain: what is wrong, and what to do", () => {
  test("a wrong key: says which size fits", async () => {
    const body = await sealedByAlice();
    const wrong = explainFor(body, [pairOf(mallory), certificateOf(alice)]);
    expect(failures(wrong)).toEqual(["MNET_ENVELOPE_DECRYPTION_FAILED"]);
    expect(checkOf(wrong, "opened")?.detail).toContain("1024 bits");
    expect(wrong.signed ?? wrong.document).toBeUndefined();

    const large = makeSite(bob.wwwroot, { bits: 2048 });
    expect(checkOf(explainFor(body, [pairOf(large)]), "opened")?.detail).toMatch(
      /1024-bit key.*none fits \(bits: 2048\)/,
    );
    expect(checkOf(explainFor(body, [certificateOf(alice)]), "opened")?.hint).toContain("1024-bit");
    const several = explainFor(body, [pairOf(mallory), pairOf(makeSite("https://other.example"))]);
    expect(checkOf(several, "opened")?.detail).toContain("None of the 2 private keys");
  });

  test("the right key, but damage inside", () => {
    const damaged = explainFor(encryptedToBob(signedByAlice().subarray(0, -20)));
    expect(checkOf(damaged, "opened")).toMatchObject({
      outcome: "failed",
      code: "MNET_ENVELOPE_DECRYPTION_FAILED",
      detail: expect.stringMatching(/opens the message, but what is inside is damaged\. .*ends too early/),
    });
  });

  test("encrypted and not signed", () => {
    const bare = explainFor(encryptedToBob(DOCUMENT));
    expect(bare).toMatchObject({
      ok: false,
      verified: false,
      document: { verified: false, method: "system/listServices" },
    });
    expect(failures(bare)).toEqual(["MNET_ENVELOPE_NOT_SIGNED"]);
    const empty = explainFor(encryptedToBob(edit(signedByAlice(), /(?<=<SignatureValue>)[^<]+/, "")));
    expect(checkOf(empty, "signed")).toMatchObject({ outcome: "failed", code: "MNET_ENVELOPE_NOT_SIGNED" });
    expect(empty.document?.verified).toBe(false);
  });

  test("an unknown signer", async () => {
    const explanation = explainFor(await sealedByAlice(), [pairOf(bob)]);
    expect(failures(explanation)).toEqual(["MNET_ENVELOPE_SIGNER_UNKNOWN"]);
    expect(checkOf(explanation, "signature")?.hint).toContain("publickey.php");
    expect(explanation).toMatchObject({ ok: false, verified: false, document: { verified: false } });
  });

  test("a newer key of the sender, or a changed document", async () => {
    const newer = makeSite(alice.wwwroot);
    const explanation = explainFor(await sealedByAlice(), [pairOf(bob), certificateOf(newer)]);
    expect(failures(explanation)).toEqual(["MNET_ENVELOPE_SIGNATURE_INVALID"]);
    expect(checkOf(explanation, "signature")?.detail).toContain(newer.certificate.fingerprint.slice(0, 16));

    const changed = Buffer.from(DOCUMENT.toString().replace("listServices", "listMethods")).toString("base64");
    const forged = explainFor(encryptedToBob(edit(signedByAlice(), /(?<=<object ID="XMLRPC-MSG">)[^<]+/, changed)));
    expect(failures(forged)).toEqual(["MNET_ENVELOPE_SIGNATURE_INVALID"]);
    expect(checkOf(forged, "digest")?.outcome).toBe("warning");
    expect(forged.document).toMatchObject({ verified: false, method: "system/listMethods" });
  });

  test("one site in the name of another", () => {
    const signed = signMessage(DOCUMENT, { sender: alice.wwwroot, key: mallory.key, timestamp: TIMESTAMP });
    const explanation = explainFor(encryptedToBob(signed), [...KEYS, certificateOf(mallory)]);
    expect(failures(explanation)).toEqual(["MNET_ENVELOPE_SIGNATURE_INVALID"]);
    expect(checkOf(explanation, "signature")?.detail).toMatch(
      /verifies with the key .*which is not a key of "https:\/\/alice/,
    );
  });

  test("two senders", () => {
    const explanation = explainFor(encryptedToBob(signedByAlice(), mallory.wwwroot));
    expect(failures(explanation)).toEqual(["MNET_ENVELOPE_SENDER_MISMATCH"]);
    expect(explanation).toMatchObject({ ok: false, verified: false, document: { verified: false } });
  });

  test("a signature with SHA-256", () => {
    const signature = sign("sha256", DOCUMENT, alice.privateKey).toString("base64");
    const body = encryptedToBob(edit(signedByAlice(), /(?<=<SignatureValue>)[^<]+/, signature));
    expect(checkOf(explainFor(body), "signature")?.detail).toContain("SHA-256");
  });

  test("a wrong digest and an unknown algorithm are warnings", () => {
    const signed = edit(
      edit(signedByAlice(), /(?<=<DigestValue>)[^<]+/, "0".repeat(40)),
      "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
      "urn:none",
    );
    const explanation = explainFor(encryptedToBob(signed));
    expect(explanation).toMatchObject({
      ok: true,
      signed: { digest: "differs", algorithms: { signature: "urn:none" } },
    });
    expect(outcomes(explanation)).toMatchObject({ digest: "warning", algorithms: "warning" });
    const without = edit(signedByAlice(), /<DigestValue>[^<]+<\/DigestValue>/, "");
    expect(explainFor(encryptedToBob(without)).signed?.digest).toBe("absent");
  });

  test("the clock: a responder ahead is refused, anything else is a remark", async () => {
    const at = (offsetSeconds: number) => ({ now: new Date(TIMESTAMP.getTime() - offsetSeconds * 1000) });
    const call = await sealedByAlice();
    const result = await sealedByAlice(Buffer.from(encodeResult("yes")));
    expect(outcomes(explainFor(result, KEYS, at(15))).clock).toBe("passed");
    const ahead = explainFor(result, KEYS, at(16));
    expect(checkOf(ahead, "clock")).toMatchObject({ outcome: "failed", code: "MNET_PEER_CLOCK_AHEAD" });
    expect(ahead).toMatchObject({ ok: false, verified: true, signed: { ageSeconds: -16 } });
    expect(outcomes(explainFor(result, KEYS, at(-7200))).clock).toBe("warning");
    expect(outcomes(explainFor(call, KEYS, at(16))).clock).toBe("warning");
    expect(outcomes(explainFor(call, KEYS, {})).clock).toBe("skipped");
    expect(explainFor(call, KEYS, {}).signed).not.toHaveProperty("ageSeconds");
  });

  test("signed and not encrypted", () => {
    const explanation = explainFor(signedByAlice());
    expect(failures(explanation)).toEqual(["MNET_ENVELOPE_NOT_ENCRYPTED"]);
    expect(explanation).toMatchObject({
      kind: "signed",
      ok: false,
      verified: false,
      signed: { verifiedWith: { fingerprint: alice.certificate.fingerprint } },
      document: { verified: true, method: "system/listServices" },
    });
  });

  test("a signed document that is no XML-RPC", async () => {
    const explanation = explainFor(await sealedByAlice(Buffer.from("<hello/>")));
    expect(failures(explanation)).toEqual(["MNET_XMLRPC_UNEXPECTED_ROOT"]);
    expect(explanation).toMatchObject({ ok: false, verified: true });
    expect(explanation.document).toBeUndefined();
  });
});

describe("explain: what is no message", () => {
  test.each([
    ["nothing", "", "The body is empty."],
    ["a web page", "<!DOCTYPE html><html><title>Login</title></html>", "web page"],
    ["a gzip file", gzipSync("x"), "gzip"],
    ["a whole response", "HTTP/1.1 200 OK\r\n\r\n<methodResponse/>", "HTTP"],
    ["a whole request", "POST /mnet/xmlrpc/server.php HTTP/1.1\r\n\r\n", "HTTP"],
    ["white space before the declaration", "\n<?xml version='1.0'?><encryptedMessage/>", "White space"],
    ["JSON", '{"error": 1}', "JSON"],
    ["anything else", "hello", "neither"],
  ])("%s", (_what, body, words) => {
    const explanation = explainFor(Buffer.from(body));
    expect(explanation).toMatchObject({ ok: false, verified: false, kind: "unknown" });
    const [check] = explanation.checks;
    expect(check).toMatchObject({ name: "form", outcome: "failed", code: "MNET_ENVELOPE_MALFORMED" });
    expect(check?.detail).toContain(words);
    expect(check?.hint).toBeTruthy();
  });

  test("a message that was cut off anywhere is called that", async () => {
    const body = await sealedByAlice();
    for (let length = 200; length < body.length; length += 97) {
      const { checks } = explainFor(body.subarray(0, length));
      expect(checks[0]?.hint, String(length)).toContain("cut off");
    }
    const changed = explainFor(edit(body, "<ReferenceList>", "<!-- --><ReferenceList>"));
    expect(changed.checks[0]).toMatchObject({ outcome: "failed", hint: expect.stringContaining("changed") });
  });

  test("random bytes never throw", () => {
    for (let n = 0; n < 300; n++) {
      const bytes = Buffer.from(Array.from({ length: n }, (_, at) => (at * 7919 + n * 104_729) % 256));
      expect(explainFor(bytes).ok).toBe(false);
    }
  });
});

describe("explain: in clear", () => {
  test("a key exchange: nothing to verify, and whose certificate it is", () => {
    const call = explainFor(encodeCall("system/keyswap", [`${alice.wwwroot}/`, alice.certificate.pem, "moodle"]));
    expect(call).toMatchObject({
      ok: false,
      verified: false,
      kind: "xml-rpc",
      document: {
        method: "system/keyswap",
        certificate: { fingerprint: alice.certificate.fingerprint, wwwroot: alice.wwwroot, belongs: true },
      },
    });
    expect(failures(call)).toEqual([]);
    const wrong = explainFor(encodeCall("system/keyswap", [bob.wwwroot, alice.certificate.pem, "moodle"]));
    expect(wrong.document?.certificate?.belongs).toBe(false);
    const answer = explainFor(encodeResult(alice.certificate.pem));
    expect(answer.document?.certificate).not.toHaveProperty("belongs");
    expect(failures(answer)).toEqual([]);
    expect(
      explainFor(encodeCall("system/keyswap", [alice.wwwroot, "-----BEGIN CERTIFICATE-----"])).document,
    ).toBeDefined();
  });

  test("a fault and a call are not to be believed", () => {
    const fault = explainFor(encodeFault(7020, "mnet/wrong-wwwroot"));
    expect(fault.document).toMatchObject({ kind: "fault", faultCode: 7020, verified: false });
    expect(fault.document?.faultMeaning).toContain("does not know");
    expect(failures(fault)).toEqual(["MNET_ENVELOPE_NOT_ENCRYPTED"]);
    expect(failures(explainFor(DOCUMENT))).toEqual(["MNET_ENVELOPE_NOT_ENCRYPTED"]);
    expect(explainFor(encodeFault(9001, "No copy")).document).not.toHaveProperty("faultMeaning");
    expect(failures(explainFor(Buffer.from("<methodCall><b/></methodCall>")))).toContain("MNET_XMLRPC_MALFORMED");
  });
});

describe("keys", () => {
  const certificate = { name: "bob.crt", text: bob.certificate.pem };
  const privateKey = { name: "bob.key", text: privatePem(bob) };
  const fingerprints = (keys: readonly GivenKey[]) =>
    keys.map(({ certificate: { fingerprint }, pair }) => [fingerprint, pair !== undefined]);

  test("a certificate alone verifies; with its private key, from wherever, it opens", () => {
    expect(fingerprints(readKeyFiles([certificate]))).toEqual([[bob.certificate.fingerprint, false]]);
    const pair = [[bob.certificate.fingerprint, true]];
    expect(fingerprints(readKeyFiles([certificate, privateKey]))).toEqual(pair);
    expect(fingerprints(readKeyFiles([privateKey, certificate]))).toEqual(pair);
    const both = `Bag Attributes: <none>\r\n${privatePem(bob, "pkcs1")}${certificate.text}`;
    expect(fingerprints(readKeyFiles([{ name: "bob.pem", text: both }]))).toEqual(pair);
    expect(fingerprints(readKeyFiles([{ name: "bob.pem", text: both }, privateKey, certificate, certificate]))).toEqual(
      pair,
    );
  });

  test("several sites in one file", () => {
    const text = [alice.certificate.pem, privatePem(bob), bob.certificate.pem, privatePem(alice)].join("");
    expect(fingerprints(readKeyFiles([{ name: "all.pem", text }]))).toEqual([
      [alice.certificate.fingerprint, true],
      [bob.certificate.fingerprint, true],
    ]);
  });

  test("a key list in the form of the recordings", () => {
    const pems = recordedPems("moodle-3.11");
    const keys = readKeyFiles([{ name: "keys.json", text: JSON.stringify(pems) }]);
    expect(keys).toHaveLength(Object.keys(pems).length);
    for (const {
      origin,
      certificate: { fingerprint },
      pair,
      wwwroot,
    } of keys) {
      expect(origin).toBe(`keys.json (${fingerprint.slice(0, 16)})`);
      expect(pair).toBeDefined();
      expect(wwwroot).toBe(pems[fingerprint.slice(0, 16)]?.wwwroot);
    }
  });

  const encrypted = bob.privateKey
    .export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "x" })
    .toString();
  test.each([
    ["nothing", "hello", /no certificate and no private key in/],
    ["an empty list", "{}", /no certificate and no private key in/],
    ["a damaged list", `{"a": "${privatePem(bob).replaceAll("\n", "\\n")}"`, /not JSON/],
    ["a private key without its certificate", privatePem(bob) + alice.certificate.pem, /none of the certificates/],
    ["an encrypted private key", encrypted, /is encrypted/],
    ["a damaged certificate", bob.certificate.pem.replace("MII", "AAA"), /cannot be read as X.509/],
  ])("SEC-051 %s is refused without showing it", (_what, text, reason) => {
    const read = () => readKeyFiles([{ name: "keys.pem", text }]);
    expect(read).toThrow(UsageError);
    expect(read).toThrow(reason);
    expect(read).toThrow(/^(?!.*PRIVATE KEY-----).*keys\.pem/);
  });
});

describe("mnet inspect", () => {
  const CANARY = "canary-5d41402abc";
  const keys = put("keys.pem", bob.certificate.pem + privatePem(bob) + alice.certificate.pem);
  const body = put(
    "body.xml",
    encryptedToBob(
      signMessage(encodeCall("greeting/hello", [CANARY]), {
        sender: alice.wwwroot,
        key: alice.key,
        timestamp: TIMESTAMP,
      }),
    ),
  );
  const fault = put(
    "fault.xml",
    encryptedToBob(
      signMessage(encodeFault(9001, CANARY), { sender: alice.wwwroot, key: alice.key, timestamp: TIMESTAMP }),
    ),
  );

  test("exit codes: 0 verified, 1 not", async () => {
    expect((await runCli(["inspect", body, "--keys", keys])).code).toBe(0);
    expect((await runCli(["inspect", body])).code).toBe(1);
    expect((await runCli(["inspect", body, "--side", "response"])).code).toBe(2);
  });

  test("standard input", async () => {
    const { code, stdout } = await runCli(["inspect", "-", "-k", keys, "--now", "1795262400"], {
      stdin: readFileSync(body),
    });
    expect(code).toBe(0);
    const names = [bob, alice].map(({ certificate }) => certificate.fingerprint);
    const shown = stdout.replaceAll(keys, "keys.pem").replace(new RegExp(names[0]!.slice(0, 16), "g"), "BOB");
    expect(shown.replace(new RegExp(names[1]!.slice(0, 16), "g"), "ALICE").replace(/(?<=BOB|ALICE)[0-9a-f]{48}/g, "…"))
      .toMatchInlineSnapshot(`
      "✓ Genuine: opened, and signed by its sender.

      Encrypted envelope  3298 bytes; nobody vouches for what it says
        sender       https://alice.example
        encrypted    1416 bytes, its key wrapped in 128 bytes
        declared     arcfour, rsa-1_5
        opened with  BOB… (1024 bits, keys.pem)

      Signed envelope  the signature is about the document only
        sender       https://alice.example
        timestamp    2026-11-21T12:00:00.000Z, 0 s before the moment of comparison
        digest       matches the document
        declared     rsa-sha1, digest sha1
        signature    128 bytes
        made with    ALICE… (1024 bits, keys.pem)

      XML-RPC document  verified
        kind         call, 192 bytes
        method       greeting/hello
        parameters   1
        dialect      pxr (Moodle from 4.1, and this library)

      Checks
        ✓ form       The message is a whole encryptedMessage.
        ✓ encrypted  Encrypted; says that it comes from "https://alice.example".
        ✓ opened     Opened with the key BOB in keys.pem.
        ✓ sender     Both envelopes name the same sender.
        ✓ signed     Signed; says that it comes from "https://alice.example".
        ✓ signature  The signature verifies with the sender's key ALICE in keys.pem.
        ✓ digest     The digest is that of the document.
        ✓ clock      Signed 0 s before the moment of comparison.
        ✓ document   A well-formed XML-RPC call.
      "
    `);
  });

  test("--json has the fields that docs/cli.md promises, and no others", async () => {
    const { stdout } = await runCli([
      "inspect",
      body,
      "-k",
      keys,
      "--json",
      "--show-payload",
      "--now",
      "2026-11-21T12:00:01Z",
    ]);
    const json = JSON.parse(stdout) as Explanation;
    expect(json).toMatchObject({
      ok: true,
      signed: { ageSeconds: 1 },
      document: { payload: expect.stringContaining(CANARY) },
    });
    const page = readFileSync("docs/cli.md", "utf8");
    const names = new Set<string>();
    JSON.stringify(json, (name, value: unknown) => {
      if (name !== "" && !/^\d+$/.test(name)) names.add(name);
      return value;
    });
    for (const name of [...names, "faultCode", "faultMeaning", "certificate", "belongs", "hint", "code"]) {
      expect(page, name).toContain(`\`${name}\``);
    }
  });

  test("a recorded exchange", async () => {
    const exchange = "fixtures/mahara-23.04/system.listMethods.json";
    const list = ["--keys", "fixtures/mahara-23.04/keys.json"];
    const { code, stdout } = await runCli(["inspect", exchange, ...list, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ document: { kind: "call", method: "system/listMethods" } });
    const { code: other, stdout: answer } = await runCli(["inspect", exchange, ...list, "--side", "response"]);
    expect(other).toBe(0);
    expect(answer).toContain("result");
    expect(answer).toMatch(/timestamp .* the moment of comparison/);
    const empty = put("empty.json", '{"request": {"bodyBase64": null}, "response": {"bodyBase64": null}}');
    expect((await runCli(["inspect", empty])).code).toBe(2);
    const json = put("other.json", '{"request": 1}');
    expect((await runCli(["inspect", json])).stdout).toContain("JSON");
  });

  test("SEC-051 SEC-089 shows no private key ever, and no payload unless asked", async () => {
    const secrets = [privatePem(bob), privatePem(bob, "pkcs1")].flatMap((pem) =>
      pem.split("\n").filter((line) => line !== "" && !line.startsWith("-----")),
    );
    const jwk = bob.privateKey.export({ format: "jwk" });
    const forms = [jwk.d, jwk.p, jwk.q].flatMap((value) => {
      const bytes = Buffer.from(value ?? "", "base64url");
      return [value ?? "", bytes.toString("base64"), bytes.toString("hex")];
    });
    const damaged = put("damaged.pem", privatePem(bob).slice(0, -40) + bob.certificate.pem);
    const orphan = put("orphan.pem", privatePem(mallory) + bob.certificate.pem);
    for (const file of [body, fault, keys]) {
      for (const key of [keys, damaged, orphan, body]) {
        for (const more of [[], ["--json"], ["--show-payload"]]) {
          const { stdout, stderr } = await runCli(["inspect", file, "--keys", key, ...more], {
            env: { MNET_DEBUG: "1" },
          });
          const output = stdout + stderr;
          for (const secret of [...secrets, ...forms, "PRIVATE KEY-----"]) expect(output).not.toContain(secret);
          if (more[0] !== "--show-payload") expect(output).not.toContain(CANARY);
        }
      }
    }
    expect((await runCli(["inspect", body, "--keys", keys, "--show-payload"])).stdout).toContain(CANARY);
  });

  test("SEC-089 what a message says cannot steer the terminal", async () => {
    const evil = encodeCall(`a/b\u009b31m\u202e${"x".repeat(1000)}`, []);
    const signed = signMessage(evil, { sender: alice.wwwroot, key: alice.key, timestamp: TIMESTAMP });
    const plain = put("evil-plain.xml", evil);
    const file = put("evil.xml", encryptedToBob(signed, "https://e&#10;vil\u2028"));
    for (const argv of [
      ["inspect", file, "-k", keys],
      ["inspect", plain, "--show-payload"],
      ["inspect", plain, "--json", "--show-payload"],
    ]) {
      const { stdout } = await runCli(argv);
      expect(stdout).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e]/);
    }
  });
});
