import type { Transaction } from "kysely";
import type { PeerId } from "../../core/ids.ts";
import type { CachedCourse, CachedEnrolment, RemoteCourseStore } from "../../service-stores/remote-course-store.ts";
import { chunksOf } from "./chunks.ts";
import { lockSite, transact, type SqlContext } from "./engine.ts";
import type { Schema } from "./schema.ts";
import { replacing } from "./upsert.ts";

/** Courses of peers in SQL. */
export function sqlRemoteCourseStore(context: SqlContext): RemoteCourseStore {
  const { db, tables, engine } = context;

  /** Changes what is known of a peer, while nobody else does. */
  async function change<T>(peer: PeerId, work: (trx: Transaction<Schema>) => Promise<T>): Promise<T> {
    return transact(context, db, async (trx) => {
      if (engine.rowLocks && !(await lockPeer(trx, peer))) {
        // A row that is not there cannot be locked.
        await lockSite(context, trx);
        if (!(await lockPeer(trx, peer))) await trx.insertInto(tables.remote_peer).values({ peer }).execute();
      }
      return work(trx);
    });
  }

  async function lockPeer(trx: Transaction<Schema>, peer: PeerId): Promise<boolean> {
    const row = trx.selectFrom(tables.remote_peer).select("peer").where("peer", "=", peer).forUpdate();
    return (await row.executeTakeFirst()) !== undefined;
  }

  /** One state of several tables. */
  async function snapshot<T>(read: (trx: Transaction<Schema>) => Promise<T>): Promise<T> {
    return db.transaction().setAccessMode("read only").setIsolationLevel("repeatable read").execute(read);
  }

  async function insertEnrolments(
    trx: Transaction<Schema>,
    peer: PeerId,
    rows: readonly (CachedEnrolment & { readonly course: number })[],
  ): Promise<void> {
    const byKey = new Map(rows.map((row) => [JSON.stringify([row.course, row.username, row.method]), row]));
    for (const chunk of chunksOf([...byKey.values()])) {
      await trx
        .insertInto(tables.remote_enrolment)
        .values(chunk.map((row) => enrolmentRow(peer, row)))
        .execute();
    }
  }

  const deleteEnrolments = (trx: Transaction<Schema>, peer: PeerId) =>
    trx.deleteFrom(tables.remote_enrolment).where("peer", "=", peer);

  return {
    async replaceCourses(peer, courses, now) {
      await change(peer, async (trx) => {
        await trx.deleteFrom(tables.remote_course).where("peer", "=", peer).execute();
        const byId = new Map(courses.map((course) => [course.id, course]));
        for (const chunk of chunksOf([...byId.values()])) {
          await trx
            .insertInto(tables.remote_course)
            .values(chunk.map(({ id, fields }) => ({ peer, course: id, fields: JSON.stringify(fields) })))
            .execute();
        }
        for (const table of [tables.remote_enrolment, tables.remote_roster]) {
          await trx
            .deleteFrom(table)
            .where("peer", "=", peer)
            .where((row) =>
              row.not(
                row.exists(
                  row
                    .selectFrom(tables.remote_course)
                    .select("course")
                    .where(`${tables.remote_course}.peer`, "=", peer)
                    .whereRef(`${tables.remote_course}.course`, "=", `${table}.course`),
                ),
              ),
            )
            .execute();
        }
        // Never taken away and put back: whoever waits for the row would then find none, and believe that there is none.
        const row = trx.insertInto(tables.remote_peer).values({ peer, fetched_at: now });
        await replacing(engine, row, ["peer"], ["fetched_at"]).execute();
      });
    },
    async courses(peer) {
      return snapshot(async (trx) => {
        const list = await trx
          .selectFrom(tables.remote_peer)
          .select("fetched_at")
          .where("peer", "=", peer)
          .executeTakeFirst();
        const rows = await trx
          .selectFrom(tables.remote_course)
          .select(["course", "fields"])
          .where("peer", "=", peer)
          .orderBy("course")
          .execute();
        return { fetchedAt: list?.fetched_at ?? undefined, courses: rows.map(toCourse) };
      });
    },
    async updateCourse(peer, { id, fields }) {
      return change(peer, async (trx) => {
        const row = await trx
          .selectFrom(tables.remote_course)
          .select("fields")
          .where("peer", "=", peer)
          .where("course", "=", id)
          .executeTakeFirst();
        if (!row) return false;
        const changed = { ...(JSON.parse(row.fields) as CachedCourse["fields"]), ...fields };
        await trx
          .updateTable(tables.remote_course)
          .set({ fields: JSON.stringify(changed) })
          .where("peer", "=", peer)
          .where("course", "=", id)
          .execute();
        return true;
      });
    },
    async replaceEnrolments(peer, course, rows, now) {
      await change(peer, async (trx) => {
        await deleteEnrolments(trx, peer).where("course", "=", course).execute();
        await insertEnrolments(
          trx,
          peer,
          rows.map((row) => ({ ...row, course })),
        );
        await trx.deleteFrom(tables.remote_roster).where("peer", "=", peer).where("course", "=", course).execute();
        await trx.insertInto(tables.remote_roster).values({ peer, course, fetched_at: now }).execute();
      });
    },
    async enrolments(peer, course) {
      return snapshot(async (trx) => {
        const roster = await trx
          .selectFrom(tables.remote_roster)
          .select("fetched_at")
          .where("peer", "=", peer)
          .where("course", "=", course)
          .executeTakeFirst();
        const rows = await trx
          .selectFrom(tables.remote_enrolment)
          .select(["username", "method", "role_name", "changed_at"])
          .where("peer", "=", peer)
          .where("course", "=", course)
          .orderBy("username")
          .orderBy("method")
          .execute();
        return { fetchedAt: roster?.fetched_at, rows: rows.map(toEnrolment) };
      });
    },
    async addEnrolment(peer, course, row) {
      await change(peer, async (trx) => {
        await deleteEnrolments(trx, peer)
          .where("course", "=", course)
          .where("username", "=", row.username)
          .where("method", "=", row.method)
          .execute();
        await insertEnrolments(trx, peer, [{ ...row, course }]);
      });
    },
    async removeEnrolment(peer, course, username, method) {
      await change(peer, async (trx) => {
        await deleteEnrolments(trx, peer)
          .where("course", "=", course)
          .where("username", "=", username)
          .where("method", "=", method)
          .execute();
      });
    },
    async replaceUser(peer, username, rows) {
      await change(peer, async (trx) => {
        await deleteEnrolments(trx, peer).where("username", "=", username).execute();
        await insertEnrolments(
          trx,
          peer,
          rows.map((row) => ({ ...row, username })),
        );
      });
    },
    async ofUser(peer, username) {
      const enrolment = tables.remote_enrolment;
      const course = tables.remote_course;
      const rows = await db
        .selectFrom(enrolment)
        .innerJoin(course, (join) =>
          join.onRef(`${course}.peer`, "=", `${enrolment}.peer`).onRef(`${course}.course`, "=", `${enrolment}.course`),
        )
        .select([`${enrolment}.course`, "fields", "username", "method", "role_name", "changed_at"])
        .where(`${enrolment}.peer`, "=", peer)
        .where("username", "=", username)
        .orderBy(`${enrolment}.course`)
        .orderBy("method")
        .execute();
      return rows.map((row) => ({ course: toCourse(row), enrolment: toEnrolment(row) }));
    },
    async forget(peer) {
      await change(peer, async (trx) => {
        for (const table of [
          tables.remote_enrolment,
          tables.remote_roster,
          tables.remote_course,
          tables.remote_peer,
        ] as const) {
          await trx.deleteFrom(table).where("peer", "=", peer).execute();
        }
      });
    },
  };
}

const toCourse = ({ course, fields }: Pick<Schema["remote_course"], "course" | "fields">): CachedCourse => ({
  id: course,
  fields: JSON.parse(fields) as CachedCourse["fields"],
});

export function enrolmentRow(
  peer: PeerId,
  { course, username, method, roleName, changedAt }: CachedEnrolment & { readonly course: number },
): Schema["remote_enrolment"] {
  return { peer, course, username, method, role_name: roleName, changed_at: changedAt ?? null };
}

function toEnrolment(row: Omit<Schema["remote_enrolment"], "peer" | "course">): CachedEnrolment {
  return {
    username: row.username,
    roleName: row.role_name,
    method: row.method,
    ...(row.changed_at === null ? {} : { changedAt: row.changed_at }),
  };
}
