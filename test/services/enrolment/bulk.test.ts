import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { collect } from "../../../src/core/listing.ts";
import type { BulkOptions, BulkOutcome, BulkRow } from "../../../src/services/enrolment/remote-enrolment.ts";
import { codeOf, errorOf } from "../../support/code-of.ts";
import { keyedStore } from "../../support/hosts.ts";
import { listedAccounts } from "../../support/listed-accounts.ts";
import {
  answering,
  course,
  HOME,
  offeringWwwroot,
  person,
  sites,
  STUDENT,
  type OfferingSite,
  type Sites,
} from "./sites.ts";

let open: Sites | undefined;
afterEach(async () => {
  await open?.network[Symbol.asyncDispose]();
  open = undefined;
});
const setUp = async (options?: Parameters<typeof sites>[0]): Promise<Sites> => (open = await sites(options));

const row = (
  username: string,
  named: string | number = 1,
  more: { action?: BulkRow["action"]; lms?: number } = {},
): BulkRow => ({
  action: more.action ?? "enrol",
  person: person(username),
  course: { peer: offeringWwwroot(more.lms ?? 0), course: String(named) },
});
const run = (rows: readonly BulkRow[], options: Partial<BulkOptions> = {}): Promise<BulkOutcome[]> =>
  collect(open!.home.enrolment.bulk(rows, { key: "test", ...options }));
const results = (outcomes: readonly BulkOutcome[]): string[] =>
  [...outcomes].sort((a, b) => a.row - b.row).map(({ result, error }) => (error ? error.code : result));
const members = async ({ host, courses }: OfferingSite, id = 1): Promise<string[]> =>
  (await courses.inCourse(id, await host.peers.get(HOME))).map(({ account }) => account.username).sort();
const changes = ({ calls }: OfferingSite): string[] => calls.filter((call) => /^(?:un)?enrol_user$/.test(call));

describe("bulk", () => {
  it("SEC-036 enrols and unenrols, each row once, and says what became of it", async () => {
    const { offering } = await setUp({ offering: 2, courses: [course(1, { idnumber: "ID-1" }), course(2)] });
    const [first, second] = offering;
    const outcomes = await run([
      row("ada", "1"),
      row("eve", "C1"),
      row("bob", "ID-1"),
      row("ada", "C2", { lms: 1 }),
      row("ada", "1"),
      row("eve", "1", { action: "unenrol" }),
      row("zoe", "1", { action: "unenrol" }),
    ]);
    expect(results(outcomes)).toEqual(["done", "done", "done", "done", "no-change", "done", "no-change"]);
    expect(await members(first!)).toEqual(["ada", "bob"]);
    expect(await members(second!, 2)).toEqual(["ada"]);
    expect(changes(first!)).toHaveLength(4);
    expect(outcomes.find(({ row: number }) => number === 4)).toEqual({
      row: 4,
      action: "enrol",
      username: "ada",
      peer: offeringWwwroot(1),
      courseId: 2,
      result: "done",
      resumed: false,
    });
  });

  it("a row's failure is an outcome, and the others go on", async () => {
    const { home, offering } = await setUp({
      courses: [course(1), course(2, { shortname: "same" }), course(3, { shortname: "same" })],
    });
    await home.peers.set(await home.peers.get(offeringWwwroot(0)), { timeoutMs: 5000 });
    const outcomes = await run([
      row("ada"),
      row("ada", "nowhere"),
      row("ada", ""),
      row("ada", "same"),
      row("Ada Lovelace"),
      row(""),
      { ...row("ada"), person: { ...person("ada"), email: "" } },
      { ...row("ada"), course: { peer: "https://nobody.example", course: "1" } },
      { ...row("ada"), course: { peer: "not a site", course: "1" } },
      row("' or 1=1", "<script>"),
      row("eve"),
    ]);
    expect(results(outcomes)).toEqual([
      "done",
      "MNET_ENROLMENT_COURSE_UNKNOWN",
      "MNET_ENROLMENT_COURSE_UNKNOWN",
      "MNET_ENROLMENT_COURSE_UNKNOWN",
      "MNET_ENROLMENT_PERSON_UNSUITABLE",
      "MNET_ENROLMENT_PERSON_UNSUITABLE",
      "MNET_ENROLMENT_PERSON_UNSUITABLE",
      "MNET_PEER_UNKNOWN",
      "MNET_PEER_UNKNOWN",
      "MNET_ENROLMENT_COURSE_UNKNOWN",
      "done",
    ]);
    expect(await members(offering[0]!)).toEqual(["ada", "eve"]);
  });

  it("MNET-127 who is in by other means is neither enrolled nor unenrolled", async () => {
    const { offering } = await setUp();
    const [lms] = offering;
    const ada = await lms!.accounts.createRemote(await lms!.host.peers.get(HOME), "ada", person("ada"));
    lms!.courses.enrolBy("manual", ada, 1, STUDENT);
    expect(results(await run([row("ada"), row("ada", 1, { action: "unenrol" })]))).toEqual(["no-change", "no-change"]);
    expect(changes(lms!)).toEqual([]);
  });

  it("rows of one person are done in their order, whatever the concurrency", async () => {
    const { offering } = await setUp();
    const rows = ["enrol", "unenrol", "enrol", "unenrol", "enrol"].flatMap((action) =>
      ["ada", "bob", "eve"].map((name) => row(name, 1, { action: action as "enrol" })),
    );
    expect(new Set(results(await run(rows, { concurrency: 8 })))).toEqual(new Set(["done"]));
    expect(await members(offering[0]!)).toEqual(["ada", "bob", "eve"]);
    expect(changes(offering[0]!)).toHaveLength(15);
  });

  it("calls at most so many at once, per peer", async () => {
    const { network, home } = await setUp({ offering: 0 });
    let now = 0;
    let most = 0;
    const served = answering({
      available_courses: [{ remoteid: "1", fullname: "x" }],
      course_enrolments: [],
      enrol_user: true,
    });
    const odd = await network.host("https://odd.example", {
      store: await keyedStore("https://odd.example", 3),
      services: [served],
    });
    await network.connect(home, odd, { mnet_enrol: "subscribe" });
    const handle = odd.handle.bind(odd);
    // What the network gives to the host passes by here.
    odd.handle = async (request) => {
      now += 1;
      most = Math.max(most, now);
      const response = await handle(request);
      now -= 1;
      return response;
    };
    const to = { peer: odd.wwwroot as string, course: "1" };
    const outcomes = await run(
      Array.from({ length: 30 }, (_, index) => ({ ...row(`u${index}`), course: to })),
      { concurrency: 3 },
    );
    expect(new Set(results(outcomes))).toEqual(new Set(["done"]));
    expect(most).toBe(3);
  });

  it("a peer that fails in the middle fails its rows only; the next run tries them again", async () => {
    const { network, offering } = await setUp({ offering: 2 });
    const rows = Array.from({ length: 20 }, (_, index) => row(`u${index}`, 1, { lms: index % 2 }));
    const first: BulkOutcome[] = [];
    for await (const outcome of open!.home.enrolment.bulk(rows, { key: "test", concurrency: 1 })) {
      first.push(outcome);
      if (first.filter(({ peer }) => peer === offeringWwwroot(1)).length === 3) {
        network.fail(offering[1]!.host.wwwroot, "unreachable");
      }
    }
    expect(first).toHaveLength(20);
    const failed = first.filter(({ result }) => result === "failed");
    expect(failed.length).toBeGreaterThan(3);
    for (const { peer, error } of failed) {
      expect(peer).toBe(offeringWwwroot(1));
      expect(error).toMatchObject({ retryable: true });
      expect(["MNET_TRANSPORT_UNREACHABLE", "MNET_TRANSPORT_CIRCUIT_OPEN"]).toContain(error?.code);
    }
    expect(await members(offering[0]!)).toHaveLength(10);

    network.heal(offering[1]!.host.wwwroot);
    await network.clock.advance(600_000);
    const again = await run(rows);
    expect(results(again)).toEqual(Array.from({ length: 20 }, () => "done"));
    expect(again.filter(({ resumed }) => !resumed)).toHaveLength(failed.length);
    expect(await members(offering[1]!)).toHaveLength(10);
  });

  it("SEC-067 a course that disappears, a quota that is used up: told by the peer's fault, row by row", async () => {
    const { offering, home } = await setUp();
    const [lms] = offering;
    await lms!.host.peers.set(await lms!.host.peers.get(HOME), { maxEnrolments: 2 });
    const seen: BulkOutcome[] = [];
    const rows = [row("a"), row("b"), row("c"), ...["d", "e", "f"].map((name) => row(name, 2))];
    for await (const outcome of home.enrolment.bulk(rows, { key: "test", concurrency: 1 })) {
      seen.push(outcome);
      if (seen.length === 3) lms!.courses.remove(2);
    }
    expect(results(seen)).toEqual([
      "done",
      "done",
      "MNET_REMOTE_FAULT",
      // Known by its list until the peer says otherwise; then its list says it, too.
      "MNET_REMOTE_FAULT",
      "MNET_ENROLMENT_COURSE_UNKNOWN",
      "MNET_ENROLMENT_COURSE_UNKNOWN",
    ]);
    expect(seen.flatMap(({ error }) => error?.faultCode ?? [])).toEqual([5019, 5012]);
    expect(changes(lms!)).toHaveLength(4);
  });

  it("a site that does not tell who is in a course is sent every row", async () => {
    const { network, home } = await setUp({ offering: 0 });
    const odd = await network.host("https://odd.example", {
      store: await keyedStore("https://odd.example", 3),
      services: [
        answering({
          available_courses: { 7: { remoteid: "7", fullname: "x" } },
          course_enrolments: "no course",
          enrol_user: true,
        }),
      ],
    });
    await network.connect(home, odd, { mnet_enrol: "subscribe" });
    const to = { peer: odd.wwwroot as string, course: "7" };
    const outcomes = await run([
      { ...row("ada"), course: to },
      { ...row("ada"), course: to },
    ]);
    expect(results(outcomes)).toEqual(["done", "done"]);
  });

  it("users who are unknown here are no rows for anybody", async () => {
    const { offering } = await setUp({ home: { accounts: listedAccounts(["ada"]) } });
    expect(results(await run([row("ada"), row("eve"), row("ADA")]))).toEqual([
      "done",
      "MNET_ENROLMENT_PERSON_UNSUITABLE",
      "MNET_ENROLMENT_PERSON_UNSUITABLE",
    ]);
    expect(await members(offering[0]!)).toEqual(["ada"]);
  });
});

describe("a dry run", () => {
  it("says what would change, and changes nothing, not even its journal", async () => {
    const { offering, store, home } = await setUp();
    const [lms] = offering;
    await run([row("ada")], { key: "before" });
    const rows = [
      row("ada"),
      row("eve"),
      row("eve"),
      row("ada", 1, { action: "unenrol" }),
      row("ada"),
      row("bob", "nowhere"),
    ];
    const dry = await run(rows, { key: "dry", dryRun: true });
    expect(results(dry)).toEqual(["no-change", "done", "no-change", "done", "done", "MNET_ENROLMENT_COURSE_UNKNOWN"]);
    expect(changes(lms!)).toEqual(["enrol_user"]);
    expect(await store.runs.outcomes("dry", 0, 10)).toEqual([]);
    expect((await home.enrolment.enrolmentsOf({ peer: await home.peers.get(offeringWwwroot(0)), id: 1 })).length).toBe(
      1,
    );
    // What it said comes true.
    expect(results(await run(rows, { key: "wet" }))).toEqual(results(dry));
  });
});

describe("a run that is started again", () => {
  const rows = Array.from({ length: 12 }, (_, index) => row(`u${index}`));

  it("goes on where it stopped, and shows what was done before", async () => {
    const { offering } = await setUp();
    const first: BulkOutcome[] = [];
    for await (const outcome of open!.home.enrolment.bulk(rows, { key: "test", concurrency: 2 })) {
      first.push(outcome);
      if (first.length === 5) break;
    }
    const sent = changes(offering[0]!).length;
    expect(sent).toBeGreaterThanOrEqual(5);
    // Who stops taking stops the calls: no more than were in flight.
    expect(sent).toBeLessThanOrEqual(7);
    const second = await run(rows);
    expect(results(second)).toEqual(rows.map(() => "done"));
    expect(second.filter(({ resumed }) => resumed)).toHaveLength(sent);
    expect(changes(offering[0]!)).toHaveLength(12);
    const third = await run(rows);
    expect(third.map(({ row: number }) => number)).toEqual(rows.map((_, index) => index + 1));
    expect(third.every(({ resumed }) => resumed)).toBe(true);
    expect(changes(offering[0]!)).toHaveLength(12);
  });

  it("with more rows than before does those", async () => {
    const { offering } = await setUp();
    await run(rows.slice(0, 4));
    const outcomes = await run(rows);
    expect(outcomes.filter(({ resumed }) => !resumed).map(({ row: number }) => number)).toEqual([
      5, 6, 7, 8, 9, 10, 11, 12,
    ]);
    expect(changes(offering[0]!)).toHaveLength(12);
  });

  it.each([
    ["another row", () => rows.with(2, row("other")), 3],
    ["another course", () => rows.with(0, row("u0", 2)), 1],
    ["other details of somebody", () => rows.with(3, { ...rows[3]!, person: { ...person("u3"), city: "x" } }), 4],
    ["fewer rows", () => rows.slice(0, 3), 4],
    ["none", () => [], 1],
  ])("with %s is refused before anything is sent", async (_, others, number) => {
    const { offering } = await setUp();
    await run(rows.slice(0, 6));
    const error = await errorOf(() => run(others()));
    expect([error.code, (error as { row?: number }).row]).toEqual(["MNET_ENROLMENT_RUN_CHANGED", number]);
    expect(changes(offering[0]!)).toHaveLength(6);
    expect(results(await run(rows))).toHaveLength(12);
  });

  it("by two at once is one run; the other is told so", async () => {
    await setUp();
    const running = open!.home.enrolment.bulk(rows, { key: "test", concurrency: 1 })[Symbol.asyncIterator]();
    await running.next();
    const error = await errorOf(() => run(rows));
    expect([error.code, error.retryable]).toEqual(["MNET_ENROLMENT_RUN_ACTIVE", true]);
    // Its claim is kept for as long as it lives, however slowly it is taken.
    await open!.network.clock.advance(60_000);
    expect(await codeOf(() => run(rows))).toBe("MNET_ENROLMENT_RUN_ACTIVE");
    await running.return?.();
    expect(results(await run(rows))).toHaveLength(12);
  });

  it("after one that was killed waits for the end of its claim, and a run that lost its claim stops", async () => {
    const { store, network, offering } = await setUp();
    const now = (): number => network.clock.now();
    expect(await store.runs.acquire("test", "killed", now() + 10_000, now())).toBe(true);
    expect(await codeOf(() => run(rows))).toBe("MNET_ENROLMENT_RUN_ACTIVE");
    await network.clock.advance(10_000);
    const running = open!.home.enrolment.bulk(rows, { key: "test", concurrency: 1 })[Symbol.asyncIterator]();
    await running.next();
    // As after a sleep of this process: its lease ran out, and somebody else began.
    await store.runs.release("test", "nobody");
    await store.runs.forget("test");
    expect(await store.runs.acquire("test", "other", now() + 60_000, now())).toBe(true);
    await network.clock.advance(3000);
    const before = changes(offering[0]!).length;
    expect(
      await codeOf(async () => {
        for (let next = await running.next(); next.done !== true; next = await running.next());
      }),
    ).toBe("MNET_ENROLMENT_RUN_ACTIVE");
    expect(changes(offering[0]!).length).toBeLessThanOrEqual(before + 1);
  });

  it("after an abort, too: what was in flight is in the journal", async () => {
    const { offering } = await setUp();
    const stop = new AbortController();
    const reason = new Error("enough");
    await expect(
      (async () => {
        for await (const { row: number } of open!.home.enrolment.bulk(rows, {
          key: "test",
          signal: stop.signal,
          concurrency: 2,
        })) {
          if (number >= 3) stop.abort(reason);
        }
      })(),
    ).rejects.toBe(reason);
    const sent = changes(offering[0]!).length;
    expect(sent).toBeLessThan(12);
    const outcomes = await run(rows);
    expect(outcomes.filter(({ resumed }) => resumed)).toHaveLength(sent);
    expect(await members(offering[0]!)).toHaveLength(12);
  });

  it("of an input that fails ends as the input does, with its claim given back", async () => {
    const broken = new Error("The file is gone.");
    const { home } = await setUp();
    async function* input(): AsyncGenerator<BulkRow> {
      yield rows[0]!;
      throw broken;
    }
    await expect(collect(home.enrolment.bulk(input(), { key: "test" }))).rejects.toBe(broken);
    expect(results(await run(rows))).toHaveLength(12);
  });

  it("on a host that closes stops, and is no failure of a row", async () => {
    const { home } = await setUp();
    const running = home.enrolment.bulk(rows, { key: "test", concurrency: 1 })[Symbol.asyncIterator]();
    await running.next();
    await home.close();
    expect(
      await codeOf(async () => {
        for (let next = await running.next(); next.done !== true; next = await running.next());
      }),
    ).toBe("MNET_HOST_CLOSED");
  });
});

describe("reconcile", () => {
  it("makes those whom MNet enrolled equal to a group, and is a preview with dryRun", async () => {
    const { home, offering } = await setUp();
    const [lms] = offering;
    const to = { peer: await home.peers.get(offeringWwwroot(0)), id: 1 };
    await run(["ada", "bob", "eve"].map((name) => row(name)));
    const atLms = await lms!.host.peers.get(HOME);
    const tutor = await lms!.accounts.createRemote(atLms, "tutor", person("tutor"));
    lms!.courses.enrolBy("manual", tutor, 1, STUDENT);

    const group = ["bob", "zoe", "tutor", "Not Suitable"].map(person);
    const reconciled = (dryRun: boolean) => collect(home.enrolment.reconcile(to, group, { key: "group", dryRun }));
    const shown = (outcomes: readonly BulkOutcome[]) =>
      [...outcomes]
        .sort((a, b) => a.row - b.row)
        .map(({ action, username, result }) => [action, username, result].join(" "));
    const expected = [
      "enrol bob no-change",
      "enrol zoe done",
      "enrol tutor no-change",
      "enrol Not Suitable failed",
      "unenrol ada done",
      "unenrol eve done",
    ];
    expect(shown(await reconciled(true))).toEqual(expected);
    expect(await members(lms!)).toEqual(["ada", "bob", "eve", "tutor"]);
    expect(shown(await reconciled(false))).toEqual(expected);
    expect(await members(lms!)).toEqual(["bob", "tutor", "zoe"]);
    expect(shown(await reconciled(false))).toEqual(
      expected.slice(0, 4).map((line) => line.replace("done", "no-change")),
    );
  });

  it("takes out who is unknown here by now, by the name that travels", async () => {
    const usernames = { toPeer: (name: string) => `x-${name}`, fromPeer: (name: string) => name.slice(2) };
    const accounts = listedAccounts(["ada", "gone"], { usernames });
    const { home, offering } = await setUp({ home: { accounts } });
    const to = { peer: await home.peers.get(offeringWwwroot(0)), id: 1 };
    await run([row("ada"), row("gone")]);
    (accounts.all as unknown as unknown[]).pop();
    const outcomes = await collect(home.enrolment.reconcile(to, [person("ada")], { key: "group" }));
    expect(outcomes.map(({ action, username, result }) => [action, username, result])).toEqual([
      ["enrol", "ada", "no-change"],
      ["unenrol", "gone", "done"],
    ]);
    expect(await members(offering[0]!)).toEqual(["x-ada"]);
  });

  it("unenrols nobody when the list of people does not come to its end", async () => {
    const { home, offering } = await setUp();
    const to = { peer: await home.peers.get(offeringWwwroot(0)), id: 1 };
    await run([row("ada"), row("bob")]);
    const broken = new Error("The directory is away.");
    async function* people() {
      yield person("zoe");
      throw broken;
    }
    await expect(collect(home.enrolment.reconcile(to, people(), { key: "group" }))).rejects.toBe(broken);
    expect(await members(offering[0]!)).toEqual(expect.arrayContaining(["ada", "bob"]));
    expect(await codeOf(() => collect(home.enrolment.reconcile({ ...to, id: 9 }, [], { key: "group" })))).toBe(
      "MNET_ENROLMENT_COURSE_UNKNOWN",
    );
  });
});

it.each([
  { key: "" },
  { key: "x".repeat(256) },
  {},
  { key: "x", concurrency: 0 },
  { key: "x", concurency: 1 },
  { key: "x", dryRun: 1 },
])("the options %j are refused at once", async (options) => {
  const { home } = await setUp({ offering: 0 });
  const start = (): unknown => home.enrolment.bulk([], options as unknown as BulkOptions);
  expect(await codeOf(start)).toBe("MNET_CONFIG_INVALID");
});

it("SEC-036 any rows, stopped and started again anywhere, end as one run without stops does", async () => {
  const { home, offering, network } = await setUp({ offering: 2 });
  const anyRow = fc.record({
    action: fc.constantFrom("enrol" as const, "unenrol" as const),
    name: fc.constantFrom("ada", "bob", "eve"),
    id: fc.constantFrom(1, 2),
    lms: fc.constantFrom(0, 1),
  });
  let turn = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyRow, { minLength: 1, maxLength: 15 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 4 }),
      async (given, stops, concurrency) => {
        for (const { courses } of offering) {
          for (const id of [1, 2]) {
            courses.remove(id);
            courses.put(course(id));
          }
        }
        // What the last turn left in the cache is older than this run.
        await network.clock.advance(1000);
        const key = `turn ${(turn += 1)}`;
        const rows = given.map(({ action, name, id, lms }) => row(name, id, { action, lms }));
        for (const stop of stops) {
          let taken = 0;
          for await (const { resumed } of home.enrolment.bulk(rows, { key, concurrency })) {
            if (!resumed) taken += 1;
            if (taken >= stop) break;
          }
        }
        const outcomes = await collect(home.enrolment.bulk(rows, { key, concurrency }));
        // A model: sets, changed row by row.
        const inside = new Set<string>();
        const expected = given.map(({ action, name, id, lms }) => {
          const where = `${name} ${id} ${lms}`;
          if (inside.has(where) === (action === "enrol")) return "no-change";
          if (action === "enrol") inside.add(where);
          else inside.delete(where);
          return "done";
        });
        expect(results(outcomes)).toEqual(expected);
        for (const [lms, site] of offering.entries()) {
          for (const id of [1, 2]) {
            const names = [...inside]
              .filter((where) => where.endsWith(` ${id} ${lms}`))
              .map((where) => where.split(" ")[0]);
            expect(await members(site, id)).toEqual(names.sort());
          }
        }
      },
    ),
    { numRuns: 40 },
  );
});
