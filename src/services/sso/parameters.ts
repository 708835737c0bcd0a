import { SsoError } from "../../core/errors.ts";

const NAMES = ["token", "idp", "wantsurl", "remoteurl", "hostid", "hostwwwroot", "wr", "confirm", "created"] as const;
type Name = (typeof NAMES)[number];

/** Parameters of a page of single sign-on. One that comes twice is refused: sites would take the one or the other (SEC-074). */
export class SingleParameters {
  readonly #values = new Map<string, string>();

  /** Throws `MNET_SSO_REQUEST_INVALID` for a parameter that comes twice, or as a list in PHP's spelling, such as `token[]`. */
  constructor(url: URL) {
    for (const [name, value] of url.searchParams) {
      const bare = name.replace(/\[.*$/s, "");
      // Mahara does not encode what it puts into a link (spec 9.4), so that anything may stand beside them.
      if (!NAMES.some((known) => known === bare)) continue;
      if (this.#values.has(bare) || bare !== name) {
        throw new SsoError("MNET_SSO_REQUEST_INVALID", `The address names ${bare} more than once.`, { side: "there" });
      }
      this.#values.set(name, value);
    }
  }

  /** `undefined`: missing, or empty. */
  get(name: Name): string | undefined {
    const value = this.#values.get(name);
    return value === "" ? undefined : value;
  }
}
