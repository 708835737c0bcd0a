import type { ApplicationName } from "../core/peer-snapshot.ts";

/** URL suffixes that the software of a site decides (spec 1.2, MNET-003, MNET-004). */
export interface Application {
  /** Where calls go. */
  readonly rpcPath: string;
  /** Where users arrive. */
  readonly landPath: string;
  /** Where users leave from. */
  readonly jumpPath: string;
}

/** All kinds of software that a peer can be. */
export const APPLICATIONS: Readonly<Record<ApplicationName, Application>> = {
  moodle: {
    rpcPath: "/mnet/xmlrpc/server.php",
    landPath: "/auth/mnet/land.php",
    jumpPath: "/auth/mnet/jump.php",
  },
  mahara: {
    rpcPath: "/api/xmlrpc/server.php",
    landPath: "/auth/xmlrpc/land.php",
    jumpPath: "/auth/xmlrpc/jump.php",
  },
};

/** Where calls to a site go. */
export function rpcUrl(wwwroot: string, application: ApplicationName): URL {
  return new URL(wwwroot + APPLICATIONS[application].rpcPath);
}
