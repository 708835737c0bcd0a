import type { Peer } from "../../../core/peer-snapshot.ts";
import type { Account, Accounts, CourseSite, Picture, Profile, RemoteProfile } from "../../../plug-ins/account.ts";
import { portrait } from "./portrait.ts";
import type { OwnUser } from "./site-content.ts";

/** What the site holds of a user. */
export interface User {
  readonly account: Account;
  readonly profile: Profile;
  readonly picture?: Picture | undefined;
  /** Where else she has courses, as her home site says. */
  readonly courseSites: readonly CourseSite[];
  readonly mayRoam: boolean;
  readonly isAdministrator: boolean;
}

interface Entry extends User {
  /** Absent: she logs in at her home site only. */
  readonly password?: string;
}

/** The users of a site, its own and those who came from others, in memory. */
export class Users implements Accounts {
  readonly #entries = new Map<string, Entry>();

  constructor(own: readonly OwnUser[]) {
    const pictureChangedAt = new Date();
    for (const { username, password, looks, mayRoam, isAdministrator = false, ...profile } of own) {
      this.#put({
        account: { id: idOf("", username), username, pictureChangedAt },
        profile,
        picture: { type: "image/png", bytes: portrait(looks) },
        courseSites: [],
        password,
        mayRoam,
        isAdministrator,
      });
    }
  }

  /** The user whose name and password these are. */
  logIn(username: string, password: string): Account | undefined {
    const entry = this.#entries.get(idOf("", username));
    return entry?.password === password ? entry.account : undefined;
  }

  get(accountId: string): User | undefined {
    return this.#entries.get(accountId);
  }

  /** A user whose home is here. */
  own(username: string): User | undefined {
    return this.#entries.get(idOf("", username));
  }

  /** All of them but administrators. */
  get members(): readonly User[] {
    return [...this.#entries.values()].filter(({ account, isAdministrator }) => !account.home && !isAdministrator);
  }

  /** Her full name. */
  nameOf({ id, username }: Account): string {
    const { firstname = username, lastname = "" } = this.#entries.get(id)?.profile ?? {};
    return `${firstname} ${lastname}`.trim();
  }

  // ── For single sign-on ────────────────────────────────────────────────────

  async find(accountId: string): Promise<Account | undefined> {
    return this.#entries.get(accountId)?.account;
  }

  async findByUsername(username: string): Promise<Account | undefined> {
    return this.own(username)?.account;
  }

  async findRemote({ wwwroot }: Peer, username: string): Promise<Account | undefined> {
    return this.find(idOf(wwwroot, username));
  }

  async createRemote({ wwwroot }: Peer, username: string, profile: RemoteProfile): Promise<Account> {
    const id = idOf(wwwroot, username);
    const existing = this.#entries.get(id);
    if (existing) return existing.account;
    const account = { id, username, home: wwwroot };
    this.#put({ account, ...toldBy(profile), mayRoam: false, isAdministrator: false });
    return account;
  }

  async updateRemote({ id }: Account, told: RemoteProfile): Promise<void> {
    const entry = this.#entry(id);
    const { profile, courseSites } = toldBy(told);
    this.#put({ ...entry, profile: { ...entry.profile, ...profile }, courseSites });
  }

  async profile({ id }: Account): Promise<Profile> {
    return this.#entry(id).profile;
  }

  async mayRoam({ id }: Account): Promise<boolean> {
    return this.#entry(id).mayRoam;
  }

  async picture({ id }: Account): Promise<Picture | undefined> {
    return this.#entry(id).picture;
  }

  async setPicture({ id }: Account, picture: Picture): Promise<void> {
    const entry = this.#entry(id);
    this.#put({ ...entry, account: { ...entry.account, pictureChangedAt: new Date() }, picture });
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (!entry) throw new Error(`There is no account ${id}.`);
    return entry;
  }

  #put(entry: Entry): void {
    this.#entries.set(entry.account.id, entry);
  }
}

/** By home and name: nobody is ever taken for somebody else (SEC-059). */
const idOf = (home: string, username: string): string => JSON.stringify([home, username]);

/** Descriptions are HTML. Of that which another site wrote only the text is kept (SEC-068). */
function toldBy({ description, myhosts = [], ...told }: RemoteProfile): Pick<User, "profile" | "courseSites"> {
  return {
    profile: { ...told, ...(description && { description: description.toString() }) },
    courseSites: myhosts,
  };
}
