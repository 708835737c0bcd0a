import type { PeerId } from "../../core/ids.ts";
import type { CachedCourse, CachedEnrolment, RemoteCourseStore } from "../../service-stores/remote-course-store.ts";
import { compareText } from "../compare-text.ts";

/** What is known of one peer. */
class PeerCourses {
  fetchedAt: number | undefined;
  readonly courses = new Map<number, CachedCourse>();
  /** When the rows of a course were replaced. */
  readonly enrolmentsFetchedAt = new Map<number, number>();
  #rows: readonly CourseRow[] = [];

  get rows(): readonly CourseRow[] {
    return this.#rows;
  }

  /** Removes rows and adds others, of which the last with one course, username and method counts. */
  change(remove: (row: CourseRow) => boolean, add: readonly CourseRow[]): void {
    const added = new Map(add.map((row) => [JSON.stringify([row.course, row.username, row.method]), row]));
    this.#rows = [...this.#rows.filter((row) => !remove(row)), ...added.values()];
  }
}

interface CourseRow extends CachedEnrolment {
  readonly course: number;
}

/**
 * Courses of peers in memory. Every method runs without a pause, so each is one step. Bounded by how many peers there are,
 * and by how much one answer of a peer may hold.
 */
export function memoryRemoteCourseStore(): RemoteCourseStore {
  const peers = new Map<PeerId, PeerCourses>();

  function known(peer: PeerId): PeerCourses {
    const present = peers.get(peer) ?? new PeerCourses();
    peers.set(peer, present);
    return present;
  }

  return {
    async replaceCourses(peer, courses, now) {
      const own = known(peer);
      own.fetchedAt = now;
      own.courses.clear();
      for (const course of courses) own.courses.set(course.id, copyOf(course));
      for (const course of own.enrolmentsFetchedAt.keys()) {
        if (!own.courses.has(course)) own.enrolmentsFetchedAt.delete(course);
      }
      own.change(({ course }) => !own.courses.has(course), []);
    },
    async courses(peer) {
      const own = peers.get(peer);
      const courses = [...(own?.courses.values() ?? [])].map(copyOf);
      return { fetchedAt: own?.fetchedAt, courses: courses.sort((a, b) => a.id - b.id) };
    },
    async updateCourse(peer, { id, fields }) {
      const own = peers.get(peer);
      const course = own?.courses.get(id);
      if (!own || !course) return false;
      own.courses.set(id, { id, fields: { ...course.fields, ...fields } });
      return true;
    },
    async replaceEnrolments(peer, course, rows, now) {
      const own = known(peer);
      own.enrolmentsFetchedAt.set(course, now);
      own.change(
        (row) => row.course === course,
        rows.map((row) => ({ ...enrolmentOf(row), course })),
      );
    },
    async enrolments(peer, course) {
      const own = peers.get(peer);
      const rows = (own?.rows ?? []).filter((row) => row.course === course).map(enrolmentOf);
      return { fetchedAt: own?.enrolmentsFetchedAt.get(course), rows: rows.sort(byNameAndMethod) };
    },
    async addEnrolment(peer, course, row) {
      known(peer).change(isRow(course, row.username, row.method), [{ ...enrolmentOf(row), course }]);
    },
    async removeEnrolment(peer, course, username, method) {
      peers.get(peer)?.change(isRow(course, username, method), []);
    },
    async replaceUser(peer, username, rows) {
      known(peer).change(
        (row) => row.username === username,
        rows.map(({ course, ...row }) => ({ ...enrolmentOf({ ...row, username }), course })),
      );
    },
    async ofUser(peer, username) {
      const own = peers.get(peer);
      return (own?.rows ?? [])
        .filter((row) => row.username === username)
        .sort((a, b) => a.course - b.course || byNameAndMethod(a, b))
        .flatMap((row) => {
          const course = own?.courses.get(row.course);
          return course ? [{ course: copyOf(course), enrolment: enrolmentOf(row) }] : [];
        });
    },
    async forget(peer) {
      peers.delete(peer);
    },
  };
}

const copyOf = ({ id, fields }: CachedCourse): CachedCourse => ({ id, fields: { ...fields } });

function enrolmentOf({ username, roleName, method, changedAt }: CachedEnrolment): CachedEnrolment {
  return { username, roleName, method, ...(changedAt === undefined ? {} : { changedAt }) };
}

const byNameAndMethod = (a: CachedEnrolment, b: CachedEnrolment): number =>
  compareText(a.username, b.username) || compareText(a.method, b.method);

const isRow =
  (course: number, username: string, method: string) =>
  (row: CourseRow): boolean =>
    row.course === course && row.username === username && row.method === method;
