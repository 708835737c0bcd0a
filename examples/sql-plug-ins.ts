// The users and sessions of an application in SQLite, as single sign-on needs them.
import { randomBytes } from "node:crypto";
import Database from "libsql";
import type { Account, Accounts, Browser, BrowserSessions } from "mnet";

interface UserRow {
  readonly id: number;
  readonly home_id: number;
  readonly home: string | null;
  readonly username: string;
  readonly email: string;
  readonly first_name: string;
  readonly last_name: string;
  readonly city: string | null;
  readonly about: string | null;
  readonly can_roam: number;
}

// Users of ours have the home 0, so that the database itself keeps one name at one home unique, without merging anybody.
const SCHEMA = `
  create table if not exists users (
    id integer primary key, home_id integer not null default 0, home text, username text not null, email text not null,
    first_name text not null, last_name text not null, city text, about text, can_roam integer not null default 0,
    unique (home_id, username));
  create table if not exists web_sessions (
    sid text primary key, user_id integer, data text not null default '{}', seen_at integer not null);`;

export function openDatabase(file: string): Database.Database {
  const db = new Database(file);
  db.exec(SCHEMA);
  return db;
}

export function sqlAccounts(db: Database.Database): Accounts {
  const findRow = (where: string, ...values: readonly unknown[]) => {
    const row = db.prepare(`select * from users where ${where}`).get(...values) as UserRow | undefined;
    return row && toAccount(row);
  };
  const rowOf = ({ id }: Account) => db.prepare("select * from users where id = ?").get(Number(id)) as UserRow;

  return {
    find: async (accountId) => findRow("id = ?", Number(accountId)),
    findByUsername: async (username) => findRow("home_id = 0 and username = ?", username),
    findRemote: async (home, username) => findRow("home_id = ? and username = ?", home.id, username),
    async createRemote(home, username, { email, firstname, lastname, city, description }) {
      db.prepare(
        `insert into users (home_id, home, username, email, first_name, last_name, city, about)
         values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
      ).run(home.id, home.wwwroot, username, email, firstname, lastname, city ?? null, description?.toText() ?? null);
      const account = findRow("home_id = ? and username = ?", home.id, username);
      if (!account) throw new Error(`No row for ${username} after the insert.`);
      return account;
    },
    async updateRemote({ id }, { email, firstname, lastname, city, description }) {
      // What was not told stays.
      db.prepare(
        `update users set email = ?, first_name = ?, last_name = ?, city = coalesce(?, city), about = coalesce(?, about)
         where id = ?`,
      ).run(email, firstname, lastname, city ?? null, description?.toText() ?? null, Number(id));
    },
    async profile(account) {
      const { email, first_name: firstname, last_name: lastname, city, about } = rowOf(account);
      return { email, firstname, lastname, city: city ?? undefined, description: about ?? undefined };
    },
    mayRoam: async (account) => rowOf(account).can_roam === 1,
  };
}

const toAccount = ({ id, username, home }: UserRow): Account => ({ id: `${id}`, username, home: home ?? undefined });

export function sqlSessions(db: Database.Database): BrowserSessions {
  const marks = (ids: readonly string[]) => ids.map(() => "?").join(", ");
  return {
    async current(browser) {
      const row = db.prepare("select user_id from web_sessions where sid = ?").get(sidOf(browser));
      return row === undefined
        ? undefined
        : { id: sidOf(browser), accountId: `${(row as { readonly user_id: number }).user_id}` };
    },
    loginPath: (returnTo) => `/login?next=${encodeURIComponent(returnTo)}`,
    async start(browser, account) {
      // Always a fresh id: whoever knew the old one must not be logged in now.
      db.prepare("delete from web_sessions where sid = ?").run(sidOf(browser));
      const sid = randomBytes(20).toString("hex");
      db.prepare("insert into web_sessions (sid, user_id, seen_at) values (?, ?, ?)").run(
        sid,
        Number(account.id),
        Date.now(),
      );
      browser.appendHeader("set-cookie", `sid=${sid}; Path=/; HttpOnly; SameSite=Lax; Secure`);
      return { id: sid, accountId: account.id };
    },
    async end(ids) {
      db.prepare(`delete from web_sessions where sid in (${marks(ids)})`).run(...ids);
    },
    async touch(ids) {
      db.prepare(`update web_sessions set seen_at = ? where sid in (${marks(ids)})`).run(Date.now(), ...ids);
    },
    async activeSince(ids, since) {
      const active = `select sid from web_sessions where sid in (${marks(ids)}) and seen_at >= ?`;
      const rows = db.prepare(active).all(...ids, since.getTime()) as readonly { readonly sid: string }[];
      return rows.map(({ sid }) => sid);
    },
  };
}

const sidOf = (browser: Browser): string =>
  /(?:^|;\s*)sid=([0-9a-f]{40})(?:;|$)/.exec(browser.header("cookie") ?? "")?.[1] ?? "";
