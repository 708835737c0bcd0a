import { createHash } from "node:crypto";
import { MnetError, PeerError } from "../../core/errors.ts";
import type { Exchange } from "../../core/exchange.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import { callEnrol, callUnenrol, type Change } from "./calls.ts";
import { KnownCourses, type Belief } from "./known-courses.ts";
import { Patience } from "./patience.ts";
import type { People } from "./people.ts";
import type { RemoteCourses } from "./remote-courses.ts";
import type { BulkOptions, BulkOutcome, BulkRow } from "./remote-enrolment.ts";
import { isOfOneRow, toldOf } from "./row-failure.ts";
import { inLanes, type Task } from "./row-scheduler.ts";
import type { RunClaim } from "./run-claim.ts";
import type { RunJournal } from "./run-journal.ts";

/** What all runs of a host work with. */
export interface BulkParts {
  readonly site: Site;
  readonly remote: RemoteCourses;
  readonly people: People;
}

/** A row and its number, from 1. */
export interface NumberedRow {
  readonly row: number;
  readonly given: BulkRow;
}

const DEFAULT_CONCURRENCY = 4;
/** Rows of unknown peers have a lane of their own. */
const NO_PEER = 0;
/** "Not found" and "not available" (spec 10.3). */
const COURSE_GONE = new Set([5012, 5013]);

/** One run over rows: in lanes, one for each peer, with what is known of the peers' courses. */
export class BulkRun {
  readonly known: KnownCourses;
  readonly #parts: BulkParts;
  readonly #options: BulkOptions;
  readonly #claim: RunClaim | undefined;
  readonly #journal: RunJournal | undefined;
  readonly #patience: Patience;

  /** A run that changes nothing needs neither claim nor journal. */
  constructor(
    parts: BulkParts,
    options: BulkOptions,
    belief: Belief,
    { claim, journal }: { readonly claim?: RunClaim; readonly journal?: RunJournal } = {},
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#claim = claim;
    this.#journal = journal;
    this.#patience = new Patience(parts.site.clock);
    this.known = new KnownCourses(parts.site, parts.remote, belief);
  }

  /** Outcomes in the order of completion. In a run with a journal each is in it before it is seen. */
  outcomes(rows: AsyncIterator<NumberedRow>): AsyncGenerator<BulkOutcome> {
    const { concurrency: places = DEFAULT_CONCURRENCY, signal } = this.#options;
    return inLanes(this.#tasks(rows), { places, signal, stopping: () => this.#patience.end() });
  }

  /** A row that an earlier process of this run has worked off. */
  async resume({ given }: NumberedRow, { result, courseId }: BulkOutcome): Promise<void> {
    if (result !== "done" || courseId === undefined) return;
    const peer = await this.known.peer(given.course);
    if (!peer) return;
    const username = this.#parts.people.nameOf(given.person, peer);
    this.known.doneEarlier({ peer, courseId, username }, given.action);
  }

  async *#tasks(rows: AsyncIterator<NumberedRow>): AsyncGenerator<Task<BulkOutcome>> {
    try {
      for (let next = await rows.next(); next.done !== true; next = await rows.next()) {
        const numbered = next.value;
        const peer = await this.known.peer(numbered.given.course);
        yield {
          lane: peer?.id ?? NO_PEER,
          person: numbered.given.person.username,
          run: () => this.#workOff(numbered, peer),
        };
      }
    } finally {
      await rows.return?.();
    }
  }

  async #workOff(numbered: NumberedRow, peer: Peer | undefined): Promise<BulkOutcome> {
    const { row, given } = numbered;
    const { action, person } = given;
    const { change, ...result } = await this.#attempt(given, peer);
    const outcome: BulkOutcome = {
      row,
      action,
      username: person.username,
      ...(peer && { peer: peer.wwwroot }),
      ...(change && { courseId: change.courseId }),
      ...result,
      resumed: false,
    };
    // First the journal, then the cache: what a killed process left out of the cache, the journal knows.
    await this.#journal?.record({ row, digest: digestOf(given), outcome: JSON.stringify(outcome) });
    if (change && outcome.result === "done") await this.#remember(change, action);
    return outcome;
  }

  /** Tries until it is done, or fails for a reason that does not pass soon. */
  async #attempt(
    given: BulkRow,
    peer: Peer | undefined,
  ): Promise<Pick<BulkOutcome, "result" | "error"> & { readonly change?: Change | undefined }> {
    for (;;) {
      await this.#claim?.check();
      let change: Change | undefined;
      try {
        const isChange = await this.#parts.site.run(async (exchange) => {
          if (!peer) throw unknownPeer(given);
          const courseId = await this.known.courseId(given.course, peer, exchange);
          change = { peer, courseId, username: this.#parts.people.nameOf(given.person, peer) };
          return this.#change(given, change, exchange);
        });
        if (peer) this.#patience.answered(peer.id);
        return { change, result: isChange ? "done" : "no-change" };
      } catch (error) {
        if (!isOfOneRow(error)) throw error;
        if (peer && error.retryable && (await this.#patience.pause(peer.id, error))) continue;
        if (peer && error.code === "MNET_REMOTE_FAULT") this.#patience.answered(peer.id);
        return { change, result: "failed", error: toldOf(error) };
      }
    }
  }

  /** Resolves with `false` if it is so already. */
  async #change({ action, person }: BulkRow, change: Change, exchange: Exchange): Promise<boolean> {
    const { site, people } = this.#parts;
    // Whoever cannot be enrolled is a mistake in the row, whether she is there or not.
    const columns = action === "enrol" ? await people.columnsOf(person, change.peer) : undefined;
    const methods = await this.known.methodsOf(change, exchange);
    // Who is in a course by other means need not be enrolled, and cannot be unenrolled (spec 10.4).
    if (methods && (columns ? methods.size > 0 : !methods.has("mnet"))) return false;
    if (this.#options.dryRun === true) return true;
    try {
      await (columns ? callEnrol(site, change, columns, exchange) : callUnenrol(site, change, exchange));
    } catch (error) {
      if (MnetError.is(error) && error.code === "MNET_REMOTE_FAULT" && COURSE_GONE.has(error.faultCode)) {
        this.known.gone(change);
      }
      throw error;
    }
    return true;
  }

  async #remember(change: Change, action: BulkRow["action"]): Promise<void> {
    await this.known.done(change, action);
    if (this.#options.dryRun === true) return;
    const { site, remote } = this.#parts;
    const { peer, courseId, username } = change;
    await site.withStore(() =>
      action === "enrol" ? remote.added(peer.id, courseId, username) : remote.removed(peer.id, courseId, username),
    );
  }
}

/** Of what a row says, so that it is noticed when a run is started again with other rows. */
export function digestOf({ action, person, course }: BulkRow): string {
  const where = "id" in course ? [course.peer.id, course.id] : [course.peer, course.course];
  const who = Object.entries(person).filter(([, value]) => value !== undefined);
  const content = JSON.stringify([action, where, who.sort(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash("sha256").update(content).digest("base64url");
}

function unknownPeer({ course: { peer } }: BulkRow): PeerError {
  const named = typeof peer === "string" ? JSON.stringify(peer.slice(0, 255)) : `number ${peer.id}`;
  return new PeerError("MNET_PEER_UNKNOWN", `There is no peer ${named}.`);
}
