// What the examples of single sign-on have in common: a small LMS as it was before. Passwords, rows of sessions, pages.
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type Database from "libsql";
import type { Account, Accounts, NetworkLink } from "mnet";

const hashOf = promisify<string, Buffer, number, Buffer>(scrypt);
/** Whoever was not seen for so long is logged out. */
const SESSION_MS = 8 * 60 * 60_000;

export interface NewUser {
  readonly username: string;
  readonly password: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
}

/** Users of other sites have no password, so that nobody gets in as one of them here. */
export async function addUser(db: Database.Database, user: NewUser): Promise<void> {
  db.exec("create table if not exists passwords (user_id integer primary key, salt blob not null, hash blob not null)");
  const { lastInsertRowid: id } = db
    .prepare("insert into users (username, email, first_name, last_name, can_roam) values (?, ?, ?, ?, 1)")
    .run(user.username, user.email, user.firstName, user.lastName);
  const salt = randomBytes(16);
  db.prepare("insert into passwords values (?, ?, ?)").run(Number(id), salt, await hashOf(user.password, salt, 32));
}

/** The account, if that is her password. */
export async function checkPassword(
  db: Database.Database,
  accounts: Accounts,
  username: unknown,
  password: unknown,
): Promise<Account | undefined> {
  if (typeof username !== "string" || typeof password !== "string") return undefined;
  const account = await accounts.findByUsername(username);
  const row = db.prepare("select salt, hash from passwords where user_id = ?").get(Number(account?.id ?? 0)) as
    { readonly salt: Buffer; readonly hash: Buffer } | undefined;
  // An unknown user takes as long as a wrong password.
  const hash = await hashOf(password, row?.salt ?? Buffer.alloc(16), 32);
  return row && timingSafeEqual(hash, row.hash) ? account : undefined;
}

/** Sessions in the table that `sqlSessions` ends, touches and asks, for a framework that keeps them as text. */
export function sessionRows(db: Database.Database) {
  return {
    read(sid: string): string | undefined {
      const row = db
        .prepare("select data from web_sessions where sid = ? and seen_at > ?")
        .get(sid, Date.now() - SESSION_MS);
      return (row as { readonly data: string } | undefined)?.data;
    },
    write(sid: string, data: string): void {
      db.prepare("insert or replace into web_sessions (sid, data, seen_at) values (?, ?, ?)").run(
        sid,
        data,
        Date.now(),
      );
    },
    /** Changes a row that is there: a session that was ended while its last request ran must not come back. */
    touch(sid: string): void {
      db.prepare("update web_sessions set seen_at = ? where sid = ?").run(Date.now(), sid);
    },
    remove(sid: string): void {
      db.prepare("delete from web_sessions where sid = ?").run(sid);
    },
  };
}

/** Where a login leads: a path of this site, whatever the form says. Put the wwwroot before it: it may begin with `//`. */
export function localPath(wwwroot: string, next: unknown): string {
  const url = typeof next === "string" && URL.canParse(next, wwwroot) ? new URL(next, wwwroot) : undefined;
  return url?.origin === wwwroot ? url.pathname + url.search : "/";
}

/** Other sites read the title of the front page: it is the site's name. */
export const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(title)}</title><main>${body}</main></html>`;

export function frontPage(name: string, user: Account | undefined, servers: readonly NetworkLink[]): string {
  if (!user) return page(name, `<h1>${escapeHtml(name)}</h1><a href="/login">Log in</a>`);
  const block =
    servers.length === 0 ? "" : `<nav aria-label="Network servers"><h2>Network servers</h2>${linkList(servers)}</nav>`;
  const logout = `<form method="post" action="/logout"><button>Log out</button></form>`;
  return page(name, `<h1>${escapeHtml(name)}</h1><p>You are ${nameOf(user)}.</p>${block}${logout}`);
}

export const coursePage = (course: string, user: Account): string =>
  page(`Course ${course}`, `<h1>Course ${escapeHtml(course)}</h1><p>You are ${nameOf(user)}.</p>`);

export const loginPage = (next: string, homes: readonly NetworkLink[], isWrong = false): string =>
  page(
    "Log in",
    `<h1>Log in</h1>${isWrong ? `<p role="alert">That is not right.</p>` : ""}
<form method="post" action="/login"><input type="hidden" name="next" value="${escapeHtml(next)}">
<label>User name <input name="username" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button></form>
<h2>From another site</h2>${linkList(homes)}`,
  );

const linkList = (links: readonly NetworkLink[]): string =>
  `<ul>${links.map(({ href, name }) => `<li><a href="${escapeHtml(href)}">${escapeHtml(name)}</a></li>`).join("")}</ul>`;

const nameOf = ({ username, home }: Account): string => escapeHtml(home ? `${username} of ${home}` : username);

/** What other sites say of themselves and of their users is text from outside. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
