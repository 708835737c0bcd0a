import { systemClock, type Clock } from "../core/clock.ts";
import type { PeerId } from "../core/ids.ts";
import type { Account, Accounts, Picture, Profile } from "../plug-ins/account.ts";
import type { UntrustedHtml } from "../plug-ins/untrusted-html.ts";

/** A user of a memory of accounts. */
export type MemoryUser = Profile & { readonly username: string };

/** Accounts in memory, and what a test may do with them. */
export interface MemoryAccounts extends Accounts {
  picture(account: Account): Promise<Picture | undefined>;
  setPicture(account: Account, picture: Picture): Promise<void>;
  /** Suspended users may not roam. Default `true`. */
  setSuspended(account: Account, isSuspended?: boolean): void;
  /** Whether she may roam; at first every user of ours may, and nobody else. */
  setMayRoam(account: Account, mayRoam: boolean): void;
  /** Every account, in the order in which they came. */
  all(): readonly Account[];
}

interface Entry {
  readonly id: string;
  readonly username: string;
  readonly home: { readonly id: PeerId; readonly wwwroot: string } | undefined;
  profile: Profile;
  picture: { readonly picture: Picture; readonly changedAt: Date } | undefined;
  mayRoam: boolean;
  isSuspended: boolean;
}

/**
 * Accounts in memory, to test with and to read before writing your own.
 *
 * @param users the site's own.
 * @param options `usernames` as in `Accounts`; `clock` dates the pictures, default the machine's.
 *
 * @example
 * const people = memoryAccounts([{ username: "ada", email: "ada@school.test", firstname: "Ada", lastname: "Lovelace" }]);
 */
export function memoryAccounts(
  users: readonly MemoryUser[] = [],
  { usernames, clock = systemClock }: { readonly usernames?: Accounts["usernames"]; readonly clock?: Clock } = {},
): MemoryAccounts {
  const byId = new Map<string, Entry>();
  /** By home and name, so that nobody is ever taken for somebody else. */
  const byName = new Map<string, Entry>();
  const nameKey = (home: PeerId | undefined, username: string): string => JSON.stringify([home ?? 0, username]);

  function create(username: string, home: Entry["home"], profile: Profile): Entry {
    const id = `${byId.size + 1}`;
    const mayRoam = home === undefined;
    const entry: Entry = { id, username, home, profile, picture: undefined, mayRoam, isSuspended: false };
    byId.set(id, entry);
    byName.set(nameKey(home?.id, username), entry);
    return entry;
  }

  function entryOf({ id }: Account): Entry {
    const entry = byId.get(id);
    if (!entry) throw new Error(`There is no account ${id}.`);
    return entry;
  }

  for (const { username, ...profile } of users) {
    if (byName.has(nameKey(undefined, username))) throw new TypeError(`There are two users ${username}.`);
    create(username, undefined, profile);
  }

  return {
    async find(accountId) {
      const entry = byId.get(accountId);
      return entry && toAccount(entry);
    },
    async findByUsername(username) {
      const entry = byName.get(nameKey(undefined, username));
      return entry && toAccount(entry);
    },
    async findRemote(home, username) {
      const entry = byName.get(nameKey(home.id, username));
      return entry && toAccount(entry);
    },
    async createRemote({ id, wwwroot }, username, profile) {
      // Without a pause between looking and creating, one creates.
      const existing = byName.get(nameKey(id, username));
      return toAccount(existing ?? create(username, { id, wwwroot }, imported(profile)));
    },
    async updateRemote(account, profile) {
      const entry = entryOf(account);
      entry.profile = { ...entry.profile, ...imported(profile) };
    },
    async profile(account) {
      return { ...entryOf(account).profile };
    },
    async mayRoam(account) {
      const { mayRoam, isSuspended } = entryOf(account);
      return mayRoam && !isSuspended;
    },
    async picture(account) {
      const picture = entryOf(account).picture?.picture;
      return picture && copyOf(picture);
    },
    async setPicture(account, picture) {
      entryOf(account).picture = { picture: copyOf(picture), changedAt: new Date(clock.now()) };
    },
    ...(usernames === undefined ? {} : { usernames }),
    setSuspended(account, isSuspended = true) {
      entryOf(account).isSuspended = isSuspended;
    },
    setMayRoam(account, mayRoam) {
      entryOf(account).mayRoam = mayRoam;
    },
    all: () => [...byId.values()].map(toAccount),
  };
}

const toAccount = ({ id, username, home, picture }: Entry): Account => ({
  id,
  username,
  ...(home === undefined ? {} : { home: home.wwwroot }),
  ...(picture === undefined ? {} : { pictureChangedAt: picture.changedAt }),
});

/** What was told, without what was not. The description is kept as text that is safe in a page. */
function imported({ description, ...told }: Profile<UntrustedHtml>): Profile {
  const given = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
  return { ...(given as unknown as Profile), ...(description ? { description: description.toString() } : {}) };
}

const copyOf = ({ bytes, type }: Picture): Picture => ({ bytes: new Uint8Array(bytes), type });
