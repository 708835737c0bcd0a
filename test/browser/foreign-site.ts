import { httpSite } from "../support/http-site.ts";
import { FOREIGN_HOST } from "./chromium.ts";

/** A site that belongs to nobody here. */
export interface ForeignSite extends AsyncDisposable {
  /** Another site in the eyes of browsers. */
  readonly origin: string;
  /** The same server as a neighbour of the demo's sites: another origin, but the same site, so that cookies go along. */
  readonly neighbour: string;
  /** Every request for a page so far. */
  readonly visits: { readonly path: string; readonly referer: string | undefined }[];
  /** What it answers at a path, whole HTML. */
  readonly pages: Map<string, string>;
}

/** Starts it on a free port. It answers every path. */
export async function foreignSite(): Promise<ForeignSite> {
  const visits: ForeignSite["visits"] = [];
  const pages = new Map<string, string>();
  const site = await httpSite((req, res) => {
    const path = req.url ?? "/";
    if (path !== "/favicon.ico") visits.push({ path, referer: req.headers.referer });
    res.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    res.end(pages.get(path) ?? "<!doctype html><title>Elsewhere</title>");
  });
  return {
    origin: `http://${FOREIGN_HOST}:${site.port}`,
    neighbour: site.origin,
    visits,
    pages,
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
}

const attribute = (value: string): string => value.replaceAll("&", "&amp;").replaceAll('"', "&quot;");

/** A page with one link, `Click me`. */
export const linkTo = (address: string): string =>
  `<!doctype html><title>Win a boat</title><a href="${attribute(address)}">Click me</a>`;

/** A page that sends a form as soon as it is open. */
export const formTo = (address: string, fields: Readonly<Record<string, string>> = {}): string =>
  `<!doctype html><title>Win a boat</title><form method="post" action="${attribute(address)}">${Object.entries(fields)
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${attribute(value)}">`)
    .join("")}</form><script>document.forms[0].submit()</script>`;

/** A page that uses an address for everything but a click. */
export const embedding = (address: string): string =>
  `<!doctype html><title>Win a boat</title>${[
    "img src",
    "iframe src",
    "script src",
    "object data",
    "embed src",
    "video src",
  ]
    .map((start) => `<${start}="${attribute(address)}"></${start.split(" ")[0]}>`)
    .join("")}<link rel="stylesheet" href="${attribute(address)}">`;
