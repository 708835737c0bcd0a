import type { Wwwroot } from "../core/ids.ts";

/** Longer ones are no links. */
const LONGEST = 2000;

/** A path on a site, and its absolute address. */
export interface LocalPath {
  /** Begins with `/`, relative to the wwwroot, as Moodle has it. */
  readonly path: string;
  /** For a browser. */
  readonly address: string;
}

/**
 * Where a link that came from outside leads on a site. A path begins with one `/`; an absolute address below the wwwroot is
 * taken for its path.
 *
 * @returns `undefined` for whatever would leave the site, or might in the eyes of some browser (SEC-072, MNET-116).
 */
export function localPath(wwwroot: Wwwroot, link: string): LocalPath | undefined {
  const path = link.startsWith(`${wwwroot}/`) ? link.slice(wwwroot.length) : link;
  if (!/^\/(?![/\\])/.test(path) || path.length > LONGEST) return undefined;
  // Browsers drop tabs and line feeds, and take a backslash for a slash; other control characters have no business there.
  if (/[\\\p{Cc}\p{Cs}]/u.test(path) || !URL.canParse(wwwroot + path)) return undefined;
  const site = new URL(`${wwwroot}/`);
  const address = new URL(wwwroot + path);
  // Dots are resolved by now, and `%2e` counts as one.
  const stays =
    address.origin === site.origin &&
    address.pathname.startsWith(site.pathname) &&
    // As a path of its own, two slashes would begin with the name of another site.
    !address.pathname.startsWith(`${site.pathname}/`) &&
    address.username === "" &&
    address.password === "";
  return stays ? { path, address: address.href } : undefined;
}
