import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Peer } from "../../src/core/peer-snapshot.ts";
import type { Accounts } from "../../src/plug-ins/account.ts";
import { accountByWireName, isRemoteUsername, wireUsername } from "../../src/plug-ins/usernames.ts";
import { memoryAccounts } from "../../src/testing/memory-accounts.ts";

const PEER = { id: 7, wwwroot: "https://peer.test" } as Peer;
const usernames: NonNullable<Accounts["usernames"]> = {
  toPeer: (name) => name.replace(/[^-.@a-z0-9]/g, (one) => `_${one.charCodeAt(0).toString(16).padStart(4, "0")}`),
  fromPeer: (name) => name.replace(/_([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16))),
};
const person = (username: string) => ({ username, email: "a@b.test", firstname: "A", lastname: "B" });

describe("names of our users", () => {
  it("MNET-110 travel as a Moodle takes them, or not at all: any name, with and without a mapping", () => {
    const [plain, mapped] = [memoryAccounts(), memoryAccounts([], { usernames })];
    const names = fc.oneof(
      fc.string({ unit: "binary", maxLength: 30 }),
      fc.stringMatching(/^[-._@a-z0-9]{1,30}$/),
      fc.emailAddress(),
    );
    fc.assert(
      fc.property(names, (name) => {
        const wire = wireUsername(plain, name, PEER);
        expect(wire === undefined || wire === name).toBe(true);
        for (const travels of [wire, wireUsername(mapped, name, PEER)]) {
          if (travels !== undefined) expect(travels).toMatch(/^[-._@a-z0-9]{1,100}$/);
        }
        const other = wireUsername(mapped, name, PEER);
        if (other !== undefined) expect(usernames.fromPeer(other, PEER)).toBe(name);
      }),
    );
  });

  it("SEC-059 a name of the wire is one user's, or nobody's", async () => {
    const accounts = memoryAccounts([person("Zo\u00eb"), person("zoe")], { usernames });
    const find = async (wire: string) => (await accountByWireName(accounts, wire, PEER))?.username;
    expect(await find("_005ao_00eb")).toBe("Zo\u00eb");
    expect(await find("zoe")).toBe("zoe");
    // Another spelling of the same: nobody's, or two names would be one user.
    for (const wire of ["z_006fe", "_007aoe", "_005Ao_00eb", "Zo\u00eb", "", "_005ao_00eb ", "x".repeat(101)]) {
      expect([wire, await find(wire)]).toEqual([wire, undefined]);
    }
  });

  it("SEC-059 a user of another site is never found by a name of ours", async () => {
    const accounts = memoryAccounts([]);
    await accounts.createRemote(PEER, "ada", person("ada"));
    expect(await accountByWireName(accounts, "ada", PEER)).toBeUndefined();
    const loose = {
      ...accounts,
      findByUsername: async () => ({ id: "1", username: "ada", home: "https://peer.test" }),
    };
    expect(await accountByWireName(loose, "ada", PEER)).toBeUndefined();
  });
});

describe("names of other sites' users", () => {
  it.each(["ada", "Ada Lovelace", "zo\u00eb", "日本語", "o'neil", "a+b@c.test", "x".repeat(255), "😀", "<b>"])(
    "MNET-115 %j can be hers",
    (name) => {
      expect(isRemoteUsername(name)).toBe(true);
    },
  );

  it.each([
    ...["", " ada", "ada ", "a\u0000b", "a\nb", "a\u007f", "a\u0085b", "a\u200bb", "a\u202eb", "a\u2066b", "\ufeffada"],
    ...["a\u2028b", "a\u2029b", "a\u00adb", "\ud800", "a\u{e0041}", "\u00a0ada", "ada\u3000", "x".repeat(256)],
  ])("SEC-059 %j cannot", (name) => {
    expect(isRemoteUsername(name)).toBe(false);
  });
});
