// Control characters, and those that change the direction of text: a terminal would obey them (SEC-089).
const COMMANDS = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;
const COMMANDS_BUT_LAYOUT = new RegExp(`(?![\\n\\t])${COMMANDS.source}`, "gu");

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Text from outside on one line, safe for a terminal, and not longer than it is useful. */
export function printable(text: string, maximum = 200): string {
  const characters = [...text];
  const cut = characters.length > maximum ? `${characters.slice(0, maximum).join("")}…` : text;
  return cut.replace(COMMANDS, escaped);
}

/** The same for a text of several lines, which is kept whole. */
export const printableLines = (text: string): string =>
  text.replaceAll("\r\n", "\n").replace(COMMANDS_BUT_LAYOUT, escaped);

/** JSON for programs, in which nothing can be taken for a terminal's command either. Reads back as the same value. */
export const printableJson = (value: unknown): string =>
  JSON.stringify(value, undefined, 2).replace(COMMANDS_BUT_LAYOUT, escaped);
