import { Parser } from "htmlparser2";

/** Elements whose content nobody reads. */
const UNSEEN = new Set(["script", "style", "template", "noscript", "iframe", "object", "svg", "math", "head", "title"]);
/** Elements that begin a line. */
const BLOCKS =
  /^(?:address|article|aside|blockquote|br|dd|div|dl|dt|figure|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|table|td|th|tr|ul)$/;

/**
 * HTML that another site wrote (SEC-060, SEC-068). In a template it becomes escaped plain text; the markup is only
 * reachable by a name that warns.
 */
export class UntrustedHtml {
  readonly #html: string;

  constructor(html: string) {
    this.#html = html;
  }

  /** Text without tags, entities resolved. Not escaped for HTML. */
  toText(): string {
    let text = "";
    let unseen = 0;
    const parser = new Parser({
      ontext(data) {
        if (unseen === 0) text += data;
      },
      onopentagname(name) {
        if (UNSEEN.has(name)) unseen += 1;
        if (BLOCKS.test(name)) text += "\n";
      },
      onclosetag(name) {
        if (UNSEEN.has(name)) unseen -= 1;
        if (BLOCKS.test(name)) text += "\n";
      },
    });
    parser.end(this.#html);
    return text
      .replace(/[^\S\n]+/g, " ")
      .replace(/ ?\n[ \n]*/g, "\n")
      .trim();
  }

  /** The same text, escaped for HTML. */
  toString(): string {
    return this.toText().replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
  }

  /** The text: markup does not get into JSON by accident. */
  toJSON(): string {
    return this.toText();
  }

  /** The markup as it came. Sanitise before use. */
  unsafeHtml(): string {
    return this.#html;
  }
}
