import { describe, expect, it } from "vitest";
import { decode, decodeCall, decodeResponse } from "../../src/xmlrpc/decode.ts";
import { DocumentReader } from "../../src/xmlrpc/document-reader.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { documentLimits } from "../../src/xmlrpc/limits.ts";
import { XmlRpcDateTime, XmlRpcDouble } from "../../src/xmlrpc/value.ts";
import { BARE, bytes, codeOf, otherOutcomes, response, valueOf } from "./documents.ts";

const MALFORMED = "MNET_XMLRPC_MALFORMED";

function codeOfValue(inside: string): string | undefined {
  return codeOf(() => valueOf(inside));
}

describe("values", () => {
  it("MNET-058 untyped, empty and self-closed values are strings, spaces kept", () => {
    expect(valueOf("text")).toBe("text");
    expect(valueOf("  two words ")).toBe("  two words ");
    expect(valueOf("a&lt;b&#33;")).toBe("a<b!");
    expect(valueOf("")).toBe("");
    expect(valueOf("<string/>")).toBe("");
    expect(valueOf("<string>  </string>")).toBe("  ");
    expect(valueOf(" \n <string>x</string> \n ")).toBe("x");
    expect(decode(bytes("<methodResponse><params><param><value/></param></params></methodResponse>"))).toMatchObject({
      value: "",
    });
  });

  it("MNET-059 every type decodes", () => {
    expect(valueOf("<i4>-7</i4>")).toBe(-7);
    expect(valueOf("<int>+42</int>")).toBe(42);
    expect(valueOf("<int>-0</int>")).toBe(0);
    expect(valueOf("<int>5000000000</int>")).toBe(5_000_000_000);
    expect(valueOf("<i8>9007199254740993</i8>")).toBe(9007199254740993n);
    expect(valueOf("<i8>-9223372036854775808</i8>")).toBe(-(2n ** 63n));
    expect(valueOf("<i8>+5</i8>")).toBe(5n);
    expect(valueOf("<double>1.5</double>")).toBe(1.5);
    expect(valueOf("<double>-.5e-1</double>")).toBe(-0.05);
    expect(valueOf("<double>0.1000000000000000055511151231257827021181583404541015625</double>")).toBe(0.1);
    expect(valueOf("<double>2.0</double>")).toEqual(new XmlRpcDouble(2));
    expect(valueOf("<double>1E3</double>")).toEqual(new XmlRpcDouble(1000));
    expect(valueOf("<double>-0.0</double>")).toEqual(new XmlRpcDouble(0));
    expect([0, 1, "false", "true"].map((word) => valueOf(`<boolean>${word}</boolean>`))).toEqual([
      false,
      true,
      false,
      true,
    ]);
    expect(valueOf("<nil/>")).toBeNull();
    expect(valueOf("<ex:nil xmlns:ex='http://ws.apache.org/xmlrpc/namespaces/extensions'></ex:nil>")).toBeNull();
    expect(valueOf("<base64>AP8=</base64>")).toEqual(new Uint8Array([0, 255]));
    expect(valueOf("<dateTime.iso8601>20240102T03:04:05</dateTime.iso8601>")).toEqual(
      new XmlRpcDateTime("20240102T03:04:05"),
    );
  });

  it("MNET-059 white space around a scalar is tolerated, and inside base64", () => {
    expect(valueOf("<int>\n 7\t</int>")).toBe(7);
    expect(valueOf("<i8> 7 </i8>")).toBe(7n);
    expect(valueOf("<double> 0.5 </double>")).toBe(0.5);
    expect(valueOf("<boolean> 1 </boolean>")).toBe(true);
    expect(valueOf("<nil> </nil>")).toBeNull();
    expect(valueOf("<base64>\nAAEC\r\nAwQ=&#10;</base64>")).toEqual(new Uint8Array([0, 1, 2, 3, 4]));
    expect(valueOf("<dateTime.iso8601> 20240102T03:04:05\n</dateTime.iso8601>")).toEqual(
      new XmlRpcDateTime("20240102T03:04:05"),
    );
  });

  it("MNET-060 numeric strings stay strings, so that every field is converted by what it is", () => {
    expect(valueOf("<string>17</string>")).toBe("17");
    expect(valueOf("17")).toBe("17");
  });

  it("MNET-061 a list that came as a struct keeps its numeric names", () => {
    const member = (name: string): string => `<member><name>${name}</name><value>c${name}</value></member>`;
    expect(valueOf(`<struct>${member("3")}${member("7")}</struct>`)).toEqual({ "3": "c3", "7": "c7" });
  });

  it("empty arrays and structs may be self-closed", () => {
    for (const empty of ["<array/>", "<array><data/></array>", "<array> <data> </data> </array>"]) {
      expect(valueOf(empty)).toEqual([]);
    }
    for (const empty of ["<struct/>", "<struct> </struct>"]) expect(valueOf(empty)).toEqual({});
  });

  it("SEC-020 structs have no prototype, and no name is special", () => {
    const names = ["__proto__", "constructor", "prototype", "toString"];
    const member = (name: string): string =>
      `<member><name>${name}</name><value><struct><member><name>polluted</name><value>yes</value></member></struct></value></member>`;
    const struct = valueOf(`<struct>${names.map(member).join("")}</struct>`) as object;
    expect(Object.getPrototypeOf(struct)).toBeNull();
    expect(Object.keys(struct)).toEqual(names);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("SEC-020 duplicate members are refused", () => {
    for (const name of ["a", "__proto__", ""]) {
      const member = `<member><name>${name}</name><value>1</value></member>`;
      expect(codeOfValue(`<struct>${member}</struct>`)).toBeUndefined();
      expect(codeOfValue(`<struct>${member}${member}</struct>`)).toBe(MALFORMED);
    }
  });

  it("SEC-021 scalars are strict", () => {
    const refused: Record<string, string[]> = {
      int: ["", " ", "x", "1.0", "1e3", "0x10", "--1", "1 2", "９", "9007199254740992", "1".repeat(400)],
      i4: ["", "9007199254740992"],
      i8: ["", "x", "-", "9223372036854775808", "-9223372036854775809", "1".repeat(400)],
      double: ["", ".", "NaN", "INF", "Infinity", "-inf", "1e", "1e999", "0x1p3", "1,5", "1.5.2", "1_0"],
      boolean: ["", "2", "TRUE", "yes", "11", "truefalse"],
      nil: ["x", "0"],
      "ex:nil": ["x"],
      base64: ["A", "AA", "AP8", "AP8=x", "AP9=", "A-_=", "====", "QQ==QQ=="],
      "dateTime.iso8601": ["", "now", "20240230T00:00:00", "20240102T03:04:05Z", "20240102", "2024 0102T03:04:05"],
    };
    for (const [type, texts] of Object.entries(refused)) {
      expect(otherOutcomes(MALFORMED, texts, (text) => valueOf(`<${type}>${text}</${type}>`))).toEqual([]);
    }
  });
});

describe("requests", () => {
  it("a request is its method and its parameters", () => {
    const document = bytes(
      `<methodCall><methodName> a/b </methodName><params><param><value>x</value></param><param><value><int>1</int></value></param></params></methodCall>`,
    );
    expect(decodeCall(document)).toEqual({ kind: "call", method: " a/b ", params: ["x", 1], dialect: undefined });
  });

  it("a request may have no parameters", () => {
    for (const params of ["", "<params/>", "<params>\n</params>"]) {
      const call = decodeCall(bytes(`<methodCall><methodName>a</methodName>${params}</methodCall>\n`));
      expect(call).toMatchObject({ method: "a", params: [] });
    }
  });
});

describe("responses", () => {
  it("a response without a <param> means null", () => {
    expect(decodeResponse(bytes("<methodResponse><params/></methodResponse>"))).toMatchObject({ value: null });
  });

  const code = "<member><name>faultCode</name><value><int>7012</int></value></member>";
  const string = "<member><name>faultString</name><value><string>no</string></value></member>";
  const fault = (members: string): Uint8Array =>
    bytes(`<methodResponse><fault><value><struct>${members}</struct></value></fault></methodResponse>`);

  it("a fault has its members in either order, the code perhaps as a string, perhaps 0", () => {
    const expected = { kind: "fault", faultCode: 7012, faultString: "no", dialect: undefined };
    expect(decodeResponse(fault(code + string))).toEqual(expected);
    expect(decodeResponse(fault(string + code))).toEqual(expected);
    expect(decodeResponse(fault(string + code.replace(/<\/?int>/g, "")))).toEqual(expected);
    expect(decodeResponse(fault(code.replace("7012", "0") + string))).toMatchObject({ faultCode: 0 });
  });

  it("a fault without a code or a text is malformed", () => {
    const inside = (value: string): Uint8Array => bytes(`<methodResponse><fault>${value}</fault></methodResponse>`);
    for (const document of [
      fault(""),
      fault(code),
      fault(string),
      fault(code.replace("7012", "x").replace(/<\/?int>/g, "") + string),
      fault(code.replace(/int>/g, "double>") + string),
      fault(code.replace("7012", "1.5").replace(/int>/g, "double>") + string),
      fault(code.replace("<int>7012</int>", "<nil/>") + string),
      fault(code + string.replace("<string>no</string>", "<int>1</int>")),
      inside(""),
      inside("<value/>"),
      inside("<value><nil/></value>"),
      inside("<value><array/></value>"),
    ]) {
      expect(codeOf(() => decode(document))).toBe(MALFORMED);
    }
  });

  it("SEC-022 a response is no request, and a request no response", () => {
    const call = encodeCall("a", []);
    const result = encodeResult("a");
    expect(decodeCall(call).kind).toBe("call");
    expect(decodeResponse(result).kind).toBe("result");
    expect(codeOf(() => decodeCall(result))).toBe("MNET_XMLRPC_UNEXPECTED_ROOT");
    expect(codeOf(() => decodeCall(fault(code + string)))).toBe("MNET_XMLRPC_UNEXPECTED_ROOT");
    expect(codeOf(() => decodeResponse(call))).toBe("MNET_XMLRPC_UNEXPECTED_ROOT");
  });

  it("SEC-022 any other root is refused", () => {
    for (const document of [
      "<html/>",
      "<params/>",
      "<MethodCall/>",
      "<x:methodCall xmlns:x='u'/>",
      "<encryptedMessage/>",
    ]) {
      expect(codeOf(() => decode(bytes(document)))).toBe("MNET_XMLRPC_UNEXPECTED_ROOT");
    }
  });
});

describe("grammar", () => {
  it("elements and text in places that are not theirs are malformed", () => {
    const call = (inside: string): string => `<methodCall>${inside}</methodCall>`;
    const answer = (inside: string): string => `<methodResponse>${inside}</methodResponse>`;
    const name = "<methodName>a</methodName>";
    expect(
      otherOutcomes(
        MALFORMED,
        [
          call(""),
          call("<params/>"),
          call(`<params/>${name}`),
          call(name + name),
          call(`${name}<params/><params/>`),
          call(`${name}<params><value/></params>`),
          call(`${name}<params><param/></params>`),
          call(`${name}<params><param><value/><value/></param></params>`),
          call(`${name}text`),
          call(`${name}<params>text</params>`),
          call("<methodName><b>a</b></methodName>"),
          call(`${name}<fault/>`),
          answer(""),
          answer("<params/><params/>"),
          answer("<params><param><value/></param><param><value/></param></params>"),
          answer("<value/>"),
          answer("<methodName>a</methodName>"),
          response("<foo>1</foo>"),
          response("<string>a</string><string>b</string>"),
          response("a<string>b</string>"),
          response("<string>b</string>a"),
          response("<string>a<b/></string>"),
          response("<int><value>1</value></int>"),
          response("<String>a</String>"),
          response("<array><value/></array>"),
          response("<array><data/><data/></array>"),
          response("<array><data>x</data></array>"),
          response("<array><data><int>1</int></data></array>"),
          response("<struct><name>a</name></struct>"),
          response("<struct><member/></struct>"),
          response("<struct><member><name>a</name></member></struct>"),
          response("<struct><member><value/></member></struct>"),
          response("<struct><member><value/><name>a</name></member></struct>"),
          response("<struct><member><name>a</name><name>b</name></member></struct>"),
          response("<struct><member><name>a</name>x<value/></member></struct>"),
          response("<string lang='en'>a</string>"),
          response("<string xmlnsx='a'>a</string>"),
        ],
        (document) => decode(bytes(document)),
      ),
    ).toEqual([]);
  });

  it("a reader that was told nothing has no content", () => {
    expect(codeOf(() => new DocumentReader(documentLimits()).content())).toBe(MALFORMED);
  });
});

describe("SEC-019 limits", () => {
  const LIMIT = "MNET_XMLRPC_LIMIT";
  const nested = (depth: number): string =>
    depth === 1 ? "x" : `<array><data><value>${nested(depth - 1)}</value></data></array>`;
  const list = (values: number): string => `<array><data>${"<value/>".repeat(values)}</data></array>`;
  const struct = (members: number): string =>
    `<struct>${Array.from({ length: members }, (_, i) => `<member><name>${i}</name><value/></member>`).join("")}</struct>`;

  it("SEC-019 depth", () => {
    expect(codeOfValue(nested(32))).toBeUndefined();
    expect(codeOfValue(nested(33))).toBe(LIMIT);
    expect(codeOf(() => valueOf(nested(2), BARE, { limits: { depth: 2 } }))).toBeUndefined();
    expect(codeOf(() => valueOf(nested(3), BARE, { limits: { depth: 2 } }))).toBe(LIMIT);
  });

  it("SEC-019 depth counts what is open, not what was", () => {
    expect(codeOfValue(`<array><data>${`<value>${nested(31)}</value>`.repeat(3)}</data></array>`)).toBeUndefined();
  });

  it("SEC-019 nodes", () => {
    expect(codeOfValue(list(99_999))).toBeUndefined();
    expect(codeOfValue(list(100_000))).toBe(LIMIT);
    expect(codeOf(() => valueOf(list(2), BARE, { limits: { nodes: 3 } }))).toBeUndefined();
    expect(codeOf(() => valueOf(list(3), BARE, { limits: { nodes: 3 } }))).toBe(LIMIT);
  });

  it("SEC-019 members", () => {
    expect(codeOfValue(struct(4096))).toBeUndefined();
    expect(codeOfValue(struct(4097))).toBe(LIMIT);
    expect(codeOf(() => valueOf(struct(1), BARE, { limits: { members: 1 } }))).toBeUndefined();
    expect(codeOf(() => valueOf(struct(2), BARE, { limits: { members: 1 } }))).toBe(LIMIT);
  });

  it("SEC-019 limits are enforced while parsing, before the document is known to be whole", () => {
    expect(codeOf(() => decode(bytes(response(nested(40)).slice(0, -40))))).toBe(LIMIT);
  });

  it("a limit is a positive integer", () => {
    for (const depth of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(codeOf(() => valueOf("x", BARE, { limits: { depth } }))).toBe("MNET_CONFIG_INVALID");
    }
  });
});
