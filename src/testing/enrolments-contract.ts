import assert from "node:assert/strict";
import type { Fingerprint, PeerId, Wwwroot } from "../core/ids.ts";
import type { Peer } from "../core/peer-snapshot.ts";
import type { Account, Accounts } from "../plug-ins/account.ts";
import type { CourseOffer, Courses, Enrolments } from "../plug-ins/course.ts";
import type { ContractCase } from "./contract-case.ts";

/** What is tested together. */
export interface EnrolmentPlugIns {
  readonly accounts: Accounts;
  readonly courses: Courses;
  readonly enrolments: Enrolments;
  /** Id of a course that is offered to all hosts. */
  readonly offeredCourse: number;
}

type Check = (plugIns: EnrolmentPlugIns, offer: CourseOffer) => Promise<void>;

const CONTENDERS = 10;
const MAXIMUM_ID = 0x7fffffff;
/** Texts that break what is pasted together or compared loosely. */
const HOSTILE_NAMES = [
  "o'hara",
  'a"b',
  "a\\",
  "'; drop table users; --",
  "a%",
  "a_",
  "<script>alert(1)</script>",
  "日本",
  "${x}",
];

const north = peerNamed(1_000_001, "https://north.contract.example");
const south = peerNamed(1_000_002, "https://south.contract.example");

/**
 * What every `Courses` and `Enrolments` promise, as cases for any test runner. `make` is called anew for each case; what it
 * makes may share one database, as long as nobody is in the offered course.
 *
 * @example
 * for (const { name, run } of enrolmentsContract(async () => ({ accounts, courses, enrolments, offeredCourse: 7 }))) {
 *   test(name, run);
 * }
 */
export function enrolmentsContract(make: () => Promise<EnrolmentPlugIns>): readonly ContractCase[] {
  return Object.entries(CHECKS).map(([name, check]) => ({
    name,
    async run() {
      const plugIns = await make();
      const offers = await plugIns.courses.offers(north, plugIns.offeredCourse);
      const [offer] = offers;
      assert.ok(offer, `The course ${plugIns.offeredCourse} is not offered to ${north.wwwroot}.`);
      await check(plugIns, offer);
    },
  }));
}

const CHECKS: Readonly<Record<string, Check>> = {
  "an offer says what peers have to know": async (_plugIns, offer) => {
    assert.ok(
      Number.isInteger(offer.id) && offer.id >= 1 && offer.id <= MAXIMUM_ID,
      "The id is a positive 32-bit integer.",
    );
    assert.equal(offer.offeredTo, "all-hosts");
    assert.notEqual(offer.fullname, "");
    assert.notEqual(offer.role.shortname, "");
    assert.ok(Number.isInteger(offer.role.id));
    assert.ok(offer.startsAt === undefined || !Number.isNaN(offer.startsAt.getTime()));
  },
  "all offers hold the one, and one is no other": async ({ courses, offeredCourse }) => {
    const all = await courses.offers(north);
    assert.ok(all.some(({ id }) => id === offeredCourse));
    const one = await courses.offers(north, offeredCourse);
    assert.deepEqual(new Set(one.map(({ id }) => id)), new Set([offeredCourse]));
    assert.deepEqual(await courses.offers(north, MAXIMUM_ID), []);
  },
  "a course that is offered is there, and others are not": async ({ courses, offeredCourse }) => {
    if (!courses.exists) return;
    assert.equal(await courses.exists(offeredCourse), true);
    assert.equal(await courses.exists(MAXIMUM_ID), false);
  },
  "who is enrolled twice is enrolled once": async ({ accounts, enrolments, offeredCourse }, offer) => {
    const ada = await somebody(accounts, north);
    assert.equal(await enrolments.enrol(ada, offer), true);
    assert.equal(await enrolments.enrol(ada, offer), false);
    const [enrolment, ...others] = await enrolments.ofAccount(ada);
    assert.deepEqual(others, []);
    assert.equal(enrolment?.course.id, offeredCourse);
    assert.equal(enrolment.method, "mnet");
    assert.deepEqual(enrolment.role, offer.role);
    assert.equal(enrolment.account.id, ada.id);
    assert.ok(Math.abs(Date.now() - enrolment.changedAt.getTime()) < 3_600_000, "changedAt is now.");
    await enrolments.unenrol(ada, offer);
  },
  "of many at once, one enrols": async ({ accounts, enrolments }, offer) => {
    const ada = await somebody(accounts, north);
    const results = await Promise.all(Array.from({ length: CONTENDERS }, () => enrolments.enrol(ada, offer)));
    assert.equal(results.filter(Boolean).length, 1);
    assert.equal((await enrolments.ofAccount(ada)).length, 1);
    await enrolments.unenrol(ada, offer);
  },
  "who is unenrolled twice is out, and others stay": async ({ accounts, enrolments }, offer) => {
    const [ada, eve] = [await somebody(accounts, north), await somebody(accounts, north)];
    await enrolments.enrol(ada, offer);
    await enrolments.enrol(eve, offer);
    assert.equal(await enrolments.unenrol(ada, offer), true);
    assert.equal(await enrolments.unenrol(ada, offer), false);
    assert.deepEqual(await enrolments.ofAccount(ada), []);
    assert.equal((await enrolments.ofAccount(eve)).length, 1);
    await enrolments.unenrol(eve, offer);
    const again = await enrolments.enrol(ada, offer);
    assert.equal(again, true);
    await enrolments.unenrol(ada, offer);
  },
  "an enrolment ends whichever offer it was made by": async ({ accounts, enrolments }, offer) => {
    const ada = await somebody(accounts, north);
    await enrolments.enrol(ada, offer);
    assert.equal(await enrolments.unenrol(ada, { ...offer, offeredTo: "this-peer" }), true);
    assert.deepEqual(await enrolments.ofAccount(ada), []);
  },
  "each peer sees and counts its own users": async ({ accounts, enrolments, offeredCourse }, offer) => {
    const name = freshName();
    const [here, there] = [await accountOf(accounts, north, name), await accountOf(accounts, south, name)];
    assert.notEqual(here.id, there.id);
    const before = await Promise.all([north, south].map((peer) => enrolments.countOf(peer)));
    await enrolments.enrol(here, offer);
    const mine = await enrolments.inCourse(offeredCourse, north);
    assert.deepEqual(
      mine.filter(({ account }) => account.username === name).map(({ account }) => [account.id, account.home]),
      [[here.id, north.wwwroot]],
    );
    const theirs = await enrolments.inCourse(offeredCourse, south);
    assert.deepEqual(
      theirs.filter(({ account }) => account.username === name),
      [],
    );
    const after = await Promise.all([north, south].map((peer) => enrolments.countOf(peer)));
    assert.deepEqual(after, [(before[0] ?? 0) + 1, before[1]]);
    await enrolments.unenrol(here, offer);
    assert.equal(await enrolments.countOf(north), before[0]);
  },
  "names are text, whatever they are": async ({ accounts, enrolments, offeredCourse }, offer) => {
    for (const hostile of HOSTILE_NAMES) {
      const account = await accountOf(accounts, north, `${hostile}${freshName()}`);
      await enrolments.enrol(account, offer);
      const found = await enrolments.inCourse(offeredCourse, north);
      assert.equal(found.filter(({ account: { username } }) => username === account.username).length, 1, hostile);
      await enrolments.unenrol(account, offer);
    }
  },
};

function peerNamed(id: number, wwwroot: string): Peer {
  const now = new Date(0);
  const key = { fingerprint: "00" as Fingerprint, certificate: "", notBefore: now, notAfter: now, modulusBits: 2048 };
  return {
    id: id as PeerId,
    wwwroot: wwwroot as Wwwroot,
    name: wwwroot,
    application: "moodle",
    state: "active",
    profile: "mnet",
    key,
  };
}

const somebody = (accounts: Accounts, home: Peer): Promise<Account> => accountOf(accounts, home, freshName());

const accountOf = (accounts: Accounts, home: Peer, username: string): Promise<Account> =>
  accounts.createRemote(home, username, { email: "somebody@contract.example", firstname: "Some", lastname: "Body" });

let names = 0;
const freshName = (): string => `u${Date.now().toString(36)}.${(names += 1)}`;
