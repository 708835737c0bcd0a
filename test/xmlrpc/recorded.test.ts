import { describe, expect, it } from "vitest";
import { decode } from "../../src/xmlrpc/decode.ts";
import { encodeDocument } from "../../src/xmlrpc/encode-document.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import type { Dialect } from "../../src/xmlrpc/dialect.ts";
import type { XmlRpcDocument } from "../../src/xmlrpc/document.ts";
import { codeOf, RECORDED_FOLDERS, recordedIn, text } from "./documents.ts";

/** The other side sent these broken on purpose, or Moodle answered with an HTML page. */
const MALFORMED = new Set([
  "mahara-23.04/fault.signed-not-xml.json request",
  "moodle-4.5/095-fault-corrupt-ciphertext-key-ok.json request",
  "moodle-4.5/095-fault-corrupt-ciphertext-key-ok.json response",
  "moodle-4.5/129-fault-encrypted-inner-not-xml.json response",
  "moodle-4.5/130-fault-signed-inner-not-xml.json request",
  "moodle-4.5/130-fault-signed-inner-not-xml.json response",
  "moodle-4.5/132-fault-empty-body.json response",
  "moodle-4.5/146-type-unknown-type-param.json request",
  "moodle-4.5/146-type-unknown-type-param.json response",
  "moodle-4.5/158-dispatcher-off.json response",
]);

const recorded = RECORDED_FOLDERS.flatMap(recordedIn);
const decoded = recorded
  .filter(({ name }) => !MALFORMED.has(name))
  .map((entry) => ({
    ...entry,
    source: text(entry.document).replaceAll("\r\n", "\n"),
    content: decode(entry.document),
  }));

/** The decoded documents of a kind and dialect, each with its name and our own version of it. */
function rewritten<K extends XmlRpcDocument["kind"]>(
  kind: K,
  dialect: Dialect | undefined,
  encode: (document: Extract<XmlRpcDocument, { kind: K }>) => Uint8Array,
): { readonly name: string; readonly theirs: string; readonly ours: string }[] {
  return decoded.flatMap(({ name, source, content }) => {
    if (content.kind !== kind || content.dialect !== dialect) return [];
    return [{ name, theirs: source, ours: text(encode(content as Extract<XmlRpcDocument, { kind: K }>)) }];
  });
}

describe("recorded documents", () => {
  it.each(RECORDED_FOLDERS)("%s is there", (folder) => {
    expect(recorded.filter((entry) => entry.folder === folder).length).toBeGreaterThan(5);
  });

  it("decode, and encode to the same again", () => {
    const again = decoded.map(({ name, content }) => ({ name, content: decode(encodeDocument(content)) }));
    expect(again).toEqual(decoded.map(({ name, content }) => ({ name, content })));
  });

  it("are malformed where that was the purpose", () => {
    const broken = recorded.filter(({ name }) => MALFORMED.has(name));
    expect(broken).toHaveLength(MALFORMED.size);
    for (const { document } of broken) expect(codeOf(() => decode(document))).toBe("MNET_XMLRPC_MALFORMED");
  });

  it("MNET-062 requests of Moodle 4 are what we would have sent, byte for byte", () => {
    const calls = rewritten("call", "pxr", ({ method, params }) => encodeCall(method, params));
    expect(calls.length).toBeGreaterThan(100);
    // The byte order mark was put there on purpose.
    for (const { theirs, ours } of calls) expect(ours).toBe(theirs.replace(/^\ufeff/, ""));
  });

  it("MNET-064 responses of Moodle 4 are what we would have sent, byte for byte", () => {
    const results = rewritten("result", "pxr", ({ value }) => encodeResult(value, { dialect: "pxr" }));
    expect(results.length).toBeGreaterThan(80);
    for (const { theirs, ours } of results) expect(ours).toBe(theirs);
  });

  it("MNET-063 responses of Moodle 3.11 and Mahara are what we would have sent, but for the layout", () => {
    const compact = (document: string): string =>
      document
        .replace(/>\s+</g, "><")
        .trimEnd()
        .replaceAll("<string/>", "<string></string>")
        .replaceAll("<data/>", "<data></data>");
    const results = rewritten("result", "epi", ({ value }) => encodeResult(value, { dialect: "epi" }));
    expect(results.length).toBeGreaterThan(40);
    for (const { theirs, ours } of results) expect(compact(ours)).toBe(compact(theirs));
  });

  it("faults of Moodle servers are what we would have sent, byte for byte", () => {
    // Fault 17 is written by the library inside Moodle, and code 0 is never sent by us.
    const faults = rewritten("fault", undefined, ({ faultCode, faultString }) =>
      encodeFault(faultCode || 17, faultString),
    );
    const byHand = faults.filter(({ theirs }) => !/<int>(0|17)<\/int>/.test(theirs));
    expect(byHand.length).toBeGreaterThan(40);
    for (const { theirs, ours } of byHand) expect(ours).toBe(theirs);
  });

  it("MNET-065 names from Mahara and Moodle 3.11 arrive whole", () => {
    const content = (name: string): unknown => decoded.find((entry) => entry.name === name)?.content;
    expect(content("mahara-23.04/auth.user_authorise-nonascii.json response")).toMatchObject({
      dialect: "epi",
      value: { firstname: "Mäuser ☃ <x>&" },
    });
    expect(content("mahara-23.04/encoding.in-charref.json request")).toMatchObject({ dialect: "epi", params: ["né"] });
    expect(content("mahara-23.04/encoding.in-perbyte.json request")).toMatchObject({ params: ["né☃"] });
    expect(content("mahara-23.04/encoding.in-rawutf8.json request")).toMatchObject({ params: ["né☃"] });
    expect(content("moodle-3.11/023-d-calls-a-enrol_user.json request")).toMatchObject({
      dialect: "epi",
      params: [{ firstname: "Zoë", lastname: "Ångström 日本" }, expect.anything()],
    });
  });

  it("MNET-066 names from Moodle 4 arrive whole", () => {
    const entry = decoded.find(({ name }) => name === "moodle-4.5/049-user_authorise-student1-nonascii.json response");
    expect(entry?.content).toMatchObject({ dialect: "pxr", value: { firstname: "Zoë", lastname: "Ångström 日本" } });
  });

  it("MNET-068 a document declared iso-8859-1 is decoded as declared", () => {
    const entry = decoded.find(({ name }) => name.includes("124-quirk-iso-8859-1-declared-utf8-bytes.json request"));
    expect(entry?.content).toMatchObject({ params: ["zoÃ«"], dialect: undefined });
  });
});
