import { neutralLines, neutralText } from "../core/neutral-text.ts";

/** Text from outside on one line, safe for a terminal, and not longer than it is useful. */
export const printable = (text: string, maximum = 200): string => neutralText(text, maximum);

/** The same for a text of several lines, which is kept whole. */
export const printableLines = (text: string): string => neutralLines(text.replaceAll("\r\n", "\n"));

/** JSON for programs, in which nothing can be taken for a terminal's command either. Reads back as the same value. */
export const printableJson = (value: unknown): string => neutralLines(JSON.stringify(value, undefined, 2));
