import { describe, expect, it } from "vitest";
import type { XmlElement } from "../../src/xml/element.ts";
import { readDocument, rootNameOf } from "../../src/xml/read-document.ts";
import { codeOf, errorOf } from "../support/code-of.ts";

const read = (xml: string): XmlElement => readDocument(Buffer.from(xml, "latin1"));
const MALFORMED = "MNET_ENVELOPE_MALFORMED";

describe("readDocument", () => {
  it("reads elements, attributes and text", () => {
    const root = read(`<?xml version="1.0" encoding="iso-8859-1"?>
      <a>
        <b c="d" e='f"g'>text</b><x:h
          i = "&lt;&#x41;&#65;"  /><j> k </j>
        <l></l>
      </a>`);
    expect(root.name).toBe("a");
    expect(root.text).toBe("");
    expect(root.attributes).toBeUndefined();
    expect(root.children.map(({ name, text }) => [name, text])).toEqual([
      ["b", "text"],
      ["x:h", ""],
      ["j", " k "],
      ["l", ""],
    ]);
    const [b, h] = root.children;
    expect([...b!.attributes!]).toEqual([
      ["c", "d"],
      ["e", 'f"g'],
    ]);
    expect([...h!.attributes!]).toEqual([["i", "<AA"]]);
    expect(b!.children).toEqual([]);
  });

  it("keeps attributes of elements with children", () => {
    const root = read(`<a b="c"><d><e/></d></a>`);
    expect([...root.attributes!]).toEqual([["b", "c"]]);
    expect(root.children[0]?.attributes).toBeUndefined();
    expect(root.children[0]?.children[0]?.name).toBe("e");
  });

  it("reads a part of a larger buffer", () => {
    const bytes = Buffer.from("junk<a>b</a>junk");
    expect(readDocument(bytes.subarray(4, 12)).text).toBe("b");
    expect(readDocument(new Uint8Array(bytes).subarray(4, 12)).text).toBe("b");
  });

  it.each([
    ["a root without children", "<a>text</a>"],
    ["an empty root", "<a/>"],
    ["an empty root in two tags", "<a></a>"],
    ["white space before and after", " \r\n\t<a/> \r\n\t"],
    ["white space in tags", "<a  ><b\n/></a\t>"],
    ["white space text in a leaf", "<a><b> </b></a>"],
    ["single quotes in the declaration", "<?xml version='1.0' encoding='utf-8'?><a/>"],
    ["no encoding", '<?xml version="1.0"?><a/>'],
    ["version 1.1", '<?xml version="1.1"?><a/>'],
    ["a standalone declaration", '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><a/>'],
    ["space at the end of the declaration", '<?xml version="1.0" encoding="utf-8" ?><a/>'],
    ["US-ASCII", '<?xml version="1.0" encoding="US-ASCII"?><a/>'],
    ["dots, hyphens and digits in names", "<a.b-c_1/>"],
    ["names of 64 characters", `<${"a".repeat(64)}/>`],
    ["16 attributes", `<a ${Array.from({ length: 16 }, (_, n) => `b${n}=""`).join(" ")}/>`],
    ["256 elements", `<a>${"<b/>".repeat(255)}</a>`],
    ["16 levels and leaves in the last", `${"<a>".repeat(16)}${"</a>".repeat(16)}`],
    ["an ampersand reference", "<a>&amp;</a>"],
  ])("takes %s", async (_, xml) => {
    expect(await codeOf(() => read(xml))).toBe("accepted");
  });

  it.each([
    ["&lt;&gt;&amp;&quot;&apos;", `<>&"'`],
    ["&#60;&#x3c;&#x3C;&#060;&#x00003c;", "<<<<<"],
    ["a&#32;&#9;&#10;&#13;b", "a \t\n\rb"],
    ["&#126;&amp;amp;", "~&amp;"],
  ])("SEC-015 resolves %s", (raw, text) => {
    expect(read(`<a>${raw}</a>`).text).toBe(text);
    expect(read(`<a b="${raw}"/>`).attributes?.get("b")).toBe(text);
  });

  const references = [
    "&",
    "&;",
    "&unknown;",
    "&lt",
    "&lt;&",
    "& lt;",
    "&lt ;",
    "&LT;",
    "&nbsp;",
    "&toString;",
    "&valueOf;",
    "&__proto__;",
    "&constructor;",
    "&#;",
    "&#x;",
    "&#xg;",
    "&#60",
    "&#-60;",
    "&#6 0;",
    "&#X3c;",
    "&#0;",
    "&#x0;",
    "&#1;",
    "&#8;",
    "&#11;",
    "&#12;",
    "&#31;",
    "&#127;",
    "&#128;",
    "&#233;",
    "&#xe9;",
    "&#256;",
    "&#8364;",
    "&#xd800;",
    "&#xffff;",
    "&#x10ffff;",
    "&#x110000;",
    "&#4294967356;",
    "&#00000060;",
    "&#x000003c;",
    "&xxe;",
    "%xxe;&",
  ];
  it.each(references)("SEC-015 refuses the reference %s", async (reference) => {
    expect(await codeOf(() => read(`<a>${reference}</a>`))).toBe(MALFORMED);
    expect(await codeOf(() => read(`<a>x${reference}y</a>`))).toBe(MALFORMED);
    expect(await codeOf(() => read(`<a b="${reference}"/>`))).toBe(MALFORMED);
  });

  it.each<[string, string]>([
    ["DOCTYPE", "<!DOCTYPE a><a/>"],
    ["DOCTYPE in lower case", "<!doctype a><a/>"],
    ["two DOCTYPEs", "<!DOCTYPE a><!DOCTYPE a><a/>"],
    ["DOCTYPE after the declaration", '<?xml version="1.0"?><!DOCTYPE a><a/>'],
    ["DOCTYPE after the root", "<a/><!DOCTYPE a>"],
    ["DOCTYPE inside", "<a><!DOCTYPE a></a>"],
    ["an external entity", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
    ["an external DTD", '<!DOCTYPE a SYSTEM "http://evil.example/x.dtd"><a/>'],
    ["a parameter entity", '<!DOCTYPE a [<!ENTITY % x "y">%x;]><a/>'],
    [
      "billion laughs",
      `<!DOCTYPE a [<!ENTITY l0 "ha">${Array.from({ length: 9 }, (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`).join("")}]><a>&l9;</a>`,
    ],
    ["quadratic blow-up", `<!DOCTYPE a [<!ENTITY x "${"y".repeat(5000)}">]><a>${"&x;".repeat(500)}</a>`],
    ["ENTITY without DOCTYPE", '<!ENTITY x "y"><a/>'],
  ])("SEC-015 MNET-038 refuses %s", async (_, xml) => {
    expect(await codeOf(() => read(xml))).toBe(MALFORMED);
  });

  it.each<[string, (space: string) => string]>([
    ["in front", (space) => `${space}<a/>`],
    ["behind", (space) => `<a/>${space}`],
    ["in a tag", (space) => `<a${space}/>`],
    ["in an end tag", (space) => `<a></a${space}>`],
    ["around =", (space) => `<a b${space}="c"/>`],
    ["before an element", (space) => `<a>${space}<b/></a>`],
    ["between elements", (space) => `<a><b/>${space}<b/></a>`],
  ])("SEC-024 takes 4096 bytes of white space %s, and no more", async (_, xml) => {
    expect(await codeOf(() => read(xml(" \n".repeat(2048))))).toBe("accepted");
    expect(await codeOf(() => read(xml(" ".repeat(4097))))).toBe(MALFORMED);
  });

  it("SEC-015 SEC-024 takes 256 references in a document, and no flood of them", async () => {
    expect(read(`<a>${"&#65;".repeat(256)}</a>`).text).toBe("A".repeat(256));
    expect(read(`<a b="${"&#65;".repeat(100)}"><c>${"&amp;".repeat(156)}</c></a>`).children[0]?.text).toHaveLength(156);
    expect(await codeOf(() => read(`<a>${"&#65;".repeat(257)}</a>`))).toBe(MALFORMED);
    expect(await codeOf(() => read(`<a b="${"&#65;".repeat(101)}"><c>${"&amp;".repeat(156)}</c></a>`))).toBe(MALFORMED);
    expect(await codeOf(() => read(`<a>${"&#65;".repeat(200_000)}</a>`))).toBe(MALFORMED);
  });

  it.each<[string, string]>([
    ["a comment in text", "<a>b<!-- c -->d</a>"],
    ["a comment as text", "<a><!-- b --></a>"],
    ["a comment between elements", "<a><b/><!-- c --><d/></a>"],
    ["a comment before the root", "<!-- a --><b/>"],
    ["a comment after the root", "<a/><!-- b -->"],
    ["CDATA as text", "<a><![CDATA[b]]></a>"],
    ["CDATA in text", "<a>b<![CDATA[c]]>d</a>"],
    ["CDATA between elements", "<a><b/><![CDATA[ ]]></a>"],
    ["a processing instruction in text", "<a>b<?c d?>e</a>"],
    ["a processing instruction between elements", "<a><b/><?c?></a>"],
    ["a processing instruction before the root", "<?a?><b/>"],
    ["a processing instruction after the declaration", '<?xml version="1.0"?><?b?><a/>'],
    ["a processing instruction after the root", "<a/><?b?>"],
    ["a second declaration", '<?xml version="1.0"?><?xml version="1.0"?><a/>'],
    ["a declaration inside", '<a><?xml version="1.0"?></a>'],
    ["text before elements", "<a>b<c/></a>"],
    ["text after elements", "<a><c/>b</a>"],
    ["text between elements", "<a><b/>c<d/></a>"],
    ["a reference to white space before an element", "<a>&#32;<b/></a>"],
  ])("SEC-016 refuses %s", async (_, xml) => {
    expect(await codeOf(() => read(xml))).toBe(MALFORMED);
  });

  it.each<[string, string]>([
    ["nothing", ""],
    ["white space", " \n"],
    ["text", "hello"],
    ["a declaration only", '<?xml version="1.0"?>'],
    ["a declaration that does not end", '<?xml version="1.0"'],
    ["a declaration of more than 1024 bytes", `<?xml version="1.0"${" ".repeat(1100)}?><a/>`],
    ["text before the root", "x<a/>"],
    ["text after the root", "<a/>x"],
    ["a second root", "<a/><a/>"],
    ["a second root with content", "<a>b</a><c>d</c>"],
    ["NUL after the root", "<a/>\0"],
    ["an end tag too many", "<a/></a>"],
    ["an end tag first", "</a>"],
    ["no end tag", "<a>"],
    ["no end tag after a child", "<a><b/>"],
    ["a cut tag", "<a"],
    ["a cut end tag", "<a></a"],
    ["a lone <", "<"],
    ["a cut attribute", '<a b="c'],
    ["an attribute without value", "<a b>"],
    ["an attribute with nothing after =", "<a b="],
    ["mismatched tags", "<a></b>"],
    ["mismatched nesting", "<a><b></a></b>"],
    ["mismatched prefixes", "<x:a></y:a>"],
    ["an end tag without prefix", "<x:a></a>"],
    ["an end tag in another case", "<a></A>"],
    ["an end tag with attributes", '<a></a b="c">'],
    ["an empty name", "<></>"],
    ["white space before the name", "< a/>"],
    ["white space in an end tag before the name", "<a></ a>"],
    ["a space between / and >", "<a / >"],
    ["a name that begins with a digit", "<1a/>"],
    ["a name that begins with a hyphen", "<-a/>"],
    ["two colons", "<a:b:c/>"],
    ["an empty prefix", "<:a/>"],
    ["an empty local name", "<a:/>"],
    ["an illegal character in a name", "<a$b/>"],
    ["a name of 65 characters", `<${"a".repeat(65)}/>`],
    ["an attribute without quotes", "<a b=c/>"],
    ["an attribute with wrong quotes", "<a b=`c`/>"],
    ["unbalanced quotes", `<a b="c'/>`],
    ["attributes without space between", '<a b="c"d="e"/>'],
    ["an attribute twice", '<a b="c" b="d"/>'],
    ["< in an attribute", '<a b="<"/>'],
    ["17 attributes", `<a ${Array.from({ length: 17 }, (_, n) => `b${n}=""`).join(" ")}/>`],
    ["257 elements", `<a>${"<b/>".repeat(256)}</a>`],
    ["17 levels", `${"<a>".repeat(17)}${"</a>".repeat(17)}`],
    ["100,000 levels", "<a>".repeat(100_000)],
  ])("SEC-017 refuses %s", async (_, xml) => {
    expect(await codeOf(() => read(xml))).toBe(MALFORMED);
  });

  it.each(["utf-16", "utf-16le", "utf-7", "utf-32", "ucs-2", "iso-8859-15", "windows-1252", "ebcdic-cp-us", "x"])(
    "SEC-018 refuses the declared encoding %s",
    async (encoding) => {
      expect(await codeOf(() => read(`<?xml version="1.0" encoding="${encoding}"?><a/>`))).toBe(MALFORMED);
    },
  );

  it.each<[string, string]>([
    ["no version", '<?xml encoding="utf-8"?><a/>'],
    ["version 2.0", '<?xml version="2.0"?><a/>'],
    ["the encoding first", '<?xml encoding="utf-8" version="1.0"?><a/>'],
    ["an unknown attribute", '<?xml version="1.0" foo="bar"?><a/>'],
    ["mixed quotes", `<?xml version='1.0" encoding="utf-8'?><a/>`],
    ["other mixed quotes", `<?xml version="1.0' encoding='utf-8"?><a/>`],
    ["upper case", '<?XML version="1.0"?><a/>'],
    ["no space", '<?xmlversion="1.0"?><a/>'],
    ["standalone maybe", '<?xml version="1.0" standalone="maybe"?><a/>'],
  ])("SEC-018 refuses a declaration with %s", async (_, xml) => {
    expect(await codeOf(() => read(xml))).toBe(MALFORMED);
  });

  const illegal = [...Array(0x20).keys(), 0x7f, 0x80, 0xa0, 0xe9, 0xff].filter((code) => ![9, 10, 13].includes(code));
  it.each(illegal)("SEC-018 refuses the byte %d in text, in attributes and between elements", async (code) => {
    const character = String.fromCharCode(code);
    expect(await codeOf(() => read(`<a>x${character}</a>`))).toBe(MALFORMED);
    expect(await codeOf(() => read(`<a b="${character}"/>`))).toBe(MALFORMED);
    expect(await codeOf(() => read(`<a><b/>${character}</a>`))).toBe(MALFORMED);
    expect(await codeOf(() => read(`<a/>${character}`))).toBe(MALFORMED);
  });

  it.each<[string, Buffer]>([
    ["UTF-8 with a byte order mark", Buffer.from("\ufeff<a/>", "utf8")],
    ["space before the declaration", Buffer.from('\n<?xml version="1.0"?><a/>')],
    ["UTF-16LE", Buffer.from("<a/>", "utf16le")],
    ["UTF-16LE with a byte order mark", Buffer.from("\ufeff<a/>", "utf16le")],
    ["UTF-16BE", Buffer.from("<a/>", "utf16le").swap16()],
    ["UTF-16BE with a byte order mark", Buffer.from("\ufeff<a/>", "utf16le").swap16()],
    ["UTF-32LE", Buffer.from([..."<a/>"].flatMap((c) => [c.charCodeAt(0), 0, 0, 0]))],
    ["UTF-32BE", Buffer.from([..."<a/>"].flatMap((c) => [0, 0, 0, c.charCodeAt(0)]))],
    ["UTF-7", Buffer.from("+ADw-a/+AD4-")],
    ["an overlong <", Buffer.from([0xc0, 0xbc, 0x61, 0x2f, 0x3e])],
  ])("SEC-018 refuses %s", async (_, bytes) => {
    expect(await codeOf(() => readDocument(bytes))).toBe(MALFORMED);
  });

  it("SEC-089 the message is one readable line, whatever the document says", async () => {
    for (const xml of ["<a\u001b[31m/>", `<a></${"b".repeat(1000)}>`, '<?xml version="1.0" encoding="x\ny"?><a/>']) {
      const { message } = await errorOf(() => read(xml));
      expect(message).toMatch(/^[ -~]{1,200}$/);
    }
  });
});

describe("rootNameOf", () => {
  it.each<[string, string, string | undefined]>([
    ["a bare root", "<methodCall>", "methodCall"],
    ["a declaration", '<?xml version="1.0"?>\n<signedMessage>', "signedMessage"],
    ["space before the declaration", ' \r\n<?xml version="1.0"?> <signedMessage>', undefined],
    ["a byte order mark", "\xef\xbb\xbf<methodCall>", "methodCall"],
    ["attributes", '<signedMessage Id="x">', "signedMessage"],
    ["an empty root", "<signedMessage/>", "signedMessage"],
    ["a line break in the tag", "<signedMessage\n>", "signedMessage"],
    ["nothing", "", undefined],
    ["text", "hello <signedMessage>", undefined],
    ["a comment first", "<!-- x --><signedMessage>", undefined],
    ["a DOCTYPE first", "<!DOCTYPE x><signedMessage>", undefined],
    ["a prefix", "<x:signedMessage>", undefined],
    ["a cut name", "<signedMess", undefined],
    ["a longer name", "<signedMessage2>", undefined],
    ["two declarations", '<?xml version="1.0"?><?xml version="1.0"?><signedMessage>', undefined],
    ["NUL first", "\0<signedMessage>", undefined],
    ["too much space", `${" ".repeat(321)}<signedMessage>`, undefined],
  ])("of %s", (_, start, name) => {
    expect(rootNameOf(Buffer.from(start, "latin1"))).toBe(name);
  });

  it("looks at the beginning only", () => {
    const prologue = `<?xml${" ".repeat(128)}?>${" ".repeat(256)}`;
    expect(rootNameOf(Buffer.from(`${prologue}<a>`))).toBe("a");
    expect(rootNameOf(Buffer.from(`${prologue} <a>`))).toBeUndefined();
    expect(rootNameOf(Buffer.from(`<${"a".repeat(2000)}>`))).toBeUndefined();
  });
});
