import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import type { Fingerprint, PeerId, Wwwroot } from "../core/ids.ts";
import type { Peer } from "../core/peer-snapshot.ts";
import type { Account, Accounts, Profile } from "../plug-ins/account.ts";
import { UntrustedHtml } from "../plug-ins/untrusted-html.ts";
import type { ContractCase } from "./contract-case.ts";

/** What `accountsContract` looks at. */
export interface AccountsUnderTest {
  readonly accounts: Accounts;
  /** A user of the application's own who is there. */
  readonly localUsername: string;
}

type Check = (under: AccountsUnderTest, peers: Peers) => Promise<void>;

/** Two peers that nobody has seen before. */
interface Peers {
  readonly home: Peer;
  readonly other: Peer;
}

const CONTENDERS = 20;

/** Names that are taken for each other by whoever compares loosely. */
const LIKE_NAMES = [
  "zoe",
  "ZOE",
  "zoe ",
  " zoe",
  "zo\u00eb",
  "zoe\u0308",
  "zoe'",
  'zoe"',
  "zoe\\",
  "zoe%",
  "z_e",
  "zoe\u{1f600}",
];

/**
 * What every `Accounts` promises, as cases for any test runner.
 *
 * `make` is called for each case; what it gives may be the same each time. The suite makes remote accounts of peers that it
 * invents, with ids from 1,000,000,000 to 2,000,000,000, and does not remove them: give it a database for tests.
 *
 * @example
 * for (const { name, run } of accountsContract(async () => ({ accounts, localUsername: "seed" }))) test(name, run);
 */
export function accountsContract(make: () => Promise<AccountsUnderTest>): readonly ContractCase[] {
  return Object.entries(CHECKS).map(([name, check]) => ({
    name,
    run: async () => check(await make(), { home: inventedPeer(), other: inventedPeer() }),
  }));
}

const CHECKS: Readonly<Record<string, Check>> = {
  "accounts: a user of ours is found by name and by id, and has no home": async ({ accounts, localUsername }) => {
    const account = await accounts.findByUsername(localUsername);
    assert.ok(account, `${localUsername} is not found.`);
    assert.equal(account.username, localUsername);
    assert.equal(account.home, undefined);
    assert.equal(typeof account.id, "string");
    assert.deepEqual(await accounts.find(account.id), account);
  },
  "accounts: a user of ours has a profile that can travel": async ({ accounts, localUsername }) => {
    const account = await accounts.findByUsername(localUsername);
    assert.ok(account);
    const profile = await accounts.profile(account);
    for (const field of ["email", "firstname", "lastname"] as const)
      assert.equal(typeof profile[field], "string", field);
    for (const [field, value] of Object.entries(profile)) {
      if (field !== "other" && value !== undefined) assert.equal(typeof value, "string", field);
    }
  },
  "accounts: whether a user may roam is a yes or a no": async ({ accounts, localUsername }, { home }) => {
    const account = await accounts.findByUsername(localUsername);
    assert.ok(account);
    assert.equal(typeof (await accounts.mayRoam(account, home)), "boolean");
  },
  "SEC-057 SEC-059 accounts: nobody is found who is not there, whatever the name": async ({ accounts }, { home }) => {
    for (const name of [
      "nobody is called like this",
      "",
      "' or 1=1 -- ",
      '"; drop table users; --',
      "%",
      ...LIKE_NAMES,
    ]) {
      assert.equal(await accounts.findRemote(home, name), undefined, JSON.stringify(name));
    }
    assert.equal(await accounts.findByUsername("' or 1=1 -- "), undefined);
  },
  "SEC-059 accounts: one name at two peers and here is three users": async ({ accounts, localUsername }, peers) => {
    const local = await accounts.findByUsername(localUsername);
    assert.ok(local);
    const [one, two] = [
      await accounts.createRemote(peers.home, localUsername, profileOf("One")),
      await accounts.createRemote(peers.other, localUsername, profileOf("Two")),
    ];
    assert.equal(new Set([local.id, one.id, two.id]).size, 3);
    assert.deepEqual(await accounts.findByUsername(localUsername), local);
    assert.equal((await accounts.findRemote(peers.home, localUsername))?.id, one.id);
    assert.equal((await accounts.findRemote(peers.other, localUsername))?.id, two.id);
    assert.equal((await accounts.profile(one)).firstname, "One");
    assert.equal((await accounts.profile(two)).firstname, "Two");
  },
  "SEC-059 accounts: one address of e-mail does not make two users one": async ({ accounts, localUsername }, peers) => {
    const local = await accounts.findByUsername(localUsername);
    assert.ok(local);
    const before = await accounts.profile(local);
    const { email } = before;
    const one = await accounts.createRemote(peers.home, "one", { ...profileOf("One"), email });
    const two = await accounts.createRemote(peers.home, "two", { ...profileOf("Two"), email });
    assert.equal(new Set([local.id, one.id, two.id]).size, 3);
    assert.deepEqual(await accounts.profile(local), before);
  },
  "SEC-057 SEC-059 accounts: names that look alike are users of their own": async ({ accounts }, { home }) => {
    const ids = new Map<string, string>();
    for (const name of LIKE_NAMES) ids.set(name, (await accounts.createRemote(home, name, profileOf("Zoe"))).id);
    assert.equal(new Set(ids.values()).size, LIKE_NAMES.length);
    for (const [name, id] of ids) {
      const account = await accounts.findRemote(home, name);
      assert.deepEqual([account?.id, account?.username], [id, name]);
      assert.equal(await accounts.findByUsername(name), undefined, JSON.stringify(name));
    }
  },
  "accounts: a user who was made is found as she was given back": async ({ accounts }, { home }) => {
    const made = await accounts.createRemote(home, "u".repeat(100), profileOf("Ada"));
    assert.equal(made.home, home.wwwroot);
    assert.equal(made.username, "u".repeat(100));
    assert.deepEqual(await accounts.findRemote(home, made.username), made);
    assert.deepEqual(await accounts.find(made.id), made);
    const { email, firstname, lastname } = await accounts.profile(made);
    assert.deepEqual({ email, firstname, lastname }, profileOf("Ada"));
  },
  "accounts: who is made again is the same": async ({ accounts }, { home }) => {
    const made = await accounts.createRemote(home, "ada", profileOf("Ada"));
    assert.equal((await accounts.createRemote(home, "ada", profileOf("Ada"))).id, made.id);
  },
  "accounts: of many calls at once that make one user, one makes her and all return her": async (
    { accounts },
    { home },
  ) => {
    const made = await Promise.all(
      Array.from({ length: CONTENDERS }, () => accounts.createRemote(home, "ada", profileOf("Ada"))),
    );
    assert.equal(new Set(made.map(({ id }) => id)).size, 1);
    assert.equal((await accounts.findRemote(home, "ada"))?.id, made[0]?.id);
  },
  "accounts: an update changes what is told, of this user only": async ({ accounts }, { home, other }) => {
    const ada = await accounts.createRemote(home, "ada", profileOf("Ada"));
    const bea = await accounts.createRemote(home, "bea", profileOf("Bea"));
    const namesake = await accounts.createRemote(other, "ada", profileOf("Adele"));
    await accounts.updateRemote(ada, { email: "new@home.test", firstname: "Augusta", lastname: "King" });
    const { email, firstname, lastname } = await accounts.profile(await found(accounts, ada));
    assert.deepEqual([email, firstname, lastname], ["new@home.test", "Augusta", "King"]);
    assert.equal((await accounts.profile(bea)).firstname, "Bea");
    assert.equal((await accounts.profile(namesake)).firstname, "Adele");
    assert.equal((await accounts.findRemote(home, "ada"))?.id, ada.id);
  },
  "accounts: what an update does not tell stays as it was": async ({ accounts }, { home }) => {
    const description = new UntrustedHtml("<p>Mathematician</p>");
    const ada = await accounts.createRemote(home, "ada", {
      ...profileOf("Ada"),
      city: "London",
      country: "GB",
      description,
    });
    const before = await accounts.profile(ada);
    await accounts.updateRemote(ada, { ...profileOf("Ada"), city: undefined });
    assert.deepEqual(await accounts.profile(ada), before);
  },
  "SEC-057 accounts: quotes, backslashes and Unicode in a profile come back as they were": async (
    { accounts },
    { home },
  ) => {
    for (const [index, text] of ["O'Brien", '"', "\\", "\\'; drop table users; --", "日本語", "\u{1f600}"].entries()) {
      const given = { email: `${index}@home.test`, firstname: text, lastname: text };
      const account = await accounts.createRemote(home, `u${index}`, given);
      await accounts.updateRemote(account, given);
      const { email, firstname, lastname } = await accounts.profile(account);
      assert.deepEqual({ email, firstname, lastname }, given);
    }
  },
  "SEC-060 accounts: no markup of another site is in a profile": async ({ accounts }, { home }) => {
    const description = new UntrustedHtml(`<p onclick="steal()">Hello</p><script>steal()</script>`);
    const account = await accounts.createRemote(home, "ada", { ...profileOf("Ada"), description });
    assert.doesNotMatch((await accounts.profile(account)).description ?? "", /<script|onclick/i);
  },
  "accounts: a picture that was set is there, with its date": async ({ accounts }, { home }) => {
    const ada = await accounts.createRemote(home, "ada", profileOf("Ada"));
    assert.equal(await accounts.picture?.(ada), undefined);
    if (!accounts.setPicture) return;
    await accounts.setPicture(ada, { bytes: PIXEL, type: "image/png" });
    assert.ok((await found(accounts, ada)).pictureChangedAt instanceof Date);
    if (!accounts.picture) return;
    const picture = await accounts.picture(ada);
    assert.ok(picture && picture.bytes.length > 0 && picture.type.startsWith("image/"));
  },
  "accounts: names travel as they are, or by a mapping that has an exact inverse": async (
    { accounts: { usernames }, localUsername },
    { home },
  ) => {
    if (!usernames) {
      assert.match(localUsername, /^[-._@a-z0-9]+$/, "Other sites do not take this name. Give `usernames` a mapping.");
      return;
    }
    const names = [localUsername, ...LIKE_NAMES, "_", "_005a", "a_b", "%", "+", "x@y.test"];
    const sent = names.map((name) => usernames.toPeer(name, home));
    for (const [index, name] of names.entries()) {
      assert.match(sent[index] ?? "", /^[-._@a-z0-9]+$/, JSON.stringify(name));
      assert.equal(usernames.fromPeer(sent[index] ?? "", home), name);
    }
    assert.equal(new Set(sent).size, names.length);
  },
};

/** As small as a PNG can be. */
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

const profileOf = (firstname: string): Profile<UntrustedHtml> => ({
  email: `${firstname.toLowerCase()}@home.test`,
  firstname,
  lastname: "Lovelace",
});

async function found(accounts: Accounts, { id }: Account): Promise<Account> {
  const account = await accounts.find(id);
  assert.ok(account, `The account ${id} is gone.`);
  return account;
}

function inventedPeer(): Peer {
  const id = randomInt(1_000_000_000, 2_000_000_000);
  const wwwroot = `https://${id}.peers.test` as Wwwroot;
  return {
    id: id as PeerId,
    wwwroot,
    name: `Peer ${id}`,
    application: "moodle",
    state: "active",
    profile: "mnet",
    key: {
      fingerprint: "0".repeat(64) as Fingerprint,
      certificate: "",
      notBefore: new Date(0),
      notAfter: new Date(8.64e15),
      modulusBits: 2048,
    },
  };
}
