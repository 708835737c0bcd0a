import type { Exchange } from "../../core/exchange.ts";
import type { PeerId, Wwwroot } from "../../core/ids.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import type { Change } from "./calls.ts";
import { coursesNamed } from "./courses-named.ts";
import { isOfOneRow } from "./row-failure.ts";
import { unknownCourse, type RemoteCourses } from "./remote-courses.ts";
import type { BulkRow, RemoteCourse } from "./remote-enrolment.ts";

/** Who is in a course, by name as it travels, and by which methods. */
type Members = Map<string, Set<string>>;

/** What of the cache one run believes. */
export interface Belief {
  /** Lists of courses up to this age, in milliseconds. */
  readonly coursesMaxAgeMs: number;
  /** Who is in a course, if the peer told it then or later, in Unix milliseconds. */
  readonly membersSince: number;
}

interface CourseList {
  readonly courses: Promise<readonly RemoteCourse[]>;
  /** The peer was asked in this run. */
  readonly isOfThisRun: boolean;
}

/** What one run knows of peers, their courses and who is in them: everything is asked once, and then followed. */
export class KnownCourses {
  readonly #site: Site;
  readonly #remote: RemoteCourses;
  readonly #belief: Belief;
  readonly #startedAt: number;
  readonly #peers = new Map<string | PeerId, Promise<Peer | undefined>>();
  readonly #lists = new Map<PeerId, CourseList>();
  readonly #members = new Map<string, Promise<Members | undefined>>();
  /** What an earlier process of this run did, and may not have told the cache. */
  readonly #earlier = new Map<string, Map<string, "enrol" | "unenrol">>();
  readonly #gone = new Set<string>();

  constructor(site: Site, remote: RemoteCourses, belief: Belief) {
    this.#site = site;
    this.#remote = remote;
    this.#belief = belief;
    this.#startedAt = site.clock.now();
  }

  /** The peer that a row names, by wwwroot or id. */
  peer({ peer }: BulkRow["course"]): Promise<Peer | undefined> {
    const key = typeof peer === "string" ? (peer as Wwwroot) : peer.id;
    return remembered(this.#peers, key, () => this.#site.withStore(() => this.#site.find(key)));
  }

  /** Id of the course that a row names. Throws `MNET_ENROLMENT_COURSE_UNKNOWN`, and what asking the peer throws. */
  async courseId(course: BulkRow["course"], peer: Peer, exchange: Exchange): Promise<number> {
    const named = "id" in course ? String(course.id) : course.course;
    let list = this.#lists.get(peer.id) ?? this.#load(peer, this.#belief.coursesMaxAgeMs, exchange);
    let found = coursesNamed(await list.courses, named);
    if (found.length === 0 && !list.isOfThisRun) {
      // What is kept may be older than the course.
      const other = this.#lists.get(peer.id);
      list = other?.isOfThisRun === true ? other : this.#load(peer, 0, exchange);
      found = coursesNamed(await list.courses, named);
    }
    const [only, ...others] = found;
    if (only === undefined) throw unknownCourse(peer, named);
    if (others.length > 0) throw unknownCourse(peer, named, "offers us several courses called");
    return only.id;
  }

  /**
   * By which methods somebody is in a course. `undefined`: the peer does not tell; it does what is right with somebody who
   * is enrolled twice (SEC-036). Throws what asking the peer throws, if that may pass.
   */
  async methodsOf({ peer, courseId, username }: Change, exchange: Exchange): Promise<ReadonlySet<string> | undefined> {
    const key = keyOf(peer, courseId);
    const members = await remembered(this.#members, key, () => this.#membersOf(peer, courseId, exchange));
    return members && (members.get(username) ?? new Set());
  }

  /** Something was done at the peer. */
  async done({ peer, courseId, username }: Change, action: "enrol" | "unenrol"): Promise<void> {
    const members = await this.#members.get(keyOf(peer, courseId))?.catch(() => undefined);
    if (members) apply(members, username, action);
  }

  /** Something was done by an earlier process of this run. */
  doneEarlier({ peer, courseId, username }: Change, action: "enrol" | "unenrol"): void {
    const key = keyOf(peer, courseId);
    const course = this.#earlier.get(key) ?? new Map<string, "enrol" | "unenrol">();
    this.#earlier.set(key, course.set(username, action));
  }

  /** The peer says that the course is gone. Its list is asked for again, once for each such course. */
  gone({ peer, courseId }: Change): void {
    const key = keyOf(peer, courseId);
    if (this.#gone.has(key)) return;
    this.#gone.add(key);
    const list = this.#lists.get(peer.id);
    if (list) this.#lists.set(peer.id, { ...list, isOfThisRun: false, courses: withoutCourse(list.courses, courseId) });
  }

  async #membersOf(peer: Peer, courseId: number, exchange: Exchange): Promise<Members | undefined> {
    const members: Members = new Map();
    try {
      const maxAgeMs = this.#site.clock.now() - this.#belief.membersSince + 1;
      const { rows, fetchedAt } = await this.#remote.members(peer, courseId, maxAgeMs, exchange);
      for (const { username, method } of rows) {
        members.set(username, (members.get(username) ?? new Set()).add(method));
      }
      if ((fetchedAt ?? 0) < this.#startedAt) {
        for (const [username, action] of this.#earlier.get(keyOf(peer, courseId)) ?? []) {
          apply(members, username, action);
        }
      }
      return members;
    } catch (error) {
      if (isOfOneRow(error) && !error.retryable) return undefined;
      throw error;
    }
  }

  #load(peer: Peer, maxAgeMs: number, exchange: Exchange): CourseList {
    const list = { courses: this.#remote.list(peer, maxAgeMs, exchange), isOfThisRun: maxAgeMs === 0 };
    this.#lists.set(peer.id, list);
    // Whoever comes next tries again.
    list.courses.catch(() => this.#lists.get(peer.id) === list && this.#lists.delete(peer.id));
    return list;
  }
}

/** So that its name leads nowhere, and the peer is asked before the next row that names it fails. */
const withoutCourse = async (
  courses: Promise<readonly RemoteCourse[]>,
  courseId: number,
): Promise<readonly RemoteCourse[]> => (await courses).filter(({ id }) => id !== courseId);

function apply(members: Members, username: string, action: "enrol" | "unenrol"): void {
  const methods = members.get(username) ?? new Set();
  if (action === "enrol") methods.add("mnet");
  else methods.delete("mnet");
  if (methods.size === 0) members.delete(username);
  else members.set(username, methods);
}

const keyOf = ({ id }: Peer, courseId: number): string => `${id} ${courseId}`;

/** The promise of before, or a new one; one that rejects is forgotten, so that whoever comes next tries again. */
function remembered<K, V>(memory: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const known = memory.get(key);
  if (known) return known;
  const promise = make();
  memory.set(key, promise);
  promise.catch(() => memory.get(key) === promise && memory.delete(key));
  return promise;
}
