import { describe, expect, it } from "vitest";
import { fieldFinder } from "../../src/xml/fields.ts";
import { readDocument } from "../../src/xml/read-document.ts";
import { codeOf } from "../support/code-of.ts";

const find = fieldFinder({ value: "Outer/Inner/Value", other: "Outer/Other", name: "name" });
const findIn = (xml: string) => find(readDocument(Buffer.from(xml)));

const WHOLE = "<root><Outer><Inner><Value>v</Value></Inner><Other>o</Other></Outer><name>n</name></root>";

describe("fieldFinder", () => {
  it("finds each field at its path", () => {
    const fields = findIn(WHOLE);
    expect(fields.value?.text).toBe("v");
    expect(fields.other?.text).toBe("o");
    expect(fields.name?.text).toBe("n");
  });

  it("finds them in any order, and leaves out what is not there", () => {
    const fields = findIn("<root><name>n</name><Outer><Other>o</Other></Outer></root>");
    expect(Object.keys(fields).sort()).toEqual(["name", "other"]);
    expect(findIn("<root/>")).toEqual({});
  });

  it.each<[string, string]>([
    ["beside", "<root><X1>nothing</X1><Outer/></root>"],
    ["with children", "<root><X1><X2><X3>deep</X3></X2></X1></root>"],
    ["in a container", "<root><Outer><X1/></Outer></root>"],
    ["prefixed", "<root><x:X1>nothing</x:X1></root>"],
    ["twice", "<root><X1/><X1/></root>"],
    ["named as a container, elsewhere and empty", "<root><X1><Outer/></X1></root>"],
    ["with attributes named as a field", '<root><X1 name="n"/></root>'],
  ])("MNET-033 ignores other elements %s", async (_, xml) => {
    expect(await codeOf(() => findIn(xml))).toBe("accepted");
  });

  it.each<[string, string]>([
    ["a field twice", "<root><name>n</name><name>n</name></root>"],
    ["a field twice, once empty", "<root><name/><name>n</name></root>"],
    ["a field twice, apart", "<root><name>n</name><X1/><name>n</name></root>"],
    ["a container twice", "<root><Outer><Other>o</Other></Outer><Outer/></root>"],
    ["an inner container twice", "<root><Outer><Inner/><Inner><Value>v</Value></Inner></Outer></root>"],
    ["a field in an unknown element", "<root><X1><name>n</name></X1></root>"],
    ["a field deep in unknown elements", "<root><X1><X2><X3><Value>v</Value></X3></X2></X1></root>"],
    ["a field in a container of another", "<root><Outer><name>n</name></Outer></root>"],
    ["a field one level too high", "<root><Value>v</Value></root>"],
    ["a field one level too deep", "<root><Outer><Outer><Other>o</Other></Outer></Outer></root>"],
    ["a field in a field", "<root><name><Value>v</Value></name></root>"],
    ["any element in a field", "<root><name><b>n</b></name></root>"],
    ["an empty element in a field", "<root><name><b/></name></root>"],
    ["a field in upper case", "<root><NAME>n</NAME></root>"],
    ["a field in mixed case beside", "<root><name>n</name><Name>m</Name></root>"],
    ["a field in lower case", "<root><Outer><Inner><value>v</value></Inner></Outer></root>"],
    ["a field in a container of another case", "<root><OUTER><Other>o</Other></OUTER></root>"],
    ["a prefixed field", "<root><x:name>n</x:name></root>"],
    ["a prefixed field beside", "<root><name>n</name><x:name>m</x:name></root>"],
    ["a prefixed field in upper case", "<root><x:NAME>n</x:NAME></root>"],
    ["a field in a prefixed container", "<root><x:Outer><Other>o</Other></x:Outer></root>"],
    ["a field below a second root of the same name", "<root><root><name>n</name></root></root>"],
  ])("SEC-014 refuses %s", async (_, xml) => {
    expect(await codeOf(() => findIn(xml))).toBe("MNET_ENVELOPE_MALFORMED");
  });
});
