import { describe, expect, it } from "vitest";
import type { Fingerprint } from "../../src/core/ids.ts";
import { EnrolmentLedger, JobLedger, KeyLedger, OnceLedger, type Offer } from "../support/crash-ledger.ts";

// What a crash run proves is no more than what these notice.

const key = (name: string): Fingerprint => name.repeat(64) as Fingerprint;

describe("things of which each is got once", () => {
  const token = (...offers: readonly Offer[]): OnceLedger => {
    const ledger = new OnceLedger("token");
    ledger.begun(1);
    ledger.made(1);
    for (const offer of offers) ledger.offered(1, offer);
    return ledger;
  };
  const last = (offer: Offer): ReadonlyMap<number, Offer> => new Map([[1, offer]]);

  it.each<[readonly Offer[], Offer]>([
    [["got", "gone"], "gone"],
    [["gone", "got", "gone"], "gone"],
    [["unknown", "gone"], "gone"],
    [["unknown", "got"], "gone"],
    [["unknown"], "got"],
    [[], "got"],
  ])("%j and then %s is as it should be", (offers, end) => {
    expect(token(...offers).violations(last(end))).toEqual([]);
  });

  it.each<[readonly Offer[], Offer, string]>([
    [["got", "got"], "gone", "2 processes got it"],
    [["got"], "got", "2 processes got it"],
    [["gone"], "gone", "it is gone, and nobody got it"],
    [[], "absent", "it was lost"],
    [["got"], "absent", "it was lost"],
    [[], "unknown", "nobody knows what became of it"],
  ])("%j and then %s is noticed", (offers, end, violation) => {
    expect(token(...offers).violations(last(end))).toEqual([`token 1: ${violation}`]);
  });

  it("one that nobody has said is there may be absent", () => {
    const ledger = new OnceLedger("token");
    ledger.begun(1);
    ledger.offered(1, "absent");
    expect(ledger.violations(last("absent"))).toEqual([]);
    ledger.offered(1, "gone");
    expect(ledger.violations(last("absent"))).toEqual(["token 1: it was lost"]);
  });
});

describe("keys", () => {
  const ledger = new KeyLedger();
  for (const name of ["a", "b", "c"]) ledger.shown("site", key(name));
  const stored = (...names: readonly string[]) =>
    names.map((name, index) => ({ fingerprint: key(name), isCurrent: index === 0 }));

  it("all that are kept of those that were shown are wanted", () => {
    expect(ledger.violations("site", stored("c", "b", "a"), 3)).toEqual([]);
    expect(ledger.violations("site", stored("d", "c", "b"), 2)).toEqual([]);
    expect(ledger.violations("site", stored("c", "b"), 3)).toEqual([`site: the key ${key("a")} was lost`]);
    expect(ledger.violations("site", stored("b", "a"), 1)).toEqual([`site: the key ${key("c")} was lost`]);
  });

  it("one is current", () => {
    const none = stored("c", "b", "a").map((one) => ({ ...one, isCurrent: false }));
    expect(ledger.violations("site", none, 3)).toEqual(["site: 0 keys are current"]);
    const two = stored("c", "b", "a").map((one, index) => ({ ...one, isCurrent: index < 2 }));
    expect(ledger.violations("site", two, 3)).toEqual(["site: 2 keys are current"]);
  });
});

describe("enrolments", () => {
  const run = (journal: readonly number[]) => new Map([["run", { rows: 2, journal }]]);
  const wanted = new Set(["ada in 1", "bob in 1"]);

  it("each is wanted once, in the courses and in the journal", () => {
    const ledger = new EnrolmentLedger();
    // Sent again, because whoever had sent it was killed.
    for (const row of [1, 1, 2]) ledger.sent("run", row);
    ledger.done("run", 1);
    expect(ledger.violations(run([1, 2]), wanted, ["bob in 1", "ada in 1"])).toEqual([]);
    expect(ledger).toMatchObject({ reported: 1, sentAgain: 1 });
  });

  it.each<[string, readonly number[], readonly string[], readonly string[]]>([
    ["lost at the other site", [1, 2], ["ada in 1"], ["bob in 1 was lost"]],
    ["there twice", [1, 2], ["ada in 1", "bob in 1", "ada in 1"], ["somebody is in a course twice"]],
    ["unwanted", [1, 2], ["ada in 1", "bob in 1", "eve in 1"], ["eve in 1 is there, and nobody wants it"]],
    [
      "lost in the journal",
      [2],
      [...wanted],
      ["run run: the journal has 1 of 2 rows", "run run: row 1 was told and is not in the journal"],
    ],
    ["in the journal twice", [1, 2, 2], [...wanted], ["run run: a row is in the journal twice"]],
  ])("one that is %s is noticed", (_, journal, found, violations) => {
    const ledger = new EnrolmentLedger();
    ledger.done("run", 1);
    expect(ledger.violations(run(journal), wanted, found)).toEqual(violations);
  });

  it("one that is sent or worked off again after it was done is noticed", () => {
    const ledger = new EnrolmentLedger();
    ledger.done("run", 1);
    ledger.sent("run", 1);
    ledger.done("run", 1);
    ledger.done("run", 2, "MNET_REMOTE_FAULT");
    expect(ledger.violations(run([1, 2]), wanted, [...wanted])).toEqual([
      "run run: row 1 was sent after it was done",
      "run run: row 1 was worked off twice",
      "run run: row 2 failed with MNET_REMOTE_FAULT",
    ]);
  });
});

describe("jobs", () => {
  const job = (): JobLedger => {
    const ledger = new JobLedger();
    ledger.begun("1");
    ledger.made("1");
    return ledger;
  };

  it("one waits until it is done; who was killed may have done it", () => {
    const ledger = job();
    expect(ledger.violations(["1"])).toEqual([]);
    ledger.claimed("1", 10, 20);
    expect(ledger.violations([])).toEqual([]);
    ledger.claimed("1", 20, 30);
    ledger.finished("1", 25);
    expect(ledger.violations([])).toEqual([]);
    expect(ledger).toMatchObject({ count: 1, done: 1 });
  });

  it("one that is lost, had by two at once, or there after it was done is noticed", () => {
    expect(job().violations([])).toEqual(["job 1: it was lost"]);
    const shared = job();
    shared.claimed("1", 19, 29);
    shared.claimed("1", 10, 20);
    expect(shared.violations(["1"])).toEqual(["job 1: two had it at once"]);
    const done = job();
    done.claimed("1", 10, 20);
    done.finished("1", 15);
    done.claimed("1", 20, 30);
    expect(done.violations(["1"])).toEqual([
      "job 1: it is done, and still there",
      "job 1: it was claimed after it was done",
    ]);
  });
});
