import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { nodeHandler, type NodeExchange, type NodeHandler } from "../../adapters/node-handler.ts";
import type { MnetEvent } from "../../core/events.ts";
import { createHost } from "../../create-host.ts";
import type { Store } from "../../host/store.ts";
import type { Wwwroot } from "../../core/ids.ts";
import { enrolment } from "../../services/enrolment/enrolment.ts";
import { sso } from "../../services/sso/sso.ts";
import type { SsoOptions } from "../../services/sso/options.ts";
import { openStore } from "../../stores/open-store.ts";
import { HttpTransport } from "../../transport/http-transport.ts";
import { readKeyFiles, type GivenKey } from "../inspect/key-bag.ts";
import type { MakeServices } from "./demo-services.ts";
import { RecordingTransport, type WireExchange } from "./recording-transport.ts";
import type { SiteContent } from "./web/site-content.ts";
import { WebSite, type WebHost } from "./web/web-site.ts";

/** What a site of the demo is made of. */
export interface DemoSiteOptions {
  readonly name: string;
  /** The first port to try; 0 for any. */
  readonly port: number;
  /** The SQLite file of its store. */
  readonly file: string;
  /** Made anew whenever the site starts. */
  readonly services: MakeServices;
  /** Its users and courses. */
  readonly content: SiteContent;
  /** How single sign-on asks before it does something. */
  readonly asking?: Pick<SsoOptions<NodeExchange>, "strictJumps" | "landing">;
}

const ADDRESS = "127.0.0.1";
/** Hosts reach each other on this machine, which is refused unless it is allowed (SEC-078). */
const ALLOW_ADDRESSES = ["127.0.0.0/8"];
const PLAIN = { "content-type": "text/plain; charset=utf-8" };

interface Running {
  readonly host: WebHost;
  readonly store: Store;
  readonly handler: NodeHandler;
  readonly transport: RecordingTransport;
}

/** A site of the demo: a web server with a host behind it, which can be stopped and started again. */
export class DemoSite implements AsyncDisposable {
  readonly name: string;
  readonly wwwroot: Wwwroot;
  readonly port: number;
  /** Everything that the host told, oldest first. */
  readonly events: MnetEvent[] = [];
  /** Every method that ran here, by wire name. */
  readonly served: string[] = [];
  /** What browsers see. Users and sessions live as long as the site, whether the host runs or not. */
  readonly web: WebSite;
  readonly #options: DemoSiteOptions;
  readonly #server: Server;
  #running: Running | undefined;

  private constructor(options: DemoSiteOptions, server: Server) {
    this.#options = options;
    this.#server = server;
    this.name = options.name;
    this.port = (server.address() as AddressInfo).port;
    this.wwwroot = `http://${ADDRESS}:${this.port}` as Wwwroot;
    this.web = new WebSite(options.name, this.wwwroot, options.content);
    server.on("request", (req, res) => {
      const running = this.#running;
      if (!running) {
        res.writeHead(503, PLAIN).end("The site is starting.\n");
        return;
      }
      const fail = (): void => {
        if (res.headersSent) res.destroy();
        else res.writeHead(500, PLAIN).end("It failed.\n");
      };
      running.handler(req, res, (error) => {
        if (error === undefined) this.web.handle(running.host, req, res).catch(fail);
        else fail();
      });
    });
  }

  /** Takes a free port, because a site's address is its identity, and starts the host. */
  static async open(options: DemoSiteOptions): Promise<DemoSite> {
    const server = createServer();
    await listen(server, options.port);
    const site = new DemoSite(options, server);
    try {
      await site.start();
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
    return site;
  }

  /** Starts the host on the store that is there, or on a new one. */
  async start(): Promise<void> {
    const { name, file, services, asking } = this.#options;
    const { users: accounts, sessions, courses, ssoPage: page } = this.web;
    const transport = new RecordingTransport(new HttpTransport({ allowAddresses: ALLOW_ADDRESSES }));
    const store = openStore(`sqlite:${file}`);
    const host = await createHost({
      wwwroot: this.wwwroot,
      name,
      store,
      services: [
        sso<NodeExchange>({ accounts, sessions, enrolments: courses, page, ...asking }),
        enrolment({ accounts, courses, enrolments: courses }),
        ...services(name, (method) => void this.served.push(method)),
      ],
      transport,
      observer: (event) => void this.events.push(event),
    });
    this.#running = { host, store, transport, handler: nodeHandler(host) };
  }

  /** Closes the host; the web server goes on listening. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.host.close({ timeoutMs: 2000 });
  }

  /** The host, while the site runs. */
  get host(): WebHost {
    return this.#required.host;
  }

  /** What this site sent since it started, and what came back. */
  get recorded(): readonly WireExchange[] {
    return this.#running?.transport.recorded ?? [];
  }

  /** The site's keys out of its store: a demo may look into its own messages. */
  async keys(): Promise<readonly GivenKey[]> {
    return readKeyFiles([{ name: `keys of ${this.name}`, text: JSON.stringify(await this.keyList()) }]);
  }

  /** The same as a key list for `mnet inspect`. */
  async keyList(): Promise<Readonly<Record<string, object>>> {
    const stored = await this.#required.store.keys.list();
    const entries = stored.map(({ fingerprint, certificate, privateKey }): [string, object] => [
      fingerprint.slice(0, 16),
      { wwwroot: this.wwwroot, certificate, privateKey: Buffer.from(privateKey).toString("utf8") },
    ]);
    return Object.fromEntries(entries);
  }

  get #required(): Running {
    if (!this.#running) throw new Error(`${this.name} is not running.`);
    return this.#running;
  }

  /** Answers what is being answered, then closes host and server. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#server.closeIdleConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }
}

/** Ports that are tried one after the other. */
const ATTEMPTS = 100;

async function listen(server: Server, first: number): Promise<void> {
  for (let port = first; ; port++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, ADDRESS, () => {
          server.off("error", reject);
          resolve();
        });
      });
      return;
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!isTaken || port + 1 >= first + ATTEMPTS || port >= 65_535) throw error;
    }
  }
}
