import { escapeXml } from "../../../xml/escape.ts";

/** HTML that may be sent as it is. */
export class Html {
  readonly text: string;

  /** `text` was escaped already, or is markup of ours. */
  constructor(text: string) {
    this.text = text;
  }
}

/** What stands in a template: text is escaped, nothing stays nothing. */
export type HtmlValue = string | number | Html | false | undefined | readonly HtmlValue[];

/** A template whose values cannot become markup. */
export const html = (parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html =>
  new Html(parts.map((part, n) => part + (n < values.length ? written(values[n]) : "")).join(""));

function written(value: HtmlValue): string {
  if (value === undefined || value === false) return "";
  if (value instanceof Html) return value.text;
  return typeof value === "object" ? value.map(written).join("") : escapeXml(String(value));
}
