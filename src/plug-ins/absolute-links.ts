import { Parser } from "htmlparser2";

/** Attributes that hold one URL. */
const LINKS = new Set(["href", "src", "poster", "data", "background", "cite", "longdesc", "action", "formaction"]);

/**
 * HTML in which every relative link leads to the site, so that it can be read elsewhere (MNET-123). Nothing else is
 * changed, not even what is wrong in it.
 *
 * @param html of the site's own courses.
 * @param wwwroot of the site, without a slash at its end; links are relative to its front page.
 */
export function withAbsoluteLinks(html: string, wwwroot: string): string {
  const base = `${wwwroot}/`;
  const pieces: string[] = [];
  let copied = 0;
  const parser = new Parser({
    onattribute(name, value) {
      const absolute =
        name === "srcset" ? absoluteSources(value, base) : LINKS.has(name) ? resolved(value, base) : value;
      if (absolute === value) return;
      pieces.push(html.slice(copied, parser.startIndex), `${name}="${escapeAttribute(absolute)}"`);
      copied = parser.endIndex;
    },
  });
  parser.end(html);
  return copied === 0 ? html : pieces.join("") + html.slice(copied);
}

function resolved(link: string, base: string): string {
  // A link within the text, or one with a scheme, means the same everywhere.
  if (link === "" || link.startsWith("#") || URL.canParse(link)) return link;
  return URL.canParse(link, base) ? new URL(link, base).href : link;
}

/** `srcset` of images: links, each with a width or density, between commas (HTML 4.8.4.2.1). */
const absoluteSources = (value: string, base: string): string =>
  value
    .split(/,\s/)
    .map((source) => {
      const [link = "", ...descriptors] = source.trim().split(/\s+/);
      return [resolved(link, base), ...descriptors].join(" ");
    })
    .join(", ");

const escapeAttribute = (text: string): string =>
  text.replace(/[&"<>]/g, (character) => `&#${character.charCodeAt(0)};`);
