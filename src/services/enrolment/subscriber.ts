import * as v from "valibot";
import { ConfigError, EnrolmentError, PeerError } from "../../core/errors.ts";
import type { Exchange } from "../../core/exchange.ts";
import type { Peer, PeerRef } from "../../core/peer-snapshot.ts";
import type { CallOptions } from "../../host/host.ts";
import type { Site } from "../../host/site.ts";
import type { Account, Accounts } from "../../plug-ins/account.ts";
import type { Enrolments } from "../../plug-ins/course.ts";
import { BulkRun, digestOf, type BulkParts, type NumberedRow } from "./bulk-run.ts";
import { callEnrol, callUnenrol } from "./calls.ts";
import { myCourses } from "./my-courses.ts";
import type { Belief } from "./known-courses.ts";
import { People } from "./people.ts";
import { RemoteCourses } from "./remote-courses.ts";
import type {
  BulkOptions,
  BulkOutcome,
  BulkRow,
  CacheOptions,
  MyCourse,
  Person,
  RemoteCourse,
  RemoteCourseRef,
  RemoteEnrolment,
  RemoteEnrolmentEntry,
} from "./remote-enrolment.ts";
import { RunClaim } from "./run-claim.ts";
import { RunJournal } from "./run-journal.ts";

/** What `host.enrolment` works with. */
export interface SubscriberOptions {
  readonly accounts?: Accounts | undefined;
  readonly enrolments?: Enrolments | undefined;
  /** Ages at which the caches are fetched again, in milliseconds. */
  readonly ages: { readonly courses: number; readonly enrolments: number };
}

type Many<T> = Iterable<T> | AsyncIterable<T>;

/** `host.enrolment`. */
export class Subscriber implements RemoteEnrolment {
  readonly #site: Site;
  readonly #options: SubscriberOptions;
  readonly #parts: BulkParts;

  constructor(site: Site, options: SubscriberOptions) {
    this.#site = site;
    this.#options = options;
    this.#parts = {
      site,
      remote: new RemoteCourses(site, options.accounts),
      people: new People(site, options.accounts),
    };
  }

  async coursesOf(ref: PeerRef, options: CacheOptions = {}): Promise<readonly RemoteCourse[]> {
    const maxAgeMs = ageOf(options, this.#options.ages.courses);
    return this.#site.run(async (exchange) => {
      const peer = await this.#peer(ref, maxAgeMs);
      return this.#parts.remote.list(peer, maxAgeMs, exchange);
    }, options.signal);
  }

  async enrolmentsOf(
    { peer: ref, id }: RemoteCourseRef,
    options: CacheOptions = {},
  ): Promise<readonly RemoteEnrolmentEntry[]> {
    const maxAgeMs = ageOf(options, this.#options.ages.enrolments);
    return this.#site.run(async (exchange) => {
      const peer = await this.#peer(ref, maxAgeMs);
      await this.#parts.remote.require(
        peer,
        id,
        maxAgeMs === Infinity ? Infinity : this.#options.ages.courses,
        exchange,
      );
      return this.#parts.remote.enrolments(peer, id, maxAgeMs, exchange);
    }, options.signal);
  }

  async enrol(person: Person, course: RemoteCourseRef, options: CallOptions = {}): Promise<void> {
    const { remote, people } = this.#parts;
    await this.#site.run(async (exchange) => {
      const peer = await this.#peerOffering(course, exchange);
      const columns = await people.columnsOf(person, peer);
      const username = people.nameOf(person, peer);
      await callEnrol(this.#site, { peer, courseId: course.id, username }, columns, exchange);
      await remote.added(peer.id, course.id, username);
    }, options.signal);
  }

  async unenrol(person: Person, course: RemoteCourseRef, options: CallOptions = {}): Promise<void> {
    const { remote, people } = this.#parts;
    await this.#site.run(async (exchange) => {
      const peer = await this.#peerOffering(course, exchange);
      const username = people.nameOf(person, peer);
      await callUnenrol(this.#site, { peer, courseId: course.id, username }, exchange);
      await remote.removed(peer.id, course.id, username);
    }, options.signal);
  }

  bulk(rows: Many<BulkRow>, options: BulkOptions): AsyncIterable<BulkOutcome> {
    checkBulkOptions(options);
    return options.dryRun === true ? this.#preview(rows, options) : this.#bulk(rows, options);
  }

  reconcile(course: RemoteCourseRef, people: Many<Person>, options: BulkOptions): AsyncIterable<BulkOutcome> {
    checkBulkOptions(options);
    return this.#reconcile(course, people, options);
  }

  async coursesFor(account: Account): Promise<readonly MyCourse[]> {
    return this.#site.withStore(() => myCourses(this.#site, this.#options, account));
  }

  async *#preview(rows: Many<BulkRow>, options: BulkOptions): AsyncGenerator<BulkOutcome> {
    yield* new BulkRun(this.#parts, options, this.#belief(this.#site.clock.now())).outcomes(numbered(rows));
  }

  async *#bulk(rows: Many<BulkRow>, options: BulkOptions): AsyncGenerator<BulkOutcome> {
    const claim = await RunClaim.on(this.#site, options.key);
    const input = numbered(rows);
    try {
      const journal = new RunJournal(this.#site, options.key);
      const begunAt = await journal.begin();
      // Who is in the courses is asked when the run begins. When it goes on soon after, what it did itself is not news.
      const since = Math.max(begunAt, this.#site.clock.now() - this.#options.ages.enrolments);
      const run = new BulkRun(this.#parts, options, this.#belief(since), { claim, journal });
      const left: NumberedRow[] = [];
      for await (const { row, digest, outcome: json } of journal.entries()) {
        options.signal?.throwIfAborted();
        const given = await this.#skipTo(row, input, left);
        if (!given || digestOf(given.given) !== digest) throw changedRun(options.key, row);
        const outcome = JSON.parse(json) as BulkOutcome;
        if (outcome.error?.retryable === true) {
          left.push(given);
        } else {
          await run.resume(given, outcome);
          yield { ...outcome, resumed: true };
        }
      }
      // Nothing was sent so far: rows that are others than before would have been noticed.
      yield* run.outcomes(chained(left, input));
    } finally {
      // An input that says nothing at the moment cannot be waited for.
      input.return(undefined).catch(() => undefined);
      await claim.end();
    }
  }

  async *#reconcile(course: RemoteCourseRef, people: Many<Person>, options: BulkOptions): AsyncGenerator<BulkOutcome> {
    const claim = options.dryRun === true ? undefined : await RunClaim.on(this.#site, options.key);
    try {
      const { peer, rows } = await this.#site.run(async (exchange) => {
        const offering = await this.#peerOffering(course, exchange);
        return { peer: offering, ...(await this.#parts.remote.members(offering, course.id, 0, exchange)) };
      }, options.signal);
      const enrolled = rows.filter(({ method }) => method === "mnet").map(({ username }) => username);
      // What was just fetched is what the differences are made of.
      const run = new BulkRun(this.#parts, options, this.#belief(-Infinity), claim && { claim });
      yield* run.outcomes(this.#differences({ peer, id: course.id }, enrolled, people));
    } finally {
      await claim?.end();
    }
  }

  /** Rows that enrol everybody who is wanted, and then unenrol everybody else. */
  async *#differences(
    course: RemoteCourseRef & { readonly peer: Peer },
    enrolled: readonly string[],
    people: Many<Person>,
  ): AsyncGenerator<NumberedRow> {
    const { usernames } = this.#options.accounts ?? {};
    const wanted = new Set<string>();
    let row = 0;
    for await (const person of people) {
      row += 1;
      // Who is wanted is not unenrolled, whatever else may be wrong with her row.
      wanted.add(usernames ? usernames.toPeer(person.username, course.peer) : person.username);
      yield { row, given: { action: "enrol", person, course } };
    }
    for (const wire of enrolled) {
      if (wanted.has(wire)) continue;
      row += 1;
      const username = usernames ? usernames.fromPeer(wire, course.peer) : wire;
      const person = { username, email: "", firstname: "", lastname: "" };
      yield { row, given: { action: "unenrol", person, course } };
    }
  }

  /** Rows before `row` have no outcome yet. */
  async #skipTo(
    row: number,
    input: AsyncGenerator<NumberedRow>,
    left: NumberedRow[],
  ): Promise<NumberedRow | undefined> {
    for (;;) {
      const next = await input.next();
      if (next.done === true) return undefined;
      if (next.value.row === row) return next.value;
      left.push(next.value);
    }
  }

  /** A peer of which nothing is asked need not be active. */
  async #peer(ref: PeerRef, maxAgeMs: number): Promise<Peer> {
    if (maxAgeMs !== Infinity) return this.#site.peer(ref);
    const peer = await this.#site.find(ref.id);
    if (!peer) throw new PeerError("MNET_PEER_UNKNOWN", `There is no peer number ${ref.id}.`);
    return peer;
  }

  /** The peer of a course that is on its list. */
  async #peerOffering({ peer: ref, id }: RemoteCourseRef, exchange: Exchange): Promise<Peer> {
    const peer = await this.#site.peer(ref);
    await this.#parts.remote.require(peer, id, this.#options.ages.courses, exchange);
    return peer;
  }

  #belief(membersSince: number): Belief {
    return { coursesMaxAgeMs: this.#options.ages.courses, membersSince };
  }
}

async function* numbered(rows: Many<BulkRow>): AsyncGenerator<NumberedRow> {
  let row = 0;
  for await (const given of rows) {
    row += 1;
    yield { row, given };
  }
}

async function* chained(first: readonly NumberedRow[], rest: AsyncGenerator<NumberedRow>): AsyncGenerator<NumberedRow> {
  yield* first;
  yield* rest;
}

const changedRun = (key: string, row: number): EnrolmentError =>
  new EnrolmentError(
    "MNET_ENROLMENT_RUN_CHANGED",
    `Row ${row} is not the one that the run ${JSON.stringify(key)} had before; give other rows another key.`,
    { row },
  );

function ageOf({ maxAgeMs }: CacheOptions, byDefault: number): number {
  if (maxAgeMs === undefined) return byDefault;
  if (typeof maxAgeMs === "number" && maxAgeMs >= 0) return maxAgeMs;
  throw new ConfigError("MNET_CONFIG_INVALID", "maxAgeMs must be a number of milliseconds from 0.", {
    option: "maxAgeMs",
  });
}

const BULK_OPTIONS = v.strictObject({
  key: v.pipe(v.string(), v.minLength(1), v.maxLength(255)),
  concurrency: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100))),
  dryRun: v.optional(v.boolean()),
  signal: v.optional(v.custom((input) => input instanceof AbortSignal, "Expected an AbortSignal")),
});

function checkBulkOptions(options: BulkOptions): void {
  const result = v.safeParse(BULK_OPTIONS, options, { abortEarly: true });
  if (result.success) return;
  const [issue] = result.issues;
  const option = v.getDotPath(issue) ?? "options";
  throw new ConfigError("MNET_CONFIG_INVALID", `${option} is not right: ${issue.message}.`, { option });
}
