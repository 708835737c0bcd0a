import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exportProfile, importProfile, isComplete } from "../../src/plug-ins/profile-fields.ts";
import { mayTravel } from "../../src/peer/profile-columns.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";

const NEVER = [
  "id",
  "mnethostid",
  "timecreated",
  "timemodified",
  "deleted",
  "confirmed",
  "password",
  "theme",
  "lastip",
];
const NAMES = { email: "ada@home.test", firstname: "Ada", lastname: "Lovelace" };
const LEGACY = "mailformat maildigest maildisplay htmleditor autosubscribe trackforums phone1 phone2 address".split(
  " ",
);

describe("what travels", () => {
  it.each([...NEVER, "secret", "suspended", "policyagreed", "trustbitmask", "lastlogin", "__proto__"])(
    "MNET-113 SEC-060 %s never does",
    (column) => {
      expect(mayTravel(column)).toBe(false);
      const other = Object.fromEntries([[column, "x"]]);
      expect(exportProfile("ada", { ...NAMES, other }, [column])).toEqual({ auth: "mnet", username: "ada", ...NAMES });
      expect(importProfile(Object.fromEntries([...Object.entries(NAMES), [column, "x"]]), [column])).toEqual(NAMES);
    },
  );

  it("MNET-113 MNET-115 columns of old Moodles do when they are listed, and only then", () => {
    const other = Object.fromEntries(LEGACY.map((column) => [column, "1"]));
    expect(exportProfile("ada", { ...NAMES, other }, LEGACY)).toEqual({
      auth: "mnet",
      username: "ada",
      ...NAMES,
      ...other,
    });
    expect(exportProfile("ada", { ...NAMES, other }, [])).toEqual({ auth: "mnet", username: "ada", ...NAMES });
    expect(importProfile({ ...NAMES, ...other }, LEGACY)).toEqual({ ...NAMES, other });
    expect(importProfile({ ...NAMES, ...other }, [])).toEqual(NAMES);
  });

  it("SEC-058 SEC-060 an application's columns cannot speak for another user", () => {
    const other = {
      username: "root",
      auth: "manual",
      wwwroot: "https://evil.test",
      email: "x@evil.test",
      toString: "x",
    };
    const listed = [...Object.keys(other), "constructor", "hasOwnProperty"];
    expect(exportProfile("ada", { ...NAMES, other }, listed)).toEqual({
      auth: "mnet",
      username: "ada",
      ...NAMES,
      toString: "x",
    });
  });
});

describe("what is taken over", () => {
  it("MNET-115 SEC-060 of any answer no more than is listed, as short plain text", () => {
    const value: fc.Arbitrary<XmlRpcValue> = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.integer(),
      fc.boolean(),
      fc.constant([]),
      fc.constant({ a: "b" }),
      fc.string({ minLength: 2000, maxLength: 3000 }),
    );
    const columns = fc.constantFrom(
      "email",
      "firstname",
      "city",
      "country",
      "lang",
      "description",
      "myhosts",
      "idnumber",
      "x",
      "id",
      "auth",
    );
    const listed = ["city", "country", "lang", "description", "x", "id"];
    fc.assert(
      fc.property(fc.dictionary(columns, value), (user) => {
        const profile = importProfile(user, listed);
        const {
          email,
          firstname,
          lastname,
          city = "",
          country = "",
          lang = "",
          description,
          other = {},
          myhosts,
          ...rest
        } = profile;
        expect(rest).toEqual({});
        expect(myhosts ?? []).toEqual([]);
        expect(Object.keys(other).every((column) => column === "x")).toBe(true);
        for (const text of [email, firstname, lastname, city, country, lang, ...Object.values(other)]) {
          expect(text).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028\u2029]/u);
          expect([...text].length).toBeLessThanOrEqual(1024);
        }
        expect(country).toMatch(/^(?:[A-Z]{2})?$/);
        expect(lang).toMatch(/^(?:[a-z]{2,3}(?:_[a-z0-9]+)*)?$/);
        expect(typeof (description?.unsafeHtml() ?? "")).toBe("string");
      }),
    );
  });

  it("MNET-115 scalars as PHP writes them", () => {
    expect(
      importProfile({ ...NAMES, city: 7, idnumber: true, institution: false }, ["city", "idnumber", "institution"]),
    ).toEqual({
      ...NAMES,
      city: "7",
      idnumber: "1",
      institution: "",
    });
  });

  it("MNET-115 what has no first name, last name or e-mail address is not complete", () => {
    expect(isComplete(NAMES)).toBe(true);
    for (const column of Object.keys(NAMES)) {
      expect(isComplete({ ...NAMES, [column]: "" })).toBe(false);
      expect(isComplete({ ...NAMES, [column]: " \u00a0" })).toBe(false);
    }
  });
});
