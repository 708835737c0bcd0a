import * as v from "valibot";
import { MAXIMUM_DELAY_MS } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { ApplicationName, PeerState } from "../core/peer-snapshot.ts";
import { AddressPolicy } from "../transport/address-policy.ts";
import type { TlsLevel } from "../transport/transport.ts";
import { APPLICATIONS } from "./application.ts";
import { mayTravel } from "./profile-columns.ts";
import type { ServiceFlag } from "./service-flags.ts";

const milliseconds = (minimum: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(MAXIMUM_DELAY_MS));
const signal = v.optional(v.custom((input) => input instanceof AbortSignal, "Expected an AbortSignal"));
const application = v.picklist(Object.keys(APPLICATIONS) as ApplicationName[]);
const columns = v.pipe(
  v.array(
    v.pipe(
      v.string(),
      v.regex(/^[a-z][a-z0-9_]{0,63}$/, "Expected the name of a profile column"),
      v.check(mayTravel, "Expected no column that must stay where it is"),
    ),
  ),
  v.maxLength(100),
);

const SETTING = {
  timeoutMs: milliseconds(1),
  driftToleranceMs: milliseconds(0),
  clock: v.picklist(["tolerant", "strict"]),
  expiredKey: v.picklist(["warn", "refuse"]),
  profile: v.picklist(["automatic", "mnet", "secure"]),
  keyPair: v.picklist(["shared", "own"]),
  strictAlgorithms: v.boolean(),
  exportFields: columns,
  importFields: columns,
  signIn: v.picklist(["allow", "deny"]),
  maxEnrolments: v.pipe(v.number(), v.integer(), v.minValue(0)),
  allowAddresses: v.pipe(v.array(v.string()), v.check(areNetworks, "Expected networks in CIDR form")),
};
const LEGACY = {
  tls: v.picklist(["verify", "host-name", "none"] satisfies TlsLevel[]),
  smallKeys: v.boolean(),
  adoptKeyOverHttps: v.boolean(),
};

/** `PeerSettings`, for options that hold them. */
export const PEER_SETTINGS = v.partial(v.strictObject({ ...SETTING, legacy: v.partial(v.strictObject(LEGACY)) }));

const nullish = (entries: Readonly<Record<string, v.GenericSchema>>) =>
  Object.fromEntries(Object.entries(entries).map(([name, schema]) => [name, v.nullish(schema)]));
const CHANGE = v.strictObject({ ...nullish(SETTING), legacy: v.nullish(v.strictObject(nullish(LEGACY))) });

const PREVIEW = v.looseObject({
  wwwroot: v.string(),
  name: v.string(),
  application,
  key: v.looseObject({ certificate: v.string(), fingerprint: v.string() }),
});

const FILTER = v.strictObject({
  state: v.optional(v.picklist(["pending", "active", "suspended", "deleted"] satisfies PeerState[])),
  held: v.optional(v.boolean()),
});

const ADD_OPTIONS = v.strictObject({
  application: v.optional(application),
  certificate: v.optional(v.string()),
  fingerprint: v.optional(v.string()),
  settings: v.optional(PEER_SETTINGS),
  signal,
});

const FLAGS = v.record(
  v.string(),
  v.optional(v.picklist(["publish", "subscribe", "both", "off"] satisfies ServiceFlag[])),
);

/** Checks the options of `peers.add` and `peers.preview`. Throws `MNET_CONFIG_INVALID` with the path of the wrong one. */
export function checkAddOptions(options: unknown): void {
  check(ADD_OPTIONS, options, []);
}

/** Checks what is given to `peers.add` in place of a URL. Throws `MNET_CONFIG_INVALID` with the path of what is wrong. */
export function checkPreview(preview: unknown): void {
  check(PREVIEW, preview, ["site"]);
}

/** Checks the change for `peers.set`. Throws `MNET_CONFIG_INVALID` with the path of the wrong setting. */
export function checkSettingsChange(change: unknown): void {
  check(CHANGE, change, []);
}

/** Checks a filter for `peers.list`. Throws `MNET_CONFIG_INVALID` with the path of what is wrong. */
export function checkPeerFilter(filter: unknown): void {
  check(FILTER, filter, ["filter"]);
}

/** Checks what `peers.setServices` is to change. Throws `MNET_CONFIG_INVALID` with the path of the wrong flag. */
export function checkServiceFlags(flags: unknown): void {
  check(FLAGS, flags, ["services"]);
}

function check(schema: v.GenericSchema, input: unknown, above: readonly string[]): void {
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return;
  const [issue] = result.issues;
  const option = [...above, v.getDotPath(issue) ?? []].flat().join(".");
  throw new ConfigError("MNET_CONFIG_INVALID", `${option || "The argument"} is not right: ${issue.message}.`, {
    option: option || undefined,
  });
}

function areNetworks(networks: string[]): boolean {
  try {
    new AddressPolicy(networks);
    return true;
  } catch {
    return false;
  }
}
