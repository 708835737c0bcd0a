import type { Peer } from "../../../core/peer-snapshot.ts";
import type { Host } from "../../../host/host.ts";
import type { RemoteCourse, RemoteEnrolment } from "../../../services/enrolment/remote-enrolment.ts";
import { failureWords } from "./failure-words.ts";
import type { PageContent } from "./pages.ts";
import { remoteCoursesPage, type OfferedCourse, type OfferingSite, type Outcome } from "./remote-courses-page.ts";
import type { Users } from "./users.ts";

/** A host with remote enrolment. */
export type EnrolmentHost = Host & { readonly enrolment: RemoteEnrolment };

/** The page shows what the other site says at this moment. */
const NOW = { maxAgeMs: 0 };

/** What an administrator does with courses of other sites. Who she is was checked. */
export class Administration {
  readonly #siteName: string;
  readonly #users: Users;

  constructor(siteName: string, users: Users) {
    this.#siteName = siteName;
    this.#users = users;
  }

  /** The page, with what became of the form that was sent. */
  async page({ peers, enrolment }: EnrolmentHost, outcome?: Outcome): Promise<PageContent> {
    const sites: OfferingSite[] = [];
    for await (const peer of peers.list({ state: "active" })) sites.push(await offeringSite(enrolment, peer));
    return remoteCoursesPage(this.#siteName, this.#users.members, sites, outcome);
  }

  /** Enrols or unenrols the users who were chosen in a form. Each of them succeeds or fails by herself. */
  async change({ peers, enrolment }: EnrolmentHost, form: URLSearchParams): Promise<Outcome> {
    const action = form.get("action");
    const peer = await peers.find(form.get("peer") ?? "");
    if (!peer || (action !== "enrol" && action !== "unenrol")) return failed("The form is not complete.");
    const people = form.getAll("user").flatMap((username) => this.#users.own(username) ?? []);
    if (people.length === 0) return failed("Choose one user at least.");
    const siteName = nameOf(peer);
    try {
      const courses = await enrolment.coursesOf(peer);
      const course = courses.find(({ id }) => String(id) === form.get("course"));
      if (!course) return failed(`${siteName} does not offer this course any more.`);
      const results = await Promise.allSettled(people.map(({ account }) => enrolment[action](account, course)));
      const enrolled = action === "unenrol" ? await enrolment.enrolmentsOf(course, NOW) : [];
      const done: string[] = [];
      const refused: string[] = [];
      for (const [index, user] of people.entries()) {
        const result = results[index];
        const name = this.#users.nameOf(user.account);
        if (result?.status === "rejected") refused.push(`${name}: ${failureWords(result.reason, siteName)}`);
        else if (enrolled.some(({ username }) => username === user.account.username)) {
          refused.push(`${name} stays in ${course.fullname}: ${siteName} enrolled this user itself.`);
        } else done.push(sentence(name, action, course));
      }
      return { done, failed: refused };
    } catch (error) {
      return failed(failureWords(error, siteName));
    }
  }
}

async function offeringSite(enrolment: RemoteEnrolment, peer: Peer): Promise<OfferingSite> {
  const name = nameOf(peer);
  try {
    const courses: OfferedCourse[] = [];
    for (const course of await enrolment.coursesOf(peer, NOW)) {
      courses.push({ course, enrolled: await enrolment.enrolmentsOf(course, NOW) });
    }
    return { name, courses };
  } catch (error) {
    return { name, courses: [], failure: failureWords(error, name) };
  }
}

const nameOf = ({ name, wwwroot }: Peer): string => name || wwwroot;

const sentence = (name: string, action: "enrol" | "unenrol", { fullname }: RemoteCourse): string =>
  action === "enrol" ? `${name} is enrolled in ${fullname}.` : `${name} is no longer in ${fullname}.`;

const failed = (text: string): Outcome => ({ done: [], failed: [text] });
