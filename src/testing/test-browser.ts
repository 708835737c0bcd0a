import { Parser } from "htmlparser2";
import type { Clock } from "../core/clock.ts";
import type { HttpRequest, HttpResponse } from "../host/http.ts";

/** What a browser shows. */
export interface TestPage {
  /** Where it ended, after all redirects. */
  readonly url: string;
  readonly status: number;
  readonly text: string;
  /** Where it was sent on its way, the first address not included. */
  readonly redirects: readonly string[];
  /** One header of the last response, by its name in lower case; several of one name are joined. */
  header(name: string): string | undefined;
}

/** Options of one visit. */
export interface VisitOptions {
  /** Sent with this request and the redirects that follow, for example `sec-fetch-site`. By names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Default `true`. */
  readonly followRedirects?: boolean | undefined;
}

/**
 * A browser on a test network, with cookies of each origin, that follows redirects between its hosts. What is not MNet's
 * on a site, such as its login page, is an empty page with status 404.
 */
export interface TestBrowser {
  /** Sent with every request. */
  readonly userAgent: string;
  /** Rejects with `MNET_TRANSPORT_UNREACHABLE` where no host of the network is. */
  get(url: string, options?: VisitOptions): Promise<TestPage>;
  /** Sends a form, with the origin of its target unless `headers` say otherwise. */
  post(url: string, fields?: Readonly<Record<string, string>>, options?: VisitOptions): Promise<TestPage>;
  /** Submits the first form of a page: its own fields, with these put over them. */
  submit(page: TestPage, fields?: Readonly<Record<string, string>>, options?: VisitOptions): Promise<TestPage>;
  /** The cookies that a request to this URL would have, by name. */
  cookies(url: string): Readonly<Record<string, string>>;
  /** Sets a cookie for the origin of this URL, as a response from there would. */
  setCookie(url: string, name: string, value: string): void;
}

/** One cookie. */
interface Cookie {
  readonly value: string;
  readonly path: string;
  readonly isSecure: boolean;
  /** Unix milliseconds. */
  readonly until: number;
}

interface Form {
  readonly action: string;
  readonly method: string;
  readonly fields: Readonly<Record<string, string>>;
}

const DEFAULT_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const MAXIMUM_REDIRECTS = 20;
const NOT_FOUND: HttpResponse = { status: 404, headers: [], body: new Uint8Array() };

/** Makes a browser. `reach` brings a request to the site of a URL; `undefined`: there it is not MNet's. */
export function testBrowser(options: {
  readonly reach: (url: URL, request: HttpRequest) => Promise<HttpResponse | undefined>;
  readonly clock: Clock;
  readonly userAgent?: string | undefined;
}): TestBrowser {
  const { reach, clock, userAgent = DEFAULT_USER_AGENT } = options;
  const jars = new Map<string, Map<string, Cookie>>();

  function keep(url: URL, line: string): void {
    const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
    const [name = "", ...rest] = pair.split("=");
    const given = new Map(
      attributes.map((attribute): [string, string] => {
        const [key = "", ...values] = attribute.split("=");
        return [key.toLowerCase(), values.join("=")];
      }),
    );
    const jar = jars.get(url.origin) ?? new Map<string, Cookie>();
    jars.set(url.origin, jar);
    jar.set(name, {
      value: rest.join("="),
      path: given.get("path") ?? "/",
      isSecure: given.has("secure"),
      until: endOf(given, clock.now()),
    });
  }

  function cookiesFor(url: URL): Readonly<Record<string, string>> {
    const sent = [...(jars.get(url.origin) ?? [])].filter(
      ([, { path, isSecure, until }]) =>
        until > clock.now() && isBelow(url.pathname, path) && (!isSecure || url.protocol === "https:"),
    );
    return Object.fromEntries(sent.map(([name, { value }]) => [name, value]));
  }

  async function visit(
    start: string,
    form: Readonly<Record<string, string>> | undefined,
    { headers = {}, followRedirects = true }: VisitOptions,
  ): Promise<TestPage> {
    const redirects: string[] = [];
    let url = new URL(start);
    let body = form === undefined ? undefined : new URLSearchParams(form).toString();
    let origin = headers["origin"] ?? (body === undefined ? undefined : url.origin);
    for (;;) {
      const cookie = Object.entries(cookiesFor(url)).map(([name, value]) => `${name}=${value}`);
      const response =
        (await reach(url, {
          method: body === undefined ? "GET" : "POST",
          path: url.pathname + url.search,
          headers: {
            host: url.host,
            "user-agent": userAgent,
            ...(body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
            ...(cookie.length === 0 ? {} : { cookie: cookie.join("; ") }),
            ...headers,
            origin,
          },
          body: Buffer.from(body ?? ""),
          remoteAddress: "127.0.0.1",
        })) ?? NOT_FOUND;
      const all = (name: string): readonly string[] =>
        response.headers.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value);
      for (const line of all("set-cookie")) keep(url, line);
      const [location] = all("location");
      if (followRedirects && location !== undefined && response.status >= 300 && response.status < 400) {
        if (redirects.length === MAXIMUM_REDIRECTS) throw new Error(`${start} redirects without end.`);
        url = new URL(location, url);
        redirects.push(url.href);
        if (response.status !== 307 && response.status !== 308) body = origin = undefined;
        continue;
      }
      return {
        url: url.href,
        status: response.status,
        text: Buffer.from(response.body).toString(),
        redirects,
        header(name) {
          const values = all(name);
          return values.length === 0 ? undefined : values.join(", ");
        },
      };
    }
  }

  return {
    userAgent,
    get: (url, visitOptions = {}) => visit(url, undefined, visitOptions),
    post: (url, fields = {}, visitOptions = {}) => visit(url, fields, visitOptions),
    submit(page, fields = {}, visitOptions = {}) {
      const form = firstForm(page.text);
      if (!form) throw new Error(`${page.url} has no form.`);
      const target = new URL(form.action, page.url);
      const filled = { ...form.fields, ...fields };
      if (form.method === "post") {
        const headers = { origin: new URL(page.url).origin, ...visitOptions.headers };
        return visit(target.href, filled, { ...visitOptions, headers });
      }
      target.search = new URLSearchParams(filled).toString();
      return visit(target.href, undefined, visitOptions);
    },
    cookies: (url) => cookiesFor(new URL(url)),
    setCookie(url, name, value) {
      keep(new URL(url), `${name}=${value}; Path=/`);
    },
  };
}

/** When a cookie ends, by its attributes. */
function endOf(attributes: ReadonlyMap<string, string>, now: number): number {
  const maxAge = attributes.get("max-age");
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return now + Number(maxAge) * 1000;
  const expires = Date.parse(attributes.get("expires") ?? "");
  return Number.isNaN(expires) ? Infinity : expires;
}

/** RFC 6265, 5.1.4. */
const isBelow = (path: string, prefix: string): boolean =>
  path === prefix || path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);

/** The first form of a page, with what its inputs hold; of its buttons the first. */
function firstForm(html: string): Form | undefined {
  let form: { action: string; method: string; readonly fields: Record<string, string> } | undefined;
  let isOpen = false;
  let hasButton = false;
  const parser = new Parser({
    onopentag(name, attributes) {
      if (name === "form" && form === undefined) {
        const { action = "", method = "get" } = attributes;
        form = { action, method: method.toLowerCase(), fields: {} };
        isOpen = true;
      }
      if (!form || !isOpen || (name !== "input" && name !== "button")) return;
      const type = (attributes["type"] ?? (name === "button" ? "submit" : "text")).toLowerCase();
      if (type === "submit" && hasButton) return;
      if (type === "submit") hasButton = true;
      if ((type === "checkbox" || type === "radio") && !("checked" in attributes)) return;
      const field = attributes["name"];
      if (field !== undefined && type !== "button" && type !== "reset") form.fields[field] = attributes["value"] ?? "";
    },
    onclosetag(name) {
      if (name === "form") isOpen = false;
    },
  });
  parser.end(html);
  return form;
}
