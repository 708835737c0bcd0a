import type { Emit } from "../core/events.ts";
import type { Exchange } from "../core/exchange.ts";
import type { Wwwroot } from "../core/ids.ts";
import { goOn, type NowOrLater } from "../core/now-or-later.ts";
import type { Task } from "../core/task.ts";
import { APPLICATIONS } from "../peer/application.ts";
import type { Browser } from "../plug-ins/browser.ts";
import { escapeXml } from "../xml/escape.ts";
import type { BodyReader, BodyRefusal } from "./body-reader.ts";
import { browserOf } from "./browser-door.ts";
import type { ClientAddress, ClientAddresses } from "./client-address.ts";
import { headerOf, type HttpRequest, type HttpResponse } from "./http.ts";
import type { Receiver } from "./receive.ts";
import type { RequestContext } from "./request-context.ts";
import type { Page } from "./site.ts";
import type { ThrottleReport } from "./throttle-report.ts";
import { OVERLOADED, TooManyRequests } from "./too-many-requests.ts";

/** Where a site's certificate can be read; no peer does, but Moodle has it (spec 2.5). */
export const PUBLIC_KEY_PATH = "/mnet/publickey.php";

const XML = "text/xml; charset=utf-8";
const TEXT = "text/plain; charset=utf-8";
const HTML = "text/html; charset=utf-8";

/** What the routes need of the host. */
export interface RoutesOptions {
  readonly wwwroot: Wwwroot;
  readonly name: string;
  /** `false`: as a Moodle whose networking is off (spec 1.6, MNET-006). */
  readonly enabled: boolean;
  readonly homePage: boolean;
  readonly receiver: Receiver;
  readonly clients: ClientAddresses;
  readonly bodies: BodyReader;
  readonly throttled: ThrottleReport;
  /** Canonical PEM of the key that is shared. */
  readonly ownCertificate: () => Promise<string>;
  /** Pages of the services. */
  readonly pages: readonly Page[];
}

/** What answers a request. */
export type Route = "rpc" | "public-key" | "home" | Page;

/** From a URL to what answers it. Identity comes from the configuration: no header is asked for the host (SEC-086). */
export class Routes {
  readonly #options: RoutesOptions;
  readonly #basePath: string;
  readonly #pages: ReadonlyMap<string, Page>;

  constructor(options: RoutesOptions) {
    this.#options = options;
    this.#pages = new Map(options.pages.map((page) => [page.path, page]));
    this.#basePath = new URL(options.wwwroot).pathname.replace(/\/$/, "");
  }

  /** What answers the request; `undefined`: it is not MNet's, and a door leaves its body alone. */
  find({ path, hasNextHandler }: HttpRequest): Route | undefined {
    const [pathname = ""] = path.split("?", 1);
    if (!pathname.startsWith(this.#basePath)) return undefined;
    const below = pathname.slice(this.#basePath.length);
    switch (below) {
      case APPLICATIONS.moodle.rpcPath:
        return "rpc";
      case PUBLIC_KEY_PATH:
        return "public-key";
      case "":
      case "/":
        return this.#options.homePage && !hasNextHandler ? "home" : undefined;
      default:
        return this.#pages.get(below);
    }
  }

  /** The answer to a request for which there is no time, given before anything is done for it. */
  turnAway(route: Route, request: HttpRequest): HttpResponse | undefined {
    const { enabled, receiver, clients } = this.#options;
    if (!enabled || !receiver.isOverloaded || route !== "rpc") return undefined;
    const client = clients.of(request);
    if (!receiver.isCrowd(client)) return undefined;
    const isSmall = Number(headerOf(request, "content-length") ?? Infinity) <= SMALL_BODY;
    return this.#tooMany(OVERLOADED, client, isSmall ? [] : [UNREAD]);
  }

  /** The answer. Rejects with what is nobody's fault outside. */
  handle(route: Route, request: HttpRequest, task: Task, emit: Emit): NowOrLater<HttpResponse> {
    if (route === "home") return this.#homePage(request);
    if (!this.#options.enabled) return disabled();
    switch (route) {
      case "rpc":
        return this.#receive(request, task, emit);
      case "public-key":
        return this.#publicKey(request);
      default:
        return this.#page(route, request, { signal: task.signal, emit });
    }
  }

  async #page({ methods, answer }: Page, request: HttpRequest, exchange: Exchange): Promise<HttpResponse> {
    if (!methods.some((method) => method === request.method)) return notAllowed(methods.join(", "));
    const { browser, withOwnHeaders } = browserOf(request, this.#options.wwwroot);
    return withOwnHeaders(await answer(browser as Browser<never>, exchange));
  }

  /** Content-Type is not looked at, because real peers send malformed ones (MNET-069). Every fault has status 200 (MNET-070). */
  #receive(request: HttpRequest, task: Task, emit: Emit): NowOrLater<HttpResponse> {
    if (request.method !== "POST") return notAllowed("POST");
    const encoding = headerOf(request, "content-encoding") ?? "identity";
    if (encoding.toLowerCase() !== "identity") {
      return respond(415, TEXT, "Compressed requests are not accepted.\n", [["accept-encoding", "identity"]]);
    }
    const { clients, bodies } = this.#options;
    const client = clients.of(request);
    const context: RequestContext = { task, client, emit };
    // Not awaited here: a large body would be kept until it is answered.
    return goOn(bodies.read(request, client, task), (body) => this.#answer(body, context));
  }

  #answer(body: Uint8Array | BodyRefusal, context: RequestContext): NowOrLater<HttpResponse> {
    const { receiver, throttled } = this.#options;
    const { client } = context;
    switch (body) {
      case "too-large":
        return goOn(receiver.refuseTooLarge(context), (answer) => respond(200, XML, answer, [UNREAD]));
      case "too-slow":
        throttled.add("slow-body", client);
        return respond(408, TEXT, "The request did not come to its end in time.\n", [UNREAD]);
      case "too-many":
        throttled.add("bodies", client);
        return tooManyRequests(1000, [UNREAD]);
    }
    return receiver.receive(body, context).then(
      (answer) => respond(200, XML, answer),
      (error: unknown) => {
        if (error instanceof TooManyRequests) return this.#tooMany(error, client);
        throw error;
      },
    );
  }

  #tooMany({ reason, retryAfterMs }: TooManyRequests, client: ClientAddress, headers?: Headers): HttpResponse {
    this.#options.throttled.add(reason, client);
    return tooManyRequests(retryAfterMs, headers);
  }

  async #publicKey({ method }: HttpRequest): Promise<HttpResponse> {
    if (method !== "GET" && method !== "HEAD") return notAllowed("GET, HEAD");
    return respond(200, TEXT, await this.#options.ownCertificate());
  }

  /** Moodle and Mahara take a peer's name from the title of its home page. They look for the tag without attributes. */
  #homePage({ method }: HttpRequest): HttpResponse {
    if (method !== "GET" && method !== "HEAD") return notAllowed("GET, HEAD");
    const name = escapeXml(this.#options.name);
    return respond(
      200,
      HTML,
      `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name}</title>
</head>
<body>
<main>
<h1>${name}</h1>
<p>This site is a member of a Moodle Network.</p>
<p>Its address in the network is <code>${escapeXml(this.#options.wwwroot)}</code>; its <a href="${escapeXml(this.#basePath + PUBLIC_KEY_PATH)}">certificate</a> is public.</p>
</main>
</body>
</html>
`,
    );
  }
}

/** Servers read such a rest themselves; a new connection would cost more than that. */
const SMALL_BODY = 64 * 1024;

/** What was not read would be taken for the next request. */
const UNREAD = ["connection", "close"] as const;

function respond(
  status: number,
  contentType: string,
  content: string | Uint8Array,
  headers: readonly (readonly [string, string])[] = [],
): HttpResponse {
  const body = typeof content === "string" ? Buffer.from(content, "utf8") : content;
  return {
    status,
    headers: [
      ["content-type", contentType],
      ["content-length", String(body.length)],
      ["cache-control", "no-store"],
      ["x-content-type-options", "nosniff"],
      ...headers,
    ],
    body,
  };
}

type Headers = readonly (readonly [string, string])[];

const tooManyRequests = (retryAfterMs: number, headers: Headers = []): HttpResponse =>
  respond(503, TEXT, "Too many requests come from your address or from everywhere. Try again later.\n", [
    ["retry-after", String(Math.max(1, Math.ceil(retryAfterMs / 1000)))],
    ...headers,
  ]);

const notAllowed = (allowed: string): HttpResponse =>
  respond(405, TEXT, `This address answers ${allowed} only.\n`, [["allow", allowed]]);

const disabled = (): HttpResponse =>
  respond(
    404,
    HTML,
    "<!doctype html>\n<title>Not found</title>\n<p>Moodle networking is switched off on this site.</p>\n",
  );
