import type { Wwwroot } from "../core/ids.ts";

/** Longer ones are no links. */
const LONGEST = 2000;

/**
 * The absolute address of a path on a site, for a browser to be sent to. A path begins with one `/` and is relative to the
 * wwwroot, as Moodle has it; an absolute address below the wwwroot is taken for its path.
 *
 * @returns `undefined` for whatever would leave the site, or might in the eyes of some browser (SEC-072, MNET-116).
 */
export function addressOn(wwwroot: Wwwroot, path: string): URL | undefined {
  const local = path.startsWith(`${wwwroot}/`) ? path.slice(wwwroot.length) : path;
  if (!/^\/(?![/\\])/.test(local) || local.length > LONGEST) return undefined;
  // Browsers drop tabs and line feeds, and take a backslash for a slash; other control characters have no business there.
  if (/[\\\p{Cc}]/u.test(local)) return undefined;
  const base = new URL(wwwroot);
  if (!URL.canParse(wwwroot + local)) return undefined;
  const address = new URL(wwwroot + local);
  const basePath = base.pathname.endsWith("/") ? base.pathname : `${base.pathname}/`;
  // Dots are resolved by now, and `%2e` counts as one.
  const stays =
    address.origin === base.origin &&
    address.pathname.startsWith(basePath) &&
    !address.pathname.startsWith("//") &&
    address.username === "" &&
    address.password === "";
  return stays ? address : undefined;
}
