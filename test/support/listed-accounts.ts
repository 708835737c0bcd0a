import type { Account, Accounts, Profile } from "../../src/plug-ins/account.ts";

/** Accounts in memory, with what a test wants to see of them. */
export interface ListedAccounts extends Accounts {
  /** All, in the order in which they were made. */
  readonly all: readonly (Account & { readonly profile: Profile<unknown> })[];
}

/** Users whose home is here, and those who come. */
export function listedAccounts(
  usernames: readonly string[] = [],
  more: Partial<Accounts> & { readonly profiles?: Readonly<Record<string, Partial<Profile>>> } = {},
): ListedAccounts {
  const all: (Account & { profile: Profile<unknown> })[] = [];
  const add = (username: string, home: string | undefined, profile: Profile<unknown>): Account => {
    const account = { id: `account-${all.length + 1}`, username, ...(home !== undefined && { home }), profile };
    all.push(account);
    return account;
  };
  for (const username of usernames) {
    const profile = { email: `${username}@home.example`, firstname: username.toUpperCase(), lastname: "Local" };
    add(username, undefined, { ...profile, ...more.profiles?.[username] });
  }
  const find = (username: string, home: string | undefined) =>
    all.find((account) => account.username === username && account.home === home);
  return {
    all,
    async find(id) {
      return all.find((account) => account.id === id);
    },
    async findByUsername(username) {
      return find(username, undefined);
    },
    async findRemote({ wwwroot }, username) {
      return find(username, wwwroot);
    },
    async createRemote({ wwwroot }, username, profile) {
      return find(username, wwwroot) ?? add(username, wwwroot, profile);
    },
    async updateRemote() {
      throw new Error("No enrolment changes an account.");
    },
    async profile({ id }) {
      return all.find((account) => account.id === id)!.profile as Profile;
    },
    async mayRoam() {
      return true;
    },
    ...more,
  };
}
