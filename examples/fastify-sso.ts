// A Fastify LMS with @fastify/session whose users log in at other sites of the network, and whose visitors come from there.
import type { IncomingMessage } from "node:http";
import cookie from "@fastify/cookie";
import formbody from "@fastify/formbody";
import fastifySession from "@fastify/session";
import { fastify, type FastifyRequest, type Session } from "fastify";
import type Database from "libsql";
import { createHost, sso, type BrowserSessions } from "mnet";
import { nodeHandler, type NodeExchange } from "mnet/node";
import { memoryStore } from "mnet/stores";
import { checkPassword, coursePage, frontPage, localPath, loginPage, sessionRows } from "./small-lms.ts";
import { sqlAccounts, sqlSessions } from "./sql-plug-ins.ts";

declare module "fastify" {
  interface Session {
    userId?: string;
  }
}
/** What Fastify was given, with what it made of it: there the session is. */
type Incoming = IncomingMessage & { readonly fastify: FastifyRequest };

export async function start(port: number, name: string, db: Database.Database) {
  const wwwroot = `http://127.0.0.1:${port}`;
  const accounts = sqlAccounts(db);
  const rows = sessionRows(db);
  const cookieName = `lms${port}`; // cookies do not know ports, and there are two sites on this machine
  const cookieOptions = {
    path: "/",
    httpOnly: true,
    sameSite: "lax", // "strict" would hide it when another site sends the browser
    secure: wwwroot.startsWith("https:"),
  } as const;
  const app = fastify();

  // A session that another site ends has no request: what ends it, touches it and asks for it is in the database.
  const sessions: BrowserSessions<NodeExchange<Incoming>> = {
    ...sqlSessions(db),
    async current({ raw: { req } }) {
      const { userId, sessionId } = req.fastify.session;
      return userId === undefined ? undefined : { id: sessionId, accountId: userId };
    },
    async start(browser, { id: accountId }) {
      const request = browser.raw.req.fastify;
      await begin(request, accountId);
      // MNet answers without Fastify, whose hooks would have set it.
      const { sessionId: id, encryptedSessionId } = request.session;
      browser.appendHeader("set-cookie", app.serializeCookie(cookieName, encryptedSessionId, cookieOptions));
      return { id, accountId };
    },
  };
  const host = await createHost({
    wwwroot,
    name,
    store: memoryStore(), // a site that lasts: openStore("sqlite:mnet.db")
    services: [sso({ accounts, sessions })],
    network: { allowAddresses: ["127.0.0.0/8"] }, // a public site needs none
  });

  await app.register(formbody);
  await app.register(cookie);
  await app.register(fastifySession, {
    secret: "of your own, from the environment",
    cookieName,
    cookie: cookieOptions,
    saveUninitialized: false, // the calls of other sites have no session
    rolling: false,
    store: {
      get(sid, done) {
        const data = rows.read(sid);
        done(undefined, data === undefined ? undefined : (JSON.parse(data) as Session));
      },
      set(sid, data, done) {
        rows.write(sid, JSON.stringify(data));
        done();
      },
      destroy(sid, done) {
        rows.remove(sid);
        done();
      },
    },
  });
  const mnet = nodeHandler(host);
  // After the session's hook, and before Fastify reads any body. What MNet answers goes no further.
  app.addHook("onRequest", (request, reply, done) => {
    rows.touch(request.session.sessionId);
    mnet(Object.assign(request.raw, { fastify: request }), reply.raw, (error) => done(error as Error | undefined));
  });

  const userOf = async ({ session: { userId } }: FastifyRequest) =>
    userId === undefined ? undefined : accounts.find(userId);
  app.addHook("onSend", async (_request, reply) => void reply.type("text/html"));
  app.get("/", async (request) => {
    const user = await userOf(request);
    return frontPage(name, user, user ? await host.sso.networkServers(user) : []);
  });
  app.get<{ Params: { id: string } }>("/course/:id", async (request, reply) => {
    const user = await userOf(request);
    return user ? coursePage(request.params.id, user) : reply.redirect(sessions.loginPath(request.url), 303);
  });
  app.get<{ Querystring: Fields }>("/login", async ({ query }) => {
    const next = localPath(wwwroot, query["next"]);
    return loginPage(next, await host.sso.identityProviders(next));
  });
  app.post<{ Body: Fields }>("/login", async (request, reply) => {
    const { username, password } = request.body;
    const next = localPath(wwwroot, request.body["next"]);
    const user = await checkPassword(db, accounts, username, password);
    if (!user) return reply.code(403).send(loginPage(next, await host.sso.identityProviders(next), true));
    await begin(request, user.id);
    return reply.redirect(wwwroot + next, 303);
  });
  app.post("/logout", async (request, reply) => {
    const { continueAt = "/" } = await host.sso.logout(request.session.sessionId); // the other sites are told in the background
    await request.session.destroy();
    return reply.redirect(continueAt, 303);
  });

  await app.listen({ port, host: "127.0.0.1" });
  return {
    host,
    async close() {
      await app.close();
      await host.close();
    },
  };
}

type Fields = Readonly<Record<string, unknown>>;

/** Logs in under a fresh id: whoever knew the old one must not be in (SEC-071). */
async function begin(request: FastifyRequest, userId: string): Promise<void> {
  await request.session.regenerate();
  request.session.userId = userId;
  await request.session.save();
}
