// A Hono LMS whose users log in at other sites of the network, and whose visitors come from there.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { serve, type HttpBindings } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { Hono, type Context } from "hono";
import { generateCookie, getCookie } from "hono/cookie";
import type Database from "libsql";
import { createHost, sso, type BrowserSession, type BrowserSessions, type FetchExchange } from "mnet";
import { memoryStore } from "mnet/stores";
import { checkPassword, coursePage, frontPage, localPath, loginPage, sessionRows } from "./small-lms.ts";
import { sqlAccounts, sqlSessions } from "./sql-plug-ins.ts";

/** What the middleware below finds out of every request. */
interface Env {
  readonly Bindings: HttpBindings;
  readonly Variables: { session: BrowserSession | undefined };
}

export async function start(port: number, name: string, db: Database.Database) {
  const wwwroot = `http://127.0.0.1:${port}`;
  const accounts = sqlAccounts(db);
  const rows = sessionRows(db);
  const cookieName = `lms${port}`; // cookies do not know ports, and there are two sites on this machine
  const cookieOf = (sid: string, maxAge?: number) =>
    generateCookie(cookieName, sid, {
      path: "/",
      httpOnly: true,
      sameSite: "Lax", // "Strict" would hide it when another site sends the browser
      secure: wwwroot.startsWith("https:"),
      ...(maxAge !== undefined && { maxAge }),
    });
  /** Always a fresh id: whoever knew the old one must not be in (SEC-071). */
  function begin(old: BrowserSession | undefined, accountId: string): BrowserSession {
    if (old) rows.remove(old.id);
    const id = randomBytes(20).toString("hex");
    rows.write(id, accountId);
    return { id, accountId };
  }

  // A session that another site ends has no request: what ends it, touches it and asks for it is in the database.
  const sessions: BrowserSessions<FetchExchange<Context<Env>>> = {
    ...sqlSessions(db),
    current: async ({ raw: { context } }) => context.get("session"),
    async start(browser, account) {
      const session = begin(browser.raw.context.get("session"), account.id);
      browser.appendHeader("set-cookie", cookieOf(session.id));
      return session;
    },
  };
  const host = await createHost({
    wwwroot,
    name,
    store: memoryStore(), // a site that lasts: openStore("sqlite:mnet.db")
    services: [sso({ accounts, sessions })],
    network: { allowAddresses: ["127.0.0.0/8"] }, // a public site needs none
  });

  const app = new Hono<Env>();
  app.use(async (c, next) => {
    const id = getCookie(c, cookieName);
    const accountId = id === undefined ? undefined : rows.read(id);
    if (id !== undefined) rows.touch(id);
    c.set("session", id === undefined || accountId === undefined ? undefined : { id, accountId });
    await next();
  });
  // The protocol, and the pages where browsers leave and arrive. No body parser before them.
  app.on(["GET", "POST"], ["/mnet/*", "/auth/*"], (c) =>
    host.fetch(c.req.raw, { remoteAddress: getConnInfo(c).remote.address, context: c }),
  );

  const userOf = async (c: Context<Env>) => {
    const session = c.get("session");
    return session && accounts.find(session.accountId);
  };
  app.get("/", async (c) => {
    const user = await userOf(c);
    return c.html(frontPage(name, user, user ? await host.sso.networkServers(user) : []));
  });
  app.get("/course/:id", async (c) => {
    const user = await userOf(c);
    const { pathname, search } = new URL(c.req.url);
    return user ? c.html(coursePage(c.req.param("id"), user)) : c.redirect(sessions.loginPath(pathname + search), 303);
  });
  app.get("/login", async (c) => {
    const next = localPath(wwwroot, c.req.query("next"));
    return c.html(loginPage(next, await host.sso.identityProviders(next)));
  });
  app.post("/login", async (c) => {
    const { username, password, next: wanted } = await c.req.parseBody();
    const next = localPath(wwwroot, wanted);
    const user = await checkPassword(db, accounts, username, password);
    if (!user) return c.html(loginPage(next, await host.sso.identityProviders(next), true), 403);
    c.header("set-cookie", cookieOf(begin(c.get("session"), user.id).id));
    return c.redirect(wwwroot + next, 303);
  });
  app.post("/logout", async (c) => {
    const session = c.get("session");
    if (!session) return c.redirect("/", 303);
    const { continueAt = "/" } = await host.sso.logout(session.id); // the other sites are told in the background
    rows.remove(session.id);
    c.header("set-cookie", cookieOf("", 0));
    return c.redirect(continueAt, 303);
  });

  const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" });
  await once(server, "listening");
  return {
    host,
    async close() {
      server.close();
      await host.close();
    },
  };
}
