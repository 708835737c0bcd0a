import { neutralText } from "../../core/neutral-text.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import { APPLICATIONS } from "../../peer/application.ts";
import { subscribes } from "../../peer/service-flags.ts";
import type { Account, Accounts } from "../../plug-ins/account.ts";
import type { Enrolments } from "../../plug-ins/course.ts";
import { coursePath, timeOf } from "../../plug-ins/course-fields.ts";
import { wireUsername } from "../../plug-ins/usernames.ts";
import type { CachedCourse, CachedEnrolment } from "../../service-stores/remote-course-store.ts";
import type { MyCourse } from "./remote-enrolment.ts";

/** A user's courses here, then those at each peer, as the peers last told. Nobody is asked. */
export async function myCourses(
  site: Site,
  { accounts, enrolments }: { readonly accounts?: Accounts | undefined; readonly enrolments?: Enrolments | undefined },
  account: Account,
): Promise<readonly MyCourse[]> {
  const here = (await enrolments?.ofAccount(account)) ?? [];
  const courses = grouped(
    here.map(({ course, role, changedAt }) => ({
      id: course.id,
      fullname: course.fullname,
      shortname: course.shortname,
      href: site.wwwroot + coursePath(course),
      roleName: role.name,
      ...(course.startsAt && { startsAt: course.startsAt }),
      changedAt,
    })),
  );
  // A user of another site has courses elsewhere as well, but that is between her home and them.
  if (account.home !== undefined) return courses;
  for await (const peer of site.peers()) {
    const username = wireUsername(accounts ?? {}, account.username, peer);
    const rows = username === undefined ? [] : await site.store.remoteCourses.ofUser(peer.id, username);
    if (rows.length === 0) continue;
    const isJump = await leadsTo(site, peer);
    courses.push(...grouped(rows.map((row) => remote(site, peer, row, isJump))));
  }
  return courses;
}

function remote(
  site: Site,
  peer: Peer,
  { course: { id, fields }, enrolment }: { readonly course: CachedCourse; readonly enrolment: CachedEnrolment },
  isJump: boolean,
): MyCourse {
  const startsAt = timeOf(fields["startdate"] ?? "");
  const roleName = enrolment.roleName || (enrolment.method === "mnet" ? fields["defaultrolename"] : "");
  const path = pathOn(peer, fields["view_path"]) ?? coursePath({ id });
  return {
    peer,
    id,
    fullname: neutralText(fields["fullname"] ?? "", 254),
    shortname: neutralText(fields["shortname"] ?? "", 100),
    href: isJump ? jumpLink(site, peer, path) : peer.wwwroot + path,
    ...(roleName && { roleName: neutralText(roleName, 255) }),
    ...(startsAt && { startsAt }),
    ...(enrolment.changedAt !== undefined && { changedAt: new Date(enrolment.changedAt) }),
  };
}

/** Our own jump page, which takes her to the peer and logs her in there (spec 9.2). */
function jumpLink({ wwwroot }: Site, { id }: Peer, path: string): string {
  const query = new URLSearchParams({ hostid: String(id), wantsurl: path });
  return `${wwwroot}${APPLICATIONS.moodle.jumpPath}?${query.toString()}`;
}

/** Whether our users get to the peer by single sign-on (spec 9.3): All Hosts do not count. */
async function leadsTo(site: Site, peer: Peer): Promise<boolean> {
  return site.serves("sso_idp") && subscribes(await site.flag(peer, "sso_sp", "own"));
}

/** A path that a peer gave for a page of its own; anything that could lead elsewhere is none (SEC-068, SEC-072). */
function pathOn({ wwwroot }: Peer, path: string | undefined): string | undefined {
  if (path === undefined || !/^\/(?![/\\])[^\\\p{Cc}]*$/u.test(path) || !URL.canParse(wwwroot + path)) return undefined;
  const { origin, pathname } = new URL(wwwroot + path);
  const base = new URL(wwwroot);
  return origin === base.origin && pathname.startsWith(base.pathname.replace(/\/$/, "") + "/") ? path : undefined;
}

/** One entry for each course, with all that she is in it and the latest change. */
function grouped(courses: readonly MyCourse[]): MyCourse[] {
  const byId = new Map<number, MyCourse>();
  for (const course of courses) {
    const known = byId.get(course.id);
    if (!known) {
      byId.set(course.id, course);
      continue;
    }
    const roles = new Set([known.roleName, course.roleName].filter((name) => name !== undefined && name !== ""));
    const times = [known.changedAt, course.changedAt].flatMap((time) => time?.getTime() ?? []);
    byId.set(course.id, {
      ...known,
      ...(roles.size > 0 && { roleName: [...roles].join(", ") }),
      ...(times.length > 0 && { changedAt: new Date(Math.max(...times)) }),
    });
  }
  return [...byId.values()];
}
