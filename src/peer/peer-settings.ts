import type { TlsLevel } from "../transport/transport.ts";

/** What can be set for one peer. Everything has a default that is safe (SEC-098). */
export interface PeerSettings {
  /** A whole outgoing exchange. Default: the host's `network.timeoutMs`. */
  readonly timeoutMs?: number;
  /** How far a responder may be ahead. Default 15,000 (MNET-104). */
  readonly driftToleranceMs?: number;
  /** Default `"tolerant"`; `"strict"` also refuses messages whose time is behind or ahead by more than the tolerance (SEC-035). */
  readonly clock?: "tolerant" | "strict";
  /** What to do with a peer whose certificate has expired. Default `"warn"`, because Moodles rotate lazily (SEC-048). */
  readonly expiredKey?: "warn" | "refuse";
  /**
   * Which envelopes are used with this peer. Default `"automatic"`: the best that both have proved, and nothing less from
   * then on. `"mnet"`: Moodle's own, whatever was proved. `"secure"`: never Moodle's own, not even at first. Setting it,
   * to whatever value, forgets what the peer has proved (docs/secure-profile.md, 7).
   */
  readonly profile?: "automatic" | "mnet" | "secure";
  /**
   * Which of our keys signs what this peer gets. Default `"shared"`: the one of all peers. `"own"`: one that only this peer
   * knows, so that it can pass nothing of ours on to another in our name (SEC-032, docs/operating.md). Going from one to
   * the other is a rotation for the peer, at the next maintenance; back to the shared one when there is a newer.
   */
  readonly keyPair?: "shared" | "own";
  /** Refuse messages that declare an algorithm that no known peer declares (SEC-011). Default `false`. */
  readonly strictAlgorithms?: boolean;
  /**
   * Profile columns that the peer is told of our users, by wire name, beyond the forced ones (spec 9.6). Single sign-on
   * reads it, and enrolment. Default `city`, `country`, `lang`, `timezone`, `description`, `picture`.
   */
  readonly exportFields?: readonly string[];
  /** Profile columns that are taken over of the peer's users, likewise. */
  readonly importFields?: readonly string[];
  /** What a user of this peer may do here who has no rule of her own (spec 9.12). Default `"allow"`. */
  readonly signIn?: "allow" | "deny";
  /** Enrolments through MNet that the users of this peer may hold here (SEC-067). Default 10,000. */
  readonly maxEnrolments?: number;
  /** Networks in CIDR form where this peer's address may lie although they are private (SEC-078). Default none. */
  readonly allowAddresses?: readonly string[];
  /** Every weakness for an old peer is here and nowhere else. Each use is an event. */
  readonly legacy?: {
    /** How its TLS certificate is checked. Default `"verify"` (MNET-073). */
    readonly tls?: TlsLevel;
    /** Accept RSA below 2048 bits, down to 1024 (SEC-047). Default `false`. */
    readonly smallKeys?: boolean;
    /** Adopt a Mahara's new key when its verified https site shows the same (SEC-039). Default `false`. */
    readonly adoptKeyOverHttps?: boolean;
  };
}

/** Settings with every default filled in. */
export type EffectiveSettings = Required<Omit<PeerSettings, "legacy">> & {
  readonly legacy: Required<NonNullable<PeerSettings["legacy"]>>;
};

/** A change of settings: what is named is set, `null` returns it to its default, the rest stays. In `legacy`, likewise. */
export type PeerSettingsChange = {
  readonly [K in Exclude<keyof PeerSettings, "legacy">]?: PeerSettings[K] | null | undefined;
} & {
  readonly legacy?:
    | { readonly [K in keyof EffectiveSettings["legacy"]]?: EffectiveSettings["legacy"][K] | null | undefined }
    | null
    | undefined;
};

/** A responder may be this far ahead of us (MNET-104). */
export const DEFAULT_DRIFT_TOLERANCE_MS = 15_000;

/** In the secure profile the time is signed; it may be off by this much in either direction, unless a peer's clock is `"strict"`. */
const SIGNED_TIME_TOLERANCE_MS = 300_000;

/** How far the signed time of a message may be off, in either direction. */
export const signedTimeTolerance = ({
  clock,
  driftToleranceMs = DEFAULT_DRIFT_TOLERANCE_MS,
}: Pick<PeerSettings, "clock" | "driftToleranceMs">): number =>
  clock === "strict" ? driftToleranceMs : Math.max(driftToleranceMs, SIGNED_TIME_TOLERANCE_MS);
/** As many as a large school sends (SEC-067). */
const DEFAULT_MAX_ENROLMENTS = 10_000;

/** Of what a Moodle exports unless told otherwise (spec 9.6), that which means something to other software. */
const DEFAULT_FIELDS: readonly string[] = ["city", "country", "lang", "timezone", "description", "picture"];

/** The smallest RSA key that is accepted of a peer with these settings. */
export const minimumKeyBits = ({ legacy }: PeerSettings): 1024 | 2048 => (legacy?.smallKeys ? 1024 : 2048);

/** The second settings where they say something, else the first. `legacy` is merged member by member. */
export function mergeSettings(defaults: PeerSettings, own: PeerSettings): PeerSettings {
  const legacy = { ...present(defaults.legacy), ...present(own.legacy) };
  return { ...present(defaults), ...present(own), ...(Object.keys(legacy).length > 0 && { legacy }) };
}

/** Everything that is in effect for a peer with these settings. */
export function completeSettings(settings: PeerSettings, hostTimeoutMs: number): EffectiveSettings {
  return {
    timeoutMs: hostTimeoutMs,
    driftToleranceMs: DEFAULT_DRIFT_TOLERANCE_MS,
    clock: "tolerant",
    expiredKey: "warn",
    profile: "automatic",
    keyPair: "shared",
    strictAlgorithms: false,
    exportFields: DEFAULT_FIELDS,
    importFields: DEFAULT_FIELDS,
    signIn: "allow",
    maxEnrolments: DEFAULT_MAX_ENROLMENTS,
    allowAddresses: [],
    ...present(settings),
    legacy: { tls: "verify", smallKeys: false, adoptKeyOverHttps: false, ...present(settings.legacy) },
  };
}

/** A peer's own settings after a change, and the paths of what it named, such as `settings.legacy.tls`. */
export function changeSettings(
  own: PeerSettings,
  change: PeerSettingsChange,
): { readonly settings: PeerSettings; readonly changed: readonly string[] } {
  const { legacy: ownLegacy = {}, ...ownRest } = own;
  const { legacy: legacyChange, ...restChange } = change;
  const legacy = legacyChange === null ? {} : changed(ownLegacy, present(legacyChange));
  const settings = changed(ownRest, present(restChange));
  return {
    settings: { ...settings, ...(Object.keys(legacy).length > 0 && { legacy }) },
    changed: [
      ...Object.keys(present(restChange)).map((name) => `settings.${name}`),
      ...(legacyChange === null
        ? ["settings.legacy"]
        : Object.keys(present(legacyChange)).map((name) => `settings.legacy.${name}`)),
    ],
  };
}

/** Paths of what weakens the defaults, such as `legacy.tls`. */
export function weaknessesIn({ legacy = {} }: PeerSettings): readonly string[] {
  const { tls = "verify", smallKeys = false, adoptKeyOverHttps = false } = legacy;
  return [
    ...(tls === "verify" ? [] : ["legacy.tls"]),
    ...(smallKeys ? ["legacy.smallKeys"] : []),
    ...(adoptKeyOverHttps ? ["legacy.adoptKeyOverHttps"] : []),
  ];
}

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** `undefined` means absent. */
function present<T extends object>(values: T | undefined): Present<T> {
  return Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value !== undefined)) as Present<T>;
}

/** What is `null` in the change is dropped, and so returns to its default. */
function changed<T extends object>(own: T, change: { readonly [K in keyof T]?: T[K] | null }): T {
  return Object.fromEntries(Object.entries({ ...own, ...change }).filter(([, value]) => value !== null)) as T;
}
