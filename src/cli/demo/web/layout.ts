import { html, type Html } from "./html.ts";
import { PATHS } from "./paths.ts";

/** The site that a page belongs to. */
export interface Frame {
  readonly name: string;
  readonly wwwroot: string;
}

/** Who sees the page. */
export interface Viewer {
  readonly name: string;
  readonly hasPicture: boolean;
  readonly isAdministrator: boolean;
}

/**
 * A whole page. `viewer`: left out, nobody is logged in; `"unknown"`, the page cannot tell. Other sites take a site's name
 * from the title of its front page, so that has no more in it.
 */
export const layout = (
  { name, wwwroot }: Frame,
  page: {
    readonly title?: string | undefined;
    readonly viewer?: Viewer | "unknown" | undefined;
    readonly body: Html;
  },
): string =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${page.title === undefined ? name : `${page.title} | ${name}`}</title>
        <link rel="icon" href="${PATHS.icon}" />
        <link rel="stylesheet" href="${PATHS.style}" />
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          <div class="wide">
            <a class="brand" href="${PATHS.front}"><img src="${PATHS.icon}" alt="" />${name}</a>
            ${page.viewer !== "unknown" && navigation(page.viewer)}
          </div>
        </header>
        <main id="main" class="wide" tabindex="-1">${page.body}</main>
        <footer>
          <div class="wide">A site of the demo of mnet. Its address in the network is <code>${wwwroot}</code>.</div>
        </footer>
      </body>
    </html> `.text;

const navigation = (viewer: Viewer | undefined): Html =>
  html`<nav aria-label="Site">
    <ul>
      ${viewer ? ownLinks(viewer) : html`<li><a href="${PATHS.login}">Log in</a></li>`}
    </ul>
  </nav>`;

const ownLinks = ({ name, hasPicture, isAdministrator }: Viewer): Html => {
  const picture = hasPicture && html`<img src="${PATHS.picture}" alt="" />`;
  return html`${isAdministrator && html`<li><a href="${PATHS.remoteCourses}">Remote courses</a></li> `}
    <li>
      <a class="me" href="${PATHS.profile}">${picture}<span dir="auto">${name}</span></a>
    </li>
    <li>
      <form method="post" action="${PATHS.logout}"><button type="submit">Log out</button></form>
    </li>`;
};
