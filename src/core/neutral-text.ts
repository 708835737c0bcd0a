/** Control characters, and those that change the direction of text or are not seen: a terminal would obey them (SEC-089). */
const COMMANDS = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u;
/** Nearly all texts, and recognised in a tenth of the time. */
const PLAIN = /^[ -~]*$/;
const ALL_COMMANDS = new RegExp(COMMANDS.source, "gu");
const COMMANDS_BUT_LAYOUT = new RegExp(`(?![\\n\\t])${COMMANDS.source}`, "gu");

/** Longer texts are cut in events and in the log. */
export const LONGEST_NEUTRAL_TEXT = 2000;

/**
 * Text from outside as it may stand in a log: on one line, without anything that a terminal obeys, and not longer than
 * useful (SEC-089). What is taken out stands there as an escape, such as `\u001b`.
 */
export function neutralText(text: string, maximum: number = LONGEST_NEUTRAL_TEXT): string {
  if (text.length <= maximum && PLAIN.test(text)) return text;
  const cut = text.length > maximum ? `${withoutHalf(text.slice(0, maximum))}…` : text;
  return COMMANDS.test(cut) ? cut.replace(ALL_COMMANDS, escaped) : cut;
}

/** The same for a text of several lines, which is kept whole. */
export const neutralLines = (text: string): string => text.replace(COMMANDS_BUT_LAYOUT, escaped);

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A cut between the halves of a surrogate pair would leave what no UTF-8 can say. */
const withoutHalf = (text: string): string => text.replace(/[\ud800-\udbff]$/, "");
