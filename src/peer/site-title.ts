/** Longest name that a Moodle can store for a peer (spec 1.1). */
const MAXIMUM_LENGTH = 80;

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

/**
 * The title of a site's home page, from which peers take each other's names (spec 7.7), as plain text of one line.
 * It comes from outside: whoever shows it escapes it (SEC-068).
 *
 * @returns `undefined` if there is none.
 */
export function siteTitle(html: string): string | undefined {
  const start = html.search(/<title[\s>]/i);
  if (start < 0) return undefined;
  const from = html.indexOf(">", start) + 1;
  const to = html.indexOf("</", from);
  if (from < 1 || to < 0) return undefined;
  return cleanName(html.slice(from, to).replace(/&(#?\w{1,8});/g, resolveEntity)) || undefined;
}

/** A name from outside on one line, without control characters, cut to what a Moodle can store. */
export function cleanName(name: string): string {
  const line = name.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  return [...line].slice(0, MAXIMUM_LENGTH).join("").trim();
}

function resolveEntity(whole: string, name: string): string {
  const digits = /^#(?:x([0-9a-f]+)|(\d+))$/i.exec(name);
  if (!digits) return ENTITIES[name] ?? whole;
  const code = digits[1] ? Number.parseInt(digits[1], 16) : Number(digits[2]);
  const isCharacter = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : whole;
}
