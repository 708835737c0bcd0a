import { describe, expect, it } from "vitest";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { XmlRpcDateTime, XmlRpcDouble, type XmlRpcValue } from "../../src/xmlrpc/value.ts";
import { decodeCall, decodeResponse } from "../../src/xmlrpc/decode.ts";
import { bytes, codeOf, otherOutcomes, text, valueOf } from "./documents.ts";

/** What a value is written as in a result to a pxr client, without the document around it. */
function written(value: unknown): string {
  const [, inside] = text(encodeResult(value as XmlRpcValue)).split(/<param>\n<value>|<\/value>\n<\/param>/);
  return inside ?? "";
}

describe("values", () => {
  it("MNET-051 null and undefined are an empty <string>, a member that is undefined is left out", () => {
    expect(written(null)).toBe("<string></string>");
    expect(written(undefined)).toBe("<string></string>");
    expect(written([null, undefined])).not.toContain("nil");
    expect(written({ a: null })).toBe(
      "<struct>\n<member><name>a</name>\n<value><string></string></value>\n</member>\n</struct>",
    );
    expect(written({ a: undefined })).toBe("<struct>\n</struct>");
  });

  it("MNET-052 booleans are 1 and 0", () => {
    expect(written(true)).toBe("<boolean>1</boolean>");
    expect(written(false)).toBe("<boolean>0</boolean>");
  });

  it("MNET-053 integers within 32 bits are <int>, larger ones <string>", () => {
    expect(written(42)).toBe("<int>42</int>");
    expect(written(-0)).toBe("<int>0</int>");
    expect(written(2147483647)).toBe("<int>2147483647</int>");
    expect(written(-2147483648)).toBe("<int>-2147483648</int>");
    expect(written(2147483648)).toBe("<string>2147483648</string>");
    expect(written(-2147483649)).toBe("<string>-2147483649</string>");
    expect(written(1e21)).toBe("<string>1000000000000000000000</string>");
  });

  it("MNET-054 i8, base64 and dateTime.iso8601 are written only for the types that ask for them", () => {
    const ofMethods = { id: 7, count: 2 ** 40, name: "é", share: 0.5, ok: true, none: null, list: ["1"], text: "QUJD" };
    expect(text(encodeResult(ofMethods))).not.toMatch(/<(i8|base64|dateTime|nil)/);
    expect(written(9007199254740993n)).toBe("<i8>9007199254740993</i8>");
    expect(written(new Uint8Array([0, 255]))).toBe("<base64>AP8=</base64>");
    expect(written(new XmlRpcDateTime("20240102T03:04:05"))).toBe(
      "<dateTime.iso8601>20240102T03:04:05</dateTime.iso8601>",
    );
  });

  it("MNET-055 empty lists are an empty <data>", () => {
    expect(written([])).toBe("<array>\n<data>\n</data>\n</array>");
  });

  it("doubles have no exponent", () => {
    expect(written(1.5)).toBe("<double>1.5</double>");
    expect(written(-1.5e-7)).toBe("<double>-0.00000015</double>");
    expect(written(5e-324)).toMatch(/^<double>0\.0{323}5<\/double>$/);
    expect(written(new XmlRpcDouble(2))).toBe("<double>2</double>");
    expect(written(new XmlRpcDouble(1e300))).toMatch(/^<double>1\d{300}<\/double>$/);
  });

  it("a view of a larger buffer is written alone", () => {
    expect(written(new Uint8Array([1, 2, 3, 4]).subarray(1, 3))).toBe("<base64>AgM=</base64>");
  });

  it("what XML-RPC cannot say is unencodable", () => {
    const cases: unknown[] = [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2n ** 63n,
      -(2n ** 63n) - 1n,
      Symbol("x"),
      () => 1,
      new Date(0),
      new Map(),
      new Uint16Array(1),
    ];
    for (const value of cases) expect(codeOf(() => encodeResult(value as XmlRpcValue))).toBe("MNET_XMLRPC_UNENCODABLE");
    expect(codeOf(() => encodeResult(2n ** 63n - 1n))).toBeUndefined();
    expect(codeOf(() => encodeResult(-(2n ** 63n)))).toBeUndefined();
  });

  it("a double is finite", () => {
    expect(new XmlRpcDouble(2).value).toBe(2);
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      expect(codeOf(() => new XmlRpcDouble(value))).toBe("MNET_XMLRPC_UNENCODABLE");
    }
  });

  it("a date and time exists", () => {
    for (const time of ["20240229T23:59:59", "00010101T00:00:00", "99991231T00:00:00"]) {
      expect(new XmlRpcDateTime(time).text).toBe(time);
    }
    expect(
      otherOutcomes(
        "MNET_XMLRPC_UNENCODABLE",
        [
          "",
          "20230229T00:00:00",
          "20240230T00:00:00",
          "20241301T00:00:00",
          "20240100T00:00:00",
          "20240101T24:00:00",
          "20240101T00:60:00",
          "20240101T00:00:60",
          "20240101 00:00:00",
          "20240101T00:00:00Z",
          "2024-01-01T00:00:00",
          " 20240101T00:00:00",
        ],
        (time) => new XmlRpcDateTime(time),
      ),
    ).toEqual([]);
  });

  it("values that contain themselves or are nested too deeply are unencodable, repeated ones are not", () => {
    const cyclic: unknown[] = [];
    cyclic.push(cyclic, cyclic);
    expect(codeOf(() => encodeResult(cyclic as XmlRpcValue))).toBe("MNET_XMLRPC_UNENCODABLE");
    const struct: Record<string, unknown> = {};
    struct["self"] = [struct];
    expect(codeOf(() => encodeCall("m", [struct as XmlRpcValue]))).toBe("MNET_XMLRPC_UNENCODABLE");

    const nested = (depth: number): XmlRpcValue => (depth === 1 ? "" : [nested(depth - 1)]);
    expect(codeOf(() => encodeResult(nested(32)))).toBeUndefined();
    expect(codeOf(() => encodeResult(nested(33)))).toBe("MNET_XMLRPC_UNENCODABLE");

    const shared = ["x"];
    expect(codeOf(() => encodeResult([shared, shared]))).toBeUndefined();
  });

  it("names of members are escaped, and __proto__ is one of them", () => {
    const struct = JSON.parse('{"__proto__": 1, "<&é>": 2}') as XmlRpcValue;
    expect(written(struct)).toContain("<name>__proto__</name>\n<value><int>1</int></value>");
    expect(written(struct)).toContain("<name>&lt;&amp;&#233;&gt;</name>");
  });
});

describe("requests", () => {
  it("MNET-062 requests are raw UTF-8 declared utf-8, as Moodle 4.5 writes them", () => {
    expect(text(encodeCall("enrol/mnet/enrol.php/enrol_user", [{ firstname: "Zoë 日本 😀" }, "2"]))).toBe(
      `<?xml version="1.0" encoding="utf-8" ?>
<methodCall>
<methodName>enrol/mnet/enrol.php/enrol_user</methodName>
<params>
<param>
<value><struct>
<member><name>firstname</name>
<value><string>Zoë 日本 😀</string></value>
</member>
</struct></value>
</param>
<param>
<value><string>2</string></value>
</param>
</params>
</methodCall>`,
    );
    expect(text(encodeCall("system/listServices", []))).toBe(
      '<?xml version="1.0" encoding="utf-8" ?>\n<methodCall>\n<methodName>system/listServices</methodName>\n<params>\n</params>\n</methodCall>',
    );
  });

  it("a carriage return in a request is not lost, and the method is escaped", () => {
    const call = encodeCall("a<b>&", ["one\r\ntwo\tthree\n"]);
    expect(text(call)).toContain("one&#13;\ntwo\tthree\n");
    expect(decodeCall(call)).toMatchObject({ method: "a<b>&", params: ["one\r\ntwo\tthree\n"] });
  });
});

describe("responses", () => {
  it("MNET-056 a response has exactly one <param>", () => {
    for (const value of [null, "", [], {}, ["a", "b"]]) {
      expect(text(encodeResult(value)).match(/<param>/g)).toHaveLength(1);
    }
  });

  it("MNET-063 responses to epi clients have a reference for each byte", () => {
    const document = text(encodeResult("é日😀 <a>\"'&\n\x7f", { dialect: "epi" }));
    expect(document.startsWith('<?xml version="1.0" encoding="utf-8"?>\n<methodResponse>')).toBe(true);
    expect(document).toContain(
      "<string>&#195;&#169;&#230;&#151;&#165;&#240;&#159;&#152;&#128; &#60;a&#62;&#34;'&#38;&#10;&#127;</string>",
    );
  });

  it("MNET-064 responses to pxr clients, and to unknown ones, have true characters in ASCII", () => {
    const document = text(encodeResult("é日😀 <a>\"'&\t\r\n\x7f", { dialect: "pxr" }));
    expect(document.startsWith('<?xml version="1.0"?>\n<methodResponse>')).toBe(true);
    expect(document).toContain("<string>&#233;&#26085;&#128512; &lt;a&gt;&quot;&apos;&amp;&#9;&#13;&#10;\x7f</string>");
    expect(text(encodeResult("é日😀 <a>\"'&\t\r\n\x7f"))).toBe(document);
  });

  it("MNET-067 characters that XML forbids are never written", () => {
    const forbidden = "a\0\x01\x08\x0b\x0c\x0e\x1f\ud800b\udc00\ufffe\uffffc\ud83d";
    for (const document of [
      encodeResult(forbidden),
      encodeResult(forbidden, { dialect: "epi" }),
      encodeCall("m", [forbidden]),
      encodeFault(1, forbidden),
    ]) {
      expect(text(document)).toContain("<string>abc</string>");
    }
  });

  it("SEC-023 text cannot become markup", () => {
    const attack = "]]><fault></string>&#60;<!-- \"'\r\n";
    for (const dialect of ["pxr", "epi"] as const) {
      expect(decodeResponse(encodeResult({ [attack]: attack }, { dialect }))).toMatchObject({
        value: { [attack]: attack },
      });
      expect(decodeResponse(encodeFault(1, attack, { dialect }))).toMatchObject({ faultString: attack });
    }
    expect(decodeCall(encodeCall(attack, [attack]))).toMatchObject({ method: attack, params: [attack] });
    expect(valueOf("<string>a&#1;b</string>")).toBe("ab");
    expect(codeOf(() => valueOf("<string>a\x01b</string>"))).toBe("MNET_XMLRPC_MALFORMED");
  });
});

describe("faults", () => {
  it("MNET-057 fault codes are positive integers, never 0", () => {
    for (const code of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
      expect(codeOf(() => encodeFault(code, "x"))).toBe("MNET_XMLRPC_UNENCODABLE");
    }
    expect(decodeResponse(encodeFault(2 ** 31 - 1, "x"))).toMatchObject({ faultCode: 2 ** 31 - 1 });
  });

  it("a fault has Moodle's layout", () => {
    expect(text(encodeFault(713, "Æ < & > \" '"))).toBe(`<?xml version="1.0"?>
<methodResponse>
   <fault>
      <value>
         <struct>
            <member>
               <name>faultCode</name>
               <value><int>713</int></value>
            </member>
            <member>
               <name>faultString</name>
               <value><string>Æ &lt; &amp; &gt; &quot; &apos;</string></value>
            </member>
         </struct>
      </value>
   </fault>
</methodResponse>`);
  });

  it("a fault for an epi client has a reference for each byte", () => {
    expect(text(encodeFault(1, "é", { dialect: "epi" }))).toContain("<string>&#195;&#169;</string>");
    expect(decodeResponse(bytes(text(encodeFault(1, "é", { dialect: "epi" }))), { dialect: "epi" })).toMatchObject({
      faultString: "é",
    });
  });
});
