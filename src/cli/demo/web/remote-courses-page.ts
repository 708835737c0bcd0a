import type { RemoteCourse, RemoteEnrolmentEntry } from "../../../services/enrolment/remote-enrolment.ts";
import { html, type Html } from "./html.ts";
import { methodWords, type PageContent } from "./pages.ts";
import { PATHS } from "./paths.ts";
import type { User } from "./users.ts";

/** A course of another site, and who of our users is in it. */
export interface OfferedCourse {
  readonly course: RemoteCourse;
  readonly enrolled: readonly RemoteEnrolmentEntry[];
}

/** Another site with its courses, or why they cannot be shown. */
export interface OfferingSite {
  readonly name: string;
  readonly courses: readonly OfferedCourse[];
  readonly failure?: string | undefined;
}

/** What became of a form: sentences. */
export interface Outcome {
  readonly done: readonly string[];
  readonly failed: readonly string[];
}

/** The administrator's page: courses of other sites, and who of our users is in them. Texts of other sites are text. */
export const remoteCoursesPage = (
  siteName: string,
  users: readonly User[],
  sites: readonly OfferingSite[],
  outcome: Outcome | undefined,
): PageContent => ({
  title: "Remote courses",
  body: html`<h1>Remote courses</h1>
    ${outcome && outcomeNote(outcome)}
    <p>
      Courses of other sites in which you can enrol users of ${siteName}. Those who are enrolled find the course under
      <em>My courses</em>, and get there with one click.
    </p>
    ${sites.length === 0 && html`<p class="card">No other site is connected yet.</p> `}
    ${sites.map((site) => siteSection(users, site))}`,
});

/** Has the focus when the page is there: who works with the keyboard or a screen reader hears it, and goes on below it. */
const outcomeNote = ({ done, failed }: Outcome): Html => {
  const list = (sentences: readonly string[]): Html =>
    html`${sentences.map((sentence) => html`<p dir="auto">${sentence}</p> `)}`;
  return html`<div tabindex="-1" autofocus>
    ${done.length > 0 && html`<div class="done" role="status">${list(done)}</div> `}
    ${failed.length > 0 && html`<div class="alert" role="alert">${list(failed)}</div> `}
  </div> `;
};

const siteSection = (users: readonly User[], { name, courses, failure }: OfferingSite): Html =>
  html`<h2>Courses of ${name}</h2>
    ${failure !== undefined && html`<p class="alert" role="alert">${failure}</p> `}
    ${failure === undefined && courses.length === 0 && html`<p class="card">${name} offers no courses to this site.</p> `}
    ${courses.map((course) => courseSection(users, course))}`;

const courseSection = (users: readonly User[], { course, enrolled }: OfferedCourse): Html => {
  const { peer, id, fullname, category, roleName, summary } = course;
  const key = `${peer.id}-${id}`;
  const facts = [category.name, roleName && `as ${roleName}`].filter(Boolean).join(", ");
  return html`<section class="card" aria-labelledby="course-${key}">
    <h3 id="course-${key}" dir="auto">${fullname}</h3>
    <p class="soft" dir="auto">${facts}</p>
    <p dir="auto">${summary.toText()}</p>
    <form method="post" action="${PATHS.remoteCourses}">
      <input type="hidden" name="peer" value="${peer.wwwroot}" />
      <input type="hidden" name="course" value="${id}" />
      <table aria-labelledby="course-${key}">
        <thead>
          <tr>
            <th scope="col">Choose</th>
            <th scope="col">User</th>
            <th scope="col">Enrolled</th>
          </tr>
        </thead>
        <tbody>
          ${users.map((user) => userRow(user, `user-${key}-${user.account.username}`, enrolled))}
        </tbody>
      </table>
      <p class="actions">
        <button type="submit" name="action" value="enrol">Enrol<span class="unseen"> in ${fullname}</span></button>
        <button class="quiet" type="submit" name="action" value="unenrol">
          Unenrol<span class="unseen"> from ${fullname}</span>
        </button>
      </p>
    </form>
  </section> `;
};

/** Who may not go to other sites can still be taken out of a course. */
const userRow = (
  { account: { username }, profile, mayRoam }: User,
  id: string,
  enrolled: readonly RemoteEnrolmentEntry[],
): Html => {
  const hers = enrolled.filter((entry) => entry.username === username);
  const status = hers.map(
    ({ roleName, method, changedAt }) =>
      html`<div>
        ${roleName || "Yes"},
        ${methodWords(method)}${changedAt && html` <span class="soft">since ${timeOf(changedAt)}</span>`}
      </div> `,
  );
  const isChoice = mayRoam || hers.length > 0;
  return html`<tr>
    <td class="choice">${isChoice && html`<input type="checkbox" name="user" value="${username}" id="${id}" />`}</td>
    <td>
      ${isChoice ? html`<label for="${id}"><bdi>${profile.firstname} ${profile.lastname}</bdi></label>` : html`<bdi>${profile.firstname} ${profile.lastname}</bdi>`}
    </td>
    <td>${hers.length > 0 ? status : mayRoam ? "No" : html`<span class="soft">May not go to other sites</span>`}</td>
  </tr> `;
};

const timeOf = (date: Date): Html => {
  const iso = date.toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`;
};
