/** Where a visit ended. */
export interface VisitedPage {
  readonly url: string;
  readonly status: number;
  readonly text: string;
}

/** A browser over real HTTP: follows redirects, and keeps cookies as browsers do, by host and not by port. */
export interface CookieJar {
  get(url: string): Promise<VisitedPage>;
  /** Sends a form. */
  post(url: string, fields?: Readonly<Record<string, string>>): Promise<VisitedPage>;
  /** The cookies for a host, by name. */
  cookies(hostname: string): Readonly<Record<string, string>>;
}

const MAXIMUM_REDIRECTS = 10;

/** @param planted cookies that are there already, by host and name. */
export function cookieJar(
  userAgent = "Mozilla/5.0 (test) Firefox/140.0",
  planted: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
): CookieJar {
  const jars = new Map(Object.entries(planted).map(([host, cookies]) => [host, new Map(Object.entries(cookies))]));
  const jarOf = ({ hostname }: URL): Map<string, string> => {
    const jar = jars.get(hostname) ?? new Map<string, string>();
    jars.set(hostname, jar);
    return jar;
  };

  function keep(url: URL, line: string): void {
    const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
    const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
    const isOver = attributes.some((attribute) => {
      const [key = "", text = ""] = attribute.split("=");
      if (/^max-age$/i.test(key)) return Number(text) <= 0;
      return /^expires$/i.test(key) && Date.parse(text) <= Date.now();
    });
    if (isOver) jarOf(url).delete(name);
    else jarOf(url).set(name, value);
  }

  async function visit(address: string, form?: Readonly<Record<string, string>>): Promise<VisitedPage> {
    let url = new URL(address);
    let body = form && new URLSearchParams(form);
    for (let redirects = 0; redirects <= MAXIMUM_REDIRECTS; redirects += 1) {
      const cookie = [...jarOf(url)].map((pair) => pair.join("=")).join("; ");
      const response = await fetch(url, {
        method: body ? "POST" : "GET",
        redirect: "manual",
        headers: { "user-agent": userAgent, "sec-fetch-dest": "document", ...(cookie !== "" && { cookie }) },
        ...(body && { body }),
      });
      for (const line of response.headers.getSetCookie()) keep(url, line);
      const location = response.headers.get("location");
      const text = await response.text();
      if (location === null) return { url: url.href, status: response.status, text };
      url = new URL(location, url);
      body = undefined;
    }
    throw new Error(`${address} redirects without end.`);
  }

  return {
    get: (url) => visit(url),
    post: (url, fields = {}) => visit(url, fields),
    cookies: (hostname) => Object.fromEntries(jars.get(hostname) ?? []),
  };
}
