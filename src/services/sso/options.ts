import * as v from "valibot";
import { MAXIMUM_DELAY_MS } from "../../core/clock.ts";
import { ConfigError, type SsoError } from "../../core/errors.ts";
import type { Accounts } from "../../plug-ins/account.ts";
import type { BrowserSessions } from "../../plug-ins/browser.ts";
import type { Enrolments } from "../../plug-ins/course.ts";
import type { TokenGrace } from "../../service-stores/token-store.ts";

/** What `sso` takes. */
export interface SsoOptions<Raw> {
  /** Your users. */
  readonly accounts: Accounts;
  /** Your sessions of browsers. */
  readonly sessions: BrowserSessions<Raw>;
  /** Lets home sites know where their users are enrolled (spec 9.9). Default: they are not told. */
  readonly enrolments?: Pick<Enrolments, "ofAccount"> | undefined;
  /** How long a token waits for the other site. Default 30,000 (spec 9.13). */
  readonly tokenLifetimeMs?: number | undefined;
  /**
   * How often a token answers its own peer again. Default 3 uses within 10,000 ms, because Mahara asks once per institution
   * (SEC-063). `{ uses: 1, withinMs: 0 }`: once.
   */
  readonly tokenGrace?: TokenGrace | undefined;
  /** How long a shared session lasts without a sign of life; peers are told it as `session.gc_maxlifetime`. Default 1,440,000 (spec 9.13). */
  readonly sessionLifetimeMs?: number | undefined;
  /** Ask before a jump that another site started (SEC-076). Default `false`. */
  readonly strictJumps?: boolean | undefined;
  /** `"confirm"`: ask before every landing that did not begin here, not only when someone else is logged in (SEC-069). Default `"direct"`. */
  readonly landing?: "direct" | "confirm" | undefined;
  /** Your layout around the confirmation and error pages. Returns a whole HTML document. Default: a plain one. */
  readonly page?: ((page: SsoPage) => string) | undefined;
}

/** A page that the library shows. */
export interface SsoPage {
  readonly kind: "confirm" | "error";
  /** Plain text: escape it. */
  readonly title: string;
  /** Safe HTML made by the library. */
  readonly bodyHtml: string;
  /** With `"error"`. */
  readonly error?: SsoError;
}

/** Options with every default filled in. */
export interface SsoConfiguration {
  readonly accounts: Accounts;
  readonly sessions: BrowserSessions<never>;
  readonly enrolments: Pick<Enrolments, "ofAccount"> | undefined;
  readonly tokenLifetimeMs: number;
  readonly tokenGrace: TokenGrace;
  readonly sessionLifetimeMs: number;
  readonly strictJumps: boolean;
  readonly landing: "direct" | "confirm";
  readonly page: ((page: SsoPage) => string) | undefined;
}

const having = (...methods: readonly string[]) =>
  v.custom<object>(
    (input) => methods.every((method) => typeof (input as Record<string, unknown> | null)?.[method] === "function"),
    `Expected an object with ${methods.join(", ")}`,
  );
const duration = (minimum: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(MAXIMUM_DELAY_MS)));

const SCHEMA = v.strictObject({
  accounts: having("find", "findByUsername", "findRemote", "createRemote", "updateRemote", "profile", "mayRoam"),
  sessions: having("current", "loginPath", "start", "end", "touch", "activeSince"),
  enrolments: v.optional(having("ofAccount")),
  tokenLifetimeMs: duration(1000),
  tokenGrace: v.optional(
    v.strictObject({
      uses: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)),
      withinMs: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(300_000)),
    }),
  ),
  sessionLifetimeMs: duration(60_000),
  strictJumps: v.optional(v.boolean()),
  landing: v.optional(v.picklist(["direct", "confirm"])),
  page: v.optional(v.custom((input) => typeof input === "function", "Expected a function")),
});

/** Checks options once, at the door. Throws `MNET_CONFIG_INVALID` or `MNET_CONFIG_MISSING` with the path of the wrong one. */
export function configureSso<Raw>(options: SsoOptions<Raw>): SsoConfiguration {
  const result = v.safeParse(SCHEMA, options, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    const option = `sso.${v.getDotPath(issue) ?? "options"}`;
    const isMissing = issue.received === "undefined";
    throw new ConfigError(
      isMissing ? "MNET_CONFIG_MISSING" : "MNET_CONFIG_INVALID",
      `The option ${option} is ${isMissing ? "missing" : "not right"}: ${issue.message}.`,
      { option },
    );
  }
  return {
    accounts: options.accounts,
    sessions: options.sessions,
    enrolments: options.enrolments,
    tokenLifetimeMs: options.tokenLifetimeMs ?? 30_000,
    tokenGrace: options.tokenGrace ?? { uses: 3, withinMs: 10_000 },
    sessionLifetimeMs: options.sessionLifetimeMs ?? 1_440_000,
    strictJumps: options.strictJumps ?? false,
    landing: options.landing ?? "direct",
    page: options.page,
  };
}
