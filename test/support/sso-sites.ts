import type { MnetEvent } from "../../src/core/events.ts";
import type { Peer } from "../../src/core/peer-snapshot.ts";
import type { HostOptions } from "../../src/host/host-options.ts";
import type { Host, HostWith } from "../../src/host/host.ts";
import { serveMethod } from "../../src/host/method.ts";
import { createService, type Service } from "../../src/host/service.ts";
import type { Store } from "../../src/host/store.ts";
import type { Account, Accounts } from "../../src/plug-ins/account.ts";
import type { BrowserSessions } from "../../src/plug-ins/browser.ts";
import { idpMethods, spMethods } from "../../src/services/sso/methods.ts";
import type { SsoOptions } from "../../src/services/sso/options.ts";
import { sso, type Sso } from "../../src/services/sso/sso.ts";
import { memoryAccounts, type MemoryAccounts, type MemoryUser } from "../../src/testing/memory-accounts.ts";
import { memorySessions, type MemorySessions } from "../../src/testing/memory-sessions.ts";
import type { TestBrowser, TestPage, VisitOptions } from "../../src/testing/test-browser.ts";
import { testNetwork, type TestNetwork } from "../../src/testing/test-network.ts";
import type { XmlRpcStruct, XmlRpcValue } from "../../src/xmlrpc/value.ts";
import { keyedSite, storeWithKeys } from "./hosts.ts";

/** A site where people log in. */
export interface SsoSite {
  readonly host: HostWith<readonly Service<{ readonly sso: Sso }>[]>;
  readonly wwwroot: string;
  readonly store: Store;
  readonly accounts: MemoryAccounts;
  readonly sessions: MemorySessions;
  readonly events: MnetEvent[];
  /** Events of one type. */
  readonly told: <T extends MnetEvent["type"]>(type: T) => Extract<MnetEvent, { readonly type: T }>[];
  /** The other site, as this one knows it. */
  peer(other: { readonly wwwroot: string }): Promise<Peer>;
  /** A user of this site logs in. */
  login(browser: TestBrowser, username?: string, options?: { readonly actingAs?: boolean }): Promise<Account>;
  /** Who is logged in here. */
  who(browser: TestBrowser): Promise<Account | undefined>;
  /** One of its methods is called by another site, as `other.host.call`. */
  asks(other: { readonly wwwroot: string }, method: string, params: readonly XmlRpcValue[]): Promise<XmlRpcValue>;
}

export interface SsoSiteOptions extends Partial<Omit<SsoOptions<unknown>, "accounts" | "sessions">> {
  readonly users?: readonly MemoryUser[];
  readonly usernames?: Accounts["usernames"];
  /** Changes a plug-in, for example so that it fails. */
  readonly spoilAccounts?: (accounts: MemoryAccounts) => Partial<Accounts>;
  readonly spoilSessions?: (sessions: MemorySessions) => Partial<BrowserSessions>;
  readonly host?: Partial<HostOptions>;
}

export const ADA: MemoryUser = { username: "ada", email: "ada@alpha.test", firstname: "Ada", lastname: "Lovelace" };
export const BEA: MemoryUser = { username: "bea", email: "bea@beta.test", firstname: "Bea", lastname: "Potter" };
export const BOTH = { sso_idp: "both", sso_sp: "both" } as const;

/** A network of sites with single sign-on. */
export interface SsoNetwork extends AsyncDisposable {
  readonly network: TestNetwork;
  site(wwwroot: string, options?: SsoSiteOptions): Promise<SsoSite>;
  /** A site that answers what it is told to. */
  scripted(wwwroot: string, script: IdpScript): Promise<ScriptedIdp>;
}

/** What a made-up home site answers. What is left out is answered as a Moodle would that has nothing to say. */
export interface IdpScript {
  user?: XmlRpcValue | (() => XmlRpcValue | Promise<XmlRpcValue>);
  image?: XmlRpcValue | (() => XmlRpcValue | Promise<XmlRpcValue>);
  enrolments?: XmlRpcValue | (() => XmlRpcValue | Promise<XmlRpcValue>);
  keepalive?: () => { code: number; message: string; "last log id": string };
  kill?: () => XmlRpcValue;
}

export interface ScriptedIdp {
  readonly host: Host;
  readonly wwwroot: string;
  readonly script: IdpScript;
  /** What it was called with, by short names of methods. */
  readonly calls: { readonly method: string; readonly params: unknown }[];
  called(method: string): unknown[];
}

export async function ssoNetwork(): Promise<SsoNetwork> {
  const network = testNetwork();
  let nextKey = 0;
  const keys = async (wwwroot: string, given?: Store): Promise<Store> => {
    const { certificate, privateKeyPem } = keyedSite(wwwroot, nextKey);
    nextKey += 1;
    return storeWithKeys([{ certificate: certificate.pem, privateKey: privateKeyPem }], given);
  };
  return {
    network,
    async site(wwwroot, options = {}) {
      const {
        users = [ADA],
        usernames,
        spoilAccounts = () => ({}),
        spoilSessions = () => ({}),
        host: hostOptions,
        ...ssoOptions
      } = options;
      const { clock } = network;
      const accounts = memoryAccounts(users, { clock, ...(usernames && { usernames }) });
      const sessions = memorySessions({ clock });
      const store = await keys(wwwroot, hostOptions?.store);
      const events: MnetEvent[] = [];
      const service = sso({
        ...ssoOptions,
        accounts: { ...accounts, ...spoilAccounts(accounts) },
        sessions: { ...sessions, ...spoilSessions(sessions) },
      });
      const host = await network.host(wwwroot, {
        observer: (event) => void events.push(event),
        ...hostOptions,
        store,
        services: [service],
      });
      const site: SsoSite = {
        host,
        wwwroot,
        store,
        accounts,
        sessions,
        events,
        told: (type) =>
          events.filter((event): event is Extract<MnetEvent, { type: typeof type }> => event.type === type),
        peer: (other) => host.peers.get(other.wwwroot),
        async login(browser, username = "ada", loginOptions = {}) {
          const account = await accounts.findByUsername(username);
          if (!account) throw new Error(`There is no ${username} at ${wwwroot}.`);
          await sessions.login(browser, host, account, loginOptions);
          return account;
        },
        async who(browser) {
          const id = browser.cookies(`${wwwroot}/`)["session"];
          const session = sessions.all().find((one) => one.id === id);
          return session && accounts.find(session.accountId);
        },
        async asks(other, method, params) {
          const peer = await host.peers.get(other.wwwroot);
          return host.call(peer, `auth/mnet/auth.php/${method}`, params, { unchecked: true });
        },
      };
      return site;
    },
    async scripted(wwwroot, script) {
      const calls: ScriptedIdp["calls"][number][] = [];
      const given = async (
        method: string,
        params: unknown,
        answer: XmlRpcValue | (() => XmlRpcValue | Promise<XmlRpcValue>) | undefined,
        otherwise: XmlRpcValue,
      ): Promise<XmlRpcValue> => {
        calls.push({ method, params });
        return typeof answer === "function" ? answer() : (answer ?? otherwise);
      };
      const service = createService({
        name: "scripted",
        methods: [
          serveMethod(idpMethods.user_authorise, (params) => given("user_authorise", params, script.user, USER)),
          serveMethod(idpMethods.fetch_user_image, (params) => given("fetch_user_image", params, script.image, [])),
          serveMethod(idpMethods.update_enrolments, (params) =>
            given("update_enrolments", params, script.enrolments, true),
          ),
          serveMethod(idpMethods.keepalive_server, (params) => {
            calls.push({ method: "keepalive_server", params: params.array });
            return script.keepalive?.() ?? { code: 0, message: "All ok", "last log id": "0" };
          }),
          serveMethod(idpMethods.kill_children, (params) => given("kill_children", params, script.kill, "")),
          serveMethod(spMethods.kill_child, (params) => given("kill_child", params, script.kill, true)),
        ],
      });
      const host = await network.host(wwwroot, { store: await keys(wwwroot), services: [service] });
      return {
        host,
        wwwroot,
        script,
        calls,
        called: (method) => calls.filter((call) => call.method === method).map(({ params }) => params),
      };
    },
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

/** What a made-up home site says of its user, unless told otherwise. */
export const USER: XmlRpcStruct = {
  username: "ada",
  auth: "mnet",
  email: "ada@home.test",
  firstname: "Ada",
  lastname: "Lovelace",
  myhosts: [],
};

export interface Pair extends AsyncDisposable {
  readonly all: SsoNetwork;
  readonly network: TestNetwork;
  /** The home of ada. */
  readonly a: SsoSite;
  /** The home of bea. */
  readonly b: SsoSite;
  readonly browser: TestBrowser;
  /** Ada clicks on a link at home. */
  jump(path?: string, options?: VisitOptions): Promise<TestPage>;
  /** The address that she is sent to, without going there. */
  landUrl(path?: string): Promise<string>;
}

/** Alpha, where ada lives, and beta, where bea does; both ways are open. Ada is logged in at home. */
export async function pair({
  alpha,
  beta,
  alphaRoot = "https://alpha.test",
  betaRoot = "https://beta.test",
}: {
  readonly alpha?: SsoSiteOptions;
  readonly beta?: SsoSiteOptions;
  readonly alphaRoot?: string;
  readonly betaRoot?: string;
} = {}): Promise<Pair> {
  const all = await ssoNetwork();
  const a = await all.site(alphaRoot, alpha);
  const b = await all.site(betaRoot, { users: [BEA], ...beta });
  await all.network.connect(a.host, b.host, BOTH);
  const browser = all.network.browser();
  if (await a.accounts.findByUsername("ada")) await a.login(browser);
  const link = async (path?: string): Promise<string> => a.host.sso.linkTo(await a.peer(b), path);
  return {
    all,
    network: all.network,
    a,
    b,
    browser,
    jump: async (path, options) => browser.get(await link(path), options),
    async landUrl(path) {
      const page = await browser.get(await link(path), { followRedirects: false });
      if (page.status !== 303) throw new Error(`The jump was answered with ${page.status}: ${page.text}`);
      return page.header("location")!;
    },
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  };
}

/** Two sites, of which the home site answers what it is told to. */
export async function scriptedPair(
  script: IdpScript = {},
  options: SsoSiteOptions & { readonly wwwroot?: string; readonly idpRoot?: string } = {},
): Promise<
  AsyncDisposable & {
    readonly all: SsoNetwork;
    readonly network: TestNetwork;
    readonly idp: ScriptedIdp;
    readonly b: SsoSite;
    readonly browser: TestBrowser;
    /** The browser arrives from the home site with some token. */
    land(query?: Readonly<Record<string, string>>, visit?: VisitOptions): Promise<TestPage>;
  }
> {
  const { wwwroot = "https://beta.test", idpRoot = "https://home.test", ...rest } = options;
  const all = await ssoNetwork();
  const b = await all.site(wwwroot, { users: [BEA], ...rest });
  const idp = await all.scripted(idpRoot, script);
  await all.network.connect(b.host, idp.host, BOTH);
  const browser = all.network.browser();
  return {
    all,
    network: all.network,
    idp,
    b,
    browser,
    land: (query = {}, visit = { followRedirects: false }) =>
      browser.get(
        `${wwwroot}/auth/mnet/land.php?${new URLSearchParams({ token: "1".repeat(40), idp: idpRoot, wantsurl: "/", ...query }).toString()}`,
        visit,
      ),
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  };
}

/** Everything that a site told, and everything in its log, as text to look for secrets in. */
export async function everythingTold({ host, events }: SsoSite): Promise<string> {
  const log: unknown[] = [];
  for await (const entry of host.log()) log.push(entry);
  return JSON.stringify([events, log], (_, value: unknown) => {
    if (!(value instanceof Error)) return value;
    const { message, stack, cause } = value;
    return { ...value, message, stack, cause };
  });
}

/** Lets work that nobody waits for come to its end. */
export async function settle(turns = 50): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
