import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { collect } from "../../../src/core/listing.ts";
import { readEnrolmentCsv } from "../../../src/services/enrolment/read-enrolment-csv.ts";
import { codeOf } from "../../support/code-of.ts";

const HEAD = "action,peer,course,username,email,firstname,lastname";
async function* inChunks(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += Math.max(1, size)) yield bytes.subarray(at, at + Math.max(1, size));
}
const read = (text: string | Uint8Array, size?: number) =>
  collect(readEnrolmentCsv(inChunks(typeof text === "string" ? Buffer.from(text) : text, size)));
const ADA = {
  action: "enrol",
  person: { username: "ada", email: "ada@x.example", firstname: "Ada", lastname: "L" },
  course: { peer: "https://b.example", course: "S1" },
};

describe("CSV of enrolments", () => {
  it.each([
    ["plain", `${HEAD}\nenrol,https://b.example,S1,ada,ada@x.example,Ada,L\n`],
    ["a BOM", `\ufeff${HEAD}\nenrol,https://b.example,S1,ada,ada@x.example,Ada,L\n`],
    ["CRLF", `${HEAD}\r\nenrol,https://b.example,S1,ada,ada@x.example,Ada,L\r\n`],
    ["both ends of lines, and none at the end", `${HEAD}\r\n\nenrol,https://b.example,S1,ada,ada@x.example,Ada,L`],
    ["CR", `${HEAD}\renrol,https://b.example,S1,ada,ada@x.example,Ada,L\r`],
    ["quotes", `${HEAD}\n"enrol","https://b.example","S1","ada","ada@x.example","Ada","L"\n`],
    ["semicolons", `${HEAD.replaceAll(",", ";")}\nenrol;https://b.example;S1;ada;ada@x.example;Ada;L\n`],
    ["tabs", `${HEAD.replaceAll(",", "\t")}\nenrol\thttps://b.example\tS1\tada\tada@x.example\tAda\tL\n`],
    [
      "white space and upper case",
      ` Action , PEER,course,username,email,firstname,lastname\n enrol , https://b.example/ , S1,ada,ada@x.example,Ada,L\n`,
    ],
    [
      "another order and no action",
      `username,course,peer,lastname,firstname,email\nada,S1,https://b.example,L,Ada,ada@x.example\n`,
    ],
    ["empty lines", `\n\n${HEAD}\n\nenrol,https://b.example,S1,ada,ada@x.example,Ada,L\n\n`],
  ])("is read with %s", async (_, text) => {
    expect(await read(text)).toEqual([ADA]);
    // Wherever the chunks end, also within a character.
    for (const size of [1, 3, 7]) expect(await read(text, size)).toEqual([ADA]);
  });

  it("has quotes, line ends and separators within values", async () => {
    const [row] = await read(
      `${HEAD},city\r\n,https://b.example,"a ""b"", c",ada,x@y.example,"Zoë\r\n日本",O'Hara,"x;y"\r\n`,
    );
    expect(row).toMatchObject({
      course: { course: 'a "b", c' },
      person: { firstname: "Zoë\r\n日本", lastname: "O'Hara", city: "x;y" },
    });
  });

  it("has any profile column; what is empty is not told", async () => {
    const [row] = await read(`peer,course,username,idnumber,phone1,constructor\nhttps://b.example,7,ada,,123,x\n`);
    expect(row?.person).toEqual({
      username: "ada",
      email: "",
      firstname: "",
      lastname: "",
      other: { phone1: "123", constructor: "x" },
    });
  });

  it.each([
    ["nothing", "", undefined, /empty/],
    ["only a BOM", "\ufeff", undefined, /empty/],
    ["no course", "peer,username\nx,y\n", undefined, /course/],
    ["two of one column", "peer,course,username,Course\nx,y,z,w\n", undefined, /two columns course/],
    ["a name that is none", "peer,course,username,<script>\nx,y,z,w\n", undefined, /column/],
    ["another action", `${HEAD}\nenrol,p,c,u,,,\ndelete,p,c,u,,,\n`, 2, /line 3/],
    ["too few values", `${HEAD}\nenrol,p,c,u,,,\nenrol,p,c\n`, 2, /line 3/],
    ["too many values", `${HEAD}\nenrol,p,c,u,,,,,\n`, 1, /line 2/],
    ["a quote that does not end", `${HEAD}\nenrol,p,"c,u,,,\n`, 1, /well-formed/],
    ["a quote in the middle", `${HEAD}\nenrol,p,c"d,u,,,\n`, 1, /line 2/],
  ])("with %s is refused, and said where", async (_, text, row, message) => {
    const error: unknown = await read(text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "MNET_ENROLMENT_CSV_INVALID" });
    expect((error as { row?: number }).row).toBe(row);
    expect((error as Error).message).toMatch(message);
  });

  it("does not quote in an error what stood in the file", async () => {
    const error: unknown = await read(`${HEAD}\nenrol,p,c,u,secret@x.example,"x"y,\n`).catch(
      (thrown: unknown) => thrown,
    );
    expect(String(error)).not.toContain("secret");
  });

  it("that is not UTF-8 is refused, not damaged", async () => {
    const latin1 = Buffer.from(`${HEAD}\nenrol,p,c,u,x@y.example,Zo\u00eb,L\n`, "latin1");
    expect(await codeOf(() => read(latin1))).toBe("MNET_ENROLMENT_CSV_INVALID");
    expect(await codeOf(() => read(Buffer.from(`\ufeff${HEAD}\n`, "utf16le")))).toBe("MNET_ENROLMENT_CSV_INVALID");
    const cut = Buffer.from(`${HEAD}\nenrol,p,c,u,x@y.example,Zo\u00eb`);
    expect(await codeOf(() => read(cut.subarray(0, -1)))).toBe("MNET_ENROLMENT_CSV_INVALID");
  });

  it("of a source that fails, fails as the source does", async () => {
    const broken = new Error("The disk is gone.");
    async function* source(): AsyncGenerator<string> {
      yield `${HEAD}\nenrol,p,c,u,,,\n`;
      throw broken;
    }
    await expect(collect(readEnrolmentCsv(source()))).rejects.toBe(broken);
  });

  it("of 100,000 rows is read as it is taken, not at once", async () => {
    let given = 0;
    async function* source(): AsyncGenerator<string> {
      yield `${HEAD}\n`;
      for (; given < 100_000; given += 1) yield `enrol,https://b.example,S${given % 300},u${given},,,\n`;
    }
    let taken = 0;
    let ahead = 0;
    for await (const row of readEnrolmentCsv(source())) {
      if (row.person.username !== `u${taken}`) throw new Error(`Row ${taken} is ${row.person.username}.`);
      taken += 1;
      ahead = Math.max(ahead, given - taken);
    }
    expect(taken).toBe(100_000);
    expect(ahead).toBeLessThan(5000);
  });

  it("reads any values that were written by the rules, and throws nothing but its own errors", async () => {
    const value = fc.string({ unit: "binary", maxLength: 12 }).map((text) => text.trim().replaceAll("\ufeff", ""));
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(fc.tuple(value, value, value), fc.nat(9), async ([username, firstname, city], size) => {
        const text = `peer,course,username,firstname,city\n"p","c",${[username, firstname, city].map(quoted).join(",")}\n`;
        const [row] = await read(text, size + 1);
        expect(row?.person).toMatchObject({ username, firstname, ...(city !== "" && { city }) });
      }),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('"', ",", "\n", "\r", "a", ";", "é", "\ufeff")), async (pieces) => {
        const outcome = await codeOf(() => read(`peer,course,username\n${pieces.join("")}`));
        expect(["accepted", "MNET_ENROLMENT_CSV_INVALID"]).toContain(outcome);
      }),
      { numRuns: 300 },
    );
  });
});
