import type { Peer } from "../../core/peer-snapshot.ts";
import type { Host } from "../../host/host.ts";
import { coursesNamed } from "../../services/enrolment/courses-named.ts";
import { enrolment } from "../../services/enrolment/enrolment.ts";
import { unknownCourse } from "../../services/enrolment/remote-courses.ts";
import type { RemoteCourse, RemoteEnrolment } from "../../services/enrolment/remote-enrolment.ts";
import { withSite, type SiteOptions } from "./open-site.ts";

/** A site whose users are enrolled elsewhere. */
export type EnrollingHost = Host & { readonly enrolment: RemoteEnrolment };

/** Works on the site as `withSite`. The application's accounts are not there: people are as the command describes them. */
export const withEnrolment = <T>(options: SiteOptions, work: (host: EnrollingHost) => Promise<T>): Promise<T> =>
  withSite(options, work, [enrolment()]);

/** A course of a peer as a person names it: id, short name or id number. Throws `MNET_ENROLMENT_COURSE_UNKNOWN`. */
export async function courseNamed(host: EnrollingHost, peer: Peer, named: string): Promise<RemoteCourse> {
  for (const maxAgeMs of [undefined, 0]) {
    const [course, ...others] = coursesNamed(await host.enrolment.coursesOf(peer, { maxAgeMs }), named);
    if (others.length > 0) throw unknownCourse(peer, named, "offers us several courses called");
    if (course) return course;
  }
  throw unknownCourse(peer, named);
}
