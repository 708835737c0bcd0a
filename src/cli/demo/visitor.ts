import { DemoFailure } from "./narrator.ts";

/** What came back for an address. */
export interface Visited {
  /** Where it came from in the end. */
  readonly url: URL;
  readonly status: number;
  readonly text: string;
  readonly bytes: Uint8Array;
  /** Every address on the way that only sent on to the next, oldest first. */
  readonly way: readonly URL[];
}

const MOST_REDIRECTS = 10;

/** A browser without a window: cookies, redirects, forms. Cookies know no ports, as in any browser. */
export class Visitor {
  readonly #userAgent: string;
  readonly #cookies = new Map<string, string>();

  constructor(userAgent: string) {
    this.#userAgent = userAgent;
  }

  /** Opens an address, and goes wherever it is sent on to. */
  async open(address: string | URL): Promise<Visited> {
    return this.#follow(new URL(address));
  }

  /** Sends a form from a page of the same site. */
  async submit(address: string | URL, fields: Readonly<Record<string, string>> = {}): Promise<Visited> {
    return this.#follow(new URL(address), new URLSearchParams(fields));
  }

  async #follow(start: URL, form?: URLSearchParams): Promise<Visited> {
    const way: URL[] = [];
    for (let [url, body]: [URL, URLSearchParams | undefined] = [start, form]; ; body = undefined) {
      const response = await fetch(url, {
        redirect: "manual",
        headers: {
          "user-agent": this.#userAgent,
          cookie: [...this.#cookies].map((pair) => pair.join("=")).join("; "),
          ...(body && { origin: url.origin }),
        },
        ...(body && { method: "POST", body }),
      });
      this.#keep(response.headers.getSetCookie());
      const bytes = new Uint8Array(await response.arrayBuffer());
      const location = response.headers.get("location");
      if (location === null) {
        return { url, status: response.status, text: Buffer.from(bytes).toString("utf8"), bytes, way };
      }
      way.push(url);
      if (way.length > MOST_REDIRECTS) throw new DemoFailure(`${start.href} redirects without end.`);
      url = new URL(location, url);
    }
  }

  #keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
      const [name = "", value = ""] = pair.split("=");
      if (attributes.includes("Max-Age=0")) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }
}
