// An Express LMS with express-session whose users log in at other sites of the network, and whose visitors come from there.
import { once } from "node:events";
import express, { type Request, type Response } from "express";
import session, { Store, type SessionData } from "express-session";
import type Database from "libsql";
import { createHost, sso, type BrowserSessions } from "mnet";
import { nodeHandler, type NodeExchange } from "mnet/node";
import { memoryStore } from "mnet/stores";
import { checkPassword, coursePage, frontPage, localPath, loginPage, sessionRows } from "./small-lms.ts";
import { sqlAccounts, sqlSessions } from "./sql-plug-ins.ts";

declare module "express-session" {
  interface SessionData {
    userId?: string;
  }
}

export async function start(port: number, name: string, db: Database.Database) {
  const wwwroot = `http://127.0.0.1:${port}`;
  const accounts = sqlAccounts(db);

  // A session that another site ends has no request: what ends it, touches it and asks for it is in the database.
  const sessions: BrowserSessions<NodeExchange<Request, Response>> = {
    ...sqlSessions(db),
    async current({ raw: { req } }) {
      const { userId } = req.session;
      return userId === undefined ? undefined : { id: req.sessionID, accountId: userId };
    },
    async start({ raw: { req } }, { id }) {
      await begin(req, id);
      return { id: req.sessionID, accountId: id };
    },
  };
  const host = await createHost({
    wwwroot,
    name,
    store: memoryStore(), // a site that lasts: openStore("sqlite:mnet.db")
    services: [sso({ accounts, sessions })],
    network: { allowAddresses: ["127.0.0.0/8"] }, // a public site needs none
  });

  const app = express();
  app.use(
    session({
      name: `lms${port}`, // cookies do not know ports, and there are two sites on this machine
      secret: "of your own, from the environment",
      store: new SqlStore(db),
      resave: false,
      saveUninitialized: false, // the calls of other sites have no session
      cookie: { httpOnly: true, sameSite: "lax", secure: wwwroot.startsWith("https:") }, // "strict" would hide it when another site sends the browser
    }),
  );
  app.use(nodeHandler(host)); // after the session, before any body parser
  app.use(express.urlencoded({ extended: false }));

  const userOf = async ({ session: { userId } }: Request) => (userId === undefined ? undefined : accounts.find(userId));
  app.get("/", async (req, res) => {
    const user = await userOf(req);
    res.send(frontPage(name, user, user ? await host.sso.networkServers(user) : []));
  });
  app.get("/course/:id", async (req, res) => {
    const user = await userOf(req);
    if (user) res.send(coursePage(req.params.id, user));
    else res.redirect(303, sessions.loginPath(req.originalUrl));
  });
  app.get("/login", async (req, res) => {
    const next = localPath(wwwroot, req.query["next"]);
    res.send(loginPage(next, await host.sso.identityProviders(next)));
  });
  app.post("/login", async (req: Request<object, string, Readonly<Record<string, unknown>>>, res) => {
    const { username, password } = req.body;
    const next = localPath(wwwroot, req.body["next"]);
    const user = await checkPassword(db, accounts, username, password);
    if (user) {
      await begin(req, user.id);
      res.redirect(303, wwwroot + next);
    } else {
      res.status(403).send(loginPage(next, await host.sso.identityProviders(next), true));
    }
  });
  app.post("/logout", async (req, res) => {
    const { continueAt = "/" } = await host.sso.logout(req.sessionID); // the other sites are told in the background
    req.session.destroy(() => res.redirect(303, continueAt));
  });

  const server = app.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    host,
    async close() {
      server.close();
      await host.close();
    },
  };
}

/** Logs in under a fresh id: whoever knew the old one must not be in (SEC-071). */
async function begin(req: Pick<Request, "session">, userId: string): Promise<void> {
  await new Promise<void>((resolve, reject) =>
    req.session.regenerate((error?: Error) => (error ? reject(error) : resolve())),
  );
  req.session.userId = userId;
  await new Promise<void>((resolve, reject) =>
    req.session.save((error?: Error) => (error ? reject(error) : resolve())),
  );
}

/** Sessions of express-session in the LMS's own table. */
class SqlStore extends Store {
  readonly #rows: ReturnType<typeof sessionRows>;

  constructor(db: Database.Database) {
    super();
    this.#rows = sessionRows(db);
  }
  override get(sid: string, done: (error: unknown, session?: SessionData) => void): void {
    const data = this.#rows.read(sid);
    done(undefined, data === undefined ? undefined : (JSON.parse(data) as SessionData));
  }
  override set(sid: string, data: SessionData, done?: () => void): void {
    this.#rows.write(sid, JSON.stringify(data));
    done?.();
  }
  override touch(sid: string, _data: SessionData, done?: () => void): void {
    this.#rows.touch(sid);
    done?.();
  }
  override destroy(sid: string, done?: () => void): void {
    this.#rows.remove(sid);
    done?.();
  }
}
