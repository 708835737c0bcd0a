import { UntrustedHtml } from "../../../plug-ins/untrusted-html.ts";
import type { Enrolment } from "../../../plug-ins/course.ts";
import type { MyCourse } from "../../../services/enrolment/remote-enrolment.ts";
import type { NetworkLink } from "../../../services/sso/sso.ts";
import { html, type Html } from "./html.ts";
import { coursePath, loginPath, PATHS } from "./paths.ts";
import type { CourseContent, OwnUser, SiteContent } from "./site-content.ts";
import type { User } from "./users.ts";

/** What is between the header and the footer of a page. */
export interface PageContent {
  /** Without one it is the front page. */
  readonly title?: string;
  readonly body: Html;
}

/** Where a user is at home, and where she can go. */
export interface Whereabouts {
  /** Name of her home site; `undefined`: it is this one. */
  readonly home: { readonly name: string; readonly wwwroot: string } | undefined;
  readonly servers: readonly NetworkLink[];
}

/** Somebody in a course, as the course's page shows her. */
export interface Participant extends Pick<Enrolment, "method"> {
  readonly name: string;
  /** Her home site; `undefined`: this one. */
  readonly home: Whereabouts["home"];
}

/** The front page of a visitor whom nobody knows. */
export const publicFrontPage = (name: string, { motto, courses }: SiteContent): PageContent => ({
  body: html`<div class="columns">
    <div class="card">
      <h1>${name}</h1>
      <p>${motto}</p>
      <h2>Courses</h2>
      ${courseList(courses)}
    </div>
    <section class="card" aria-labelledby="come-in">
      <h2 id="come-in">Come in</h2>
      <p>Use an account of ${name}, or that of your home site.</p>
      <p><a class="button" href="${PATHS.login}">Log in</a></p>
    </section>
  </div> `,
});

/** The front page of somebody who is logged in. */
export const frontPage = (
  user: User,
  { mine, others }: { readonly mine: readonly MyCourse[]; readonly others: readonly CourseContent[] },
  whereabouts: Whereabouts,
): PageContent => ({
  body: html`<div class="columns">
    <div class="card">
      <h1>Welcome, <bdi>${user.profile.firstname}</bdi></h1>
      ${
        mine.length > 0 &&
        html`<h2 id="my-courses">My courses</h2>
          ${myCourseList(mine)}`
      }
      ${
        others.length > 0 &&
        html`<h2>${mine.length > 0 ? "More courses" : "Courses"}</h2>
          ${courseList(others)}`
      }
    </div>
    ${networkServers(whereabouts)}
  </div> `,
});

/** The "Network servers" block. */
const networkServers = ({ home, servers }: Whereabouts): Html =>
  html`<nav class="card" aria-labelledby="network-servers">
    <h2 id="network-servers">Network servers</h2>
    ${
      home
        ? html`<p>
            You are a visitor. Other sites can be reached from your home site,
            <a href="${home.wwwroot}">${home.name}</a>.
          </p>`
        : servers.length > 0
          ? html`<p class="soft small">One click, and you are logged in there.</p>
              <ul>
                ${servers.map(({ name, href }) => html`<li><a href="${href}">${name}</a></li>`)}
              </ul>`
          : html`<p>There is no site where you can go with this account.</p>`
    }
  </nav> `;

const courseList = (courses: readonly CourseContent[]): Html =>
  html`<ul>
    ${courses.map(
      ({ id, title, text }) =>
        html`<li><a href="${coursePath(id)}">${title}</a><br /><span class="soft">${text}</span></li> `,
    )}
  </ul> `;

/** Courses here and at other sites; a link to one of those logs her in there. */
const myCourseList = (courses: readonly MyCourse[]): Html =>
  html`<ul aria-labelledby="my-courses">
    ${courses.map(
      ({ peer, href, fullname, roleName }) =>
        html`<li>
          <a href="${href}" dir="auto">${fullname}</a><br /><span class="soft"
            >${[roleName, peer && `at ${peer.name || peer.wwwroot}`].filter(Boolean).join(" ")}</span
          >
        </li> `,
    )}
  </ul> `;

/** Both ways in, and the accounts to try. */
export const loginPage = (
  name: string,
  options: {
    readonly users: readonly OwnUser[];
    readonly homeSites: readonly NetworkLink[];
    readonly returnTo: string;
    /** What was typed, and is wrong. */
    readonly refused?: string | undefined;
  },
): PageContent => ({
  title: "Log in",
  body: html`<h1>Log in to ${name}</h1>
    <div class="columns">
      <section class="card" aria-labelledby="own-account">
        <h2 id="own-account">With an account of ${name}</h2>
        ${options.refused !== undefined && html`<p class="alert" id="refused" role="alert">This name and this password do not belong together. Try one of the accounts below.</p> `}
        <form method="post" action="${PATHS.login}">
          <input type="hidden" name="returnTo" value="${options.returnTo}" />
          <label for="username">User name</label>
          <input
            id="username"
            name="username"
            autocomplete="username"
            autocapitalize="none"
            spellcheck="false"
            required
            value="${options.refused ?? ""}"
            ${options.refused !== undefined && html` aria-invalid="true" aria-describedby="refused"`}
          />
          <label for="password">Password</label>
          <input
            id="password"
            name="password"
            type="password"
            autocomplete="current-password"
            required${options.refused !== undefined && html` aria-invalid="true" aria-describedby="refused"`}
          />
          <button type="submit">Log in</button>
        </form>
      </section>
      <nav class="card" aria-labelledby="home-site">
        <h2 id="home-site">Through your home site</h2>
        ${
          options.homeSites.length > 0
            ? html`<ul>
                ${options.homeSites.map(({ name: site, href }) => html`<li><a href="${href}">${site}</a></li>`)}
              </ul>`
            : html`<p>No other site is connected yet.</p>`
        }
      </nav>
    </div>
    <div class="card">
      <table>
        <caption>
          Accounts to try
        </caption>
        <thead>
          <tr>
            <th scope="col">User name</th>
            <th scope="col">Password</th>
            <th scope="col">Who</th>
          </tr>
        </thead>
        <tbody>
          ${options.users.map(
            ({ username, password, firstname, lastname, mayRoam, isAdministrator = false }) =>
              html`<tr>
                <td><code>${username}</code></td>
                <td><code>${password}</code></td>
                <td>
                  <bdi>${firstname} ${lastname}</bdi
                  >${isAdministrator ? html` <span class="soft">(administrator)</span>` : !mayRoam && html` <span class="soft">(may not go to other sites)</span>`}
                </td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div> `,
});

/** A course. `participants`: for those who may see them. */
export const coursePage = (
  siteName: string,
  course: CourseContent,
  isHers: boolean,
  participants: readonly Participant[] | undefined,
): PageContent => ({
  title: course.title,
  body: html`<div class="card narrow">
    <h1>${course.title}</h1>
    <p>${course.text}</p>
    <p class="soft">${isHers ? "You take part in this course." : "You are looking at this course as a guest."}</p>
    ${participants && participantTable(siteName, participants)}
    <p><a href="${PATHS.front}">All courses</a></p>
  </div> `,
});

const participantTable = (siteName: string, participants: readonly Participant[]): Html =>
  html`<table>
    <caption>
      Participants
    </caption>
    <thead>
      <tr>
        <th scope="col">Name</th>
        <th scope="col">Home site</th>
        <th scope="col">Enrolled</th>
      </tr>
    </thead>
    <tbody>
      ${participants.map(
        ({ name, home, method }) =>
          html`<tr>
            <td><bdi>${name}</bdi></td>
            <td>${home?.name ?? siteName}</td>
            <td>${methodWords(method)}</td>
          </tr> `,
      )}
    </tbody>
  </table> `;

/** How somebody came into a course, for people. */
export const methodWords = (method: string): string =>
  method === "mnet" ? "through remote enrolment" : method === "manual" ? "by hand" : `by “${method}”`;

/** Who she is, as this site knows it. */
export const profilePage = (
  siteName: string,
  { account, profile, picture, courseSites }: User,
  home: Whereabouts["home"],
): PageContent => {
  const name = `${profile.firstname} ${profile.lastname}`;
  const rows: readonly (readonly [string, Html | string | undefined])[] = [
    ["User name", html`<code>${account.username}</code>`],
    ["Home site", home ? html`<a href="${home.wwwroot}">${home.name}</a>` : `${siteName} (this site)`],
    ["E-mail", profile.email],
    ["City", profile.city],
    ["Country", englishName("region", profile.country)],
    ["Language", englishName("language", profile.lang)],
    ["About", profile.description && new UntrustedHtml(profile.description).toText()],
    [
      "Courses elsewhere",
      courseSites.length > 0
        ? html`<ul>
            ${courseSites.map(({ name: site, url, courses }) => html`<li><a href="${url}">${site}</a> (${courses})</li>`)}
          </ul>`
        : undefined,
    ],
  ];
  return {
    title: "Profile",
    body: html`<div class="card narrow">
      <div class="person">
        ${picture && html`<img src="${PATHS.picture}" width="128" height="128" alt="Picture of ${name}" /> `}
        <div>
          <h1><bdi>${name}</bdi></h1>
          <p class="soft">${home ? `Visitor from ${home.name}` : `User of ${siteName}`}</p>
        </div>
      </div>
      <dl>
        ${rows.map(
          ([term, value]) =>
            value !== undefined &&
            value !== "" &&
            html`<dt>${term}</dt>
              <dd dir="auto">${value}</dd> `,
        )}
      </dl>
    </div> `,
  };
};

/** After a logout here. Her home site's front page is a link: until it has heard of the logout, it would still greet her. */
export const loggedOutPage = (
  siteName: string,
  home: { readonly name: string; readonly continueAt: string } | undefined,
): PageContent => ({
  title: "Logged out",
  body: html`<div class="card narrow">
    <h1>You are logged out</h1>
    <p>
      ${home ? html`You are logged out of ${siteName}. ${home.name} and the sites where you went from there are being told, too.` : html`You are logged out of ${siteName}. The sites where you went from here are being told, too.`}
    </p>
    <p>
      ${home ? html`<a class="button" href="${home.continueAt}">Continue to ${home.name}</a>` : html`<a class="button" href="${loginPath(PATHS.front)}">Log in again</a>`}
    </p>
  </div> `,
});

/** A short text, such as that there is no such page. */
export const notePage = (title: string, text: string): PageContent => ({
  title,
  body: html`<div class="card narrow">
    <h1>${title}</h1>
    <p>${text}</p>
    <p><a href="${PATHS.front}">To the front page</a></p>
  </div> `,
});

/** What a code stands for, or the code itself: other sites may have codes of their own. */
function englishName(type: "region" | "language", code = ""): string {
  try {
    return new Intl.DisplayNames("en", { type }).of(code.replaceAll("_", "-")) ?? code;
  } catch {
    return code;
  }
}
