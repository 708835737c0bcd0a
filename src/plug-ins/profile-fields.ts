import { FORCED_COLUMNS, mayTravel } from "../peer/profile-columns.ts";
import type { XmlRpcStruct, XmlRpcValue } from "../xmlrpc/value.ts";
import type { CourseSite, Profile, RemoteProfile } from "./account.ts";
import { UntrustedHtml } from "./untrusted-html.ts";

/** Optional columns that a `Profile` has members for, with what Moodle's columns hold, in characters (Moodle 4.5). */
const OPTIONAL = {
  idnumber: 255,
  institution: 255,
  department: 255,
  city: 120,
  country: 2,
  lang: 30,
  timezone: 100,
  description: 65_536,
} as const;
const LONGEST_NAME = 100;
/** RFC 5321, 4.5.3.1.3, without its brackets. */
const LONGEST_EMAIL = 254;
/** Of a column that has no member of its own. */
const LONGEST_OTHER = 1024;
/** A site that lists more is not believed the rest. */
const MOST_COURSE_SITES = 100;

type OptionalColumn = keyof typeof OPTIONAL;

/**
 * What a peer is told of a user: the forced columns and those on its export list (spec 9.6). What the application holds
 * and the list does not name stays here (SEC-060).
 */
export function exportProfile(
  username: string,
  profile: Profile,
  exportFields: readonly string[],
): Readonly<Record<string, string>> {
  const { email, firstname, lastname, other = {} } = profile;
  const columns: Record<string, string> = { auth: "mnet", username, email, firstname, lastname };
  for (const column of exportFields) {
    if (FORCED_COLUMNS.has(column) || !mayTravel(column)) continue;
    const value = isOptional(column) ? profile[column] : Object.hasOwn(other, column) ? other[column] : undefined;
    if (value !== undefined) columns[column] = value;
  }
  return columns;
}

/** A profile without which no site takes a user (spec 9.4). */
export const isComplete = ({ email, firstname, lastname }: Profile<unknown>): boolean =>
  [email, firstname, lastname].every((value) => value.trim() !== "");

/**
 * What is taken over of a user whom a peer describes: the forced columns and those on its import list (spec 9.6). Identity
 * is not among them: who she is and where she comes from the caller knows (SEC-058).
 */
export function importProfile(user: XmlRpcStruct, importFields: readonly string[]): RemoteProfile {
  const allowed = new Set(importFields);
  const optional: { [Column in OptionalColumn]?: string } = {};
  const other: Record<string, string> = {};
  for (const [column, value] of Object.entries(user)) {
    // Whether there is a picture is nothing to keep: it is fetched.
    if (!allowed.has(column) || FORCED_COLUMNS.has(column) || !mayTravel(column) || column === "picture") continue;
    const told = textOf(value);
    if (told === undefined) continue;
    if (isOptional(column)) {
      const clean = CLEAN[column]?.(told) ?? line(told, OPTIONAL[column]);
      if (clean !== NOT_TOLD) optional[column] = clean;
    } else {
      other[column] = line(told, LONGEST_OTHER);
    }
  }
  const { description, ...rest } = optional;
  const sites = courseSites(user["myhosts"] ?? null);
  return {
    email: address(textOf(user["email"]) ?? ""),
    firstname: line(textOf(user["firstname"]) ?? "", LONGEST_NAME),
    lastname: line(textOf(user["lastname"]) ?? "", LONGEST_NAME),
    ...rest,
    ...(description !== undefined && { description: new UntrustedHtml(description) }),
    ...(Object.keys(other).length > 0 && { other }),
    ...(sites.length > 0 && { myhosts: sites }),
  };
}

/** In place of a value that no site of that language would understand. */
const NOT_TOLD = "\0";

/** Columns with a form of their own. */
const CLEAN: { readonly [Column in OptionalColumn]?: (value: string) => string } = {
  country: (value) => (/^[A-Za-z]{2}$/.test(value) ? value.toUpperCase() : value === "" ? "" : NOT_TOLD),
  // Moodle 1.9 and Mahara write `en_utf8` and `en.utf8` (spec 9.5).
  lang(value) {
    const code = value.replace(/[._]utf-?8$/i, "").toLowerCase();
    return /^[a-z]{2,3}(?:_[a-z0-9]+)*$/.test(code) ? line(code, OPTIONAL.lang) : NOT_TOLD;
  },
  description: (value) => cut(value.replaceAll("\0", ""), OPTIONAL.description),
};

const isOptional = (column: string): column is OptionalColumn => Object.hasOwn(OPTIONAL, column);

/** Scalars as PHP writes them; anything else is no column. */
function textOf(value: XmlRpcValue | undefined): string | undefined {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return String(value);
    case "boolean":
      return value ? "1" : "";
    default:
      return undefined;
  }
}

/** Control characters would break pages, mails and databases; directions of text would make one name look like another. */
const line = (text: string, longest: number): string =>
  cut(text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu, " ").trim(), longest);

/** Cut, it would be somebody else's. */
const address = (text: string): string => {
  const email = line(text, Infinity);
  return email.length <= LONGEST_EMAIL ? email : "";
};

const cut = (text: string, longest: number): string =>
  text.length <= longest ? text : [...text].slice(0, longest).join("");

/** Sites where she has courses: names as plain text, addresses with http or https only (SEC-068). */
function courseSites(myhosts: XmlRpcValue): readonly CourseSite[] {
  if (typeof myhosts !== "object" || myhosts === null) return [];
  return Object.values(myhosts as XmlRpcStruct)
    .slice(0, MOST_COURSE_SITES)
    .flatMap((site) => {
      if (typeof site !== "object" || site === null || Array.isArray(site)) return [];
      const { name, url, count } = site as XmlRpcStruct;
      const href = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined;
      const courses = Number(textOf(count) ?? NaN);
      if (!href || !/^https?:$/.test(href.protocol) || href.username !== "" || href.password !== "") return [];
      if (!Number.isSafeInteger(courses) || courses < 0) return [];
      return [{ name: line(textOf(name) ?? "", 255) || href.host, url: href.href, courses }];
    });
}
