import * as v from "valibot";
import { MAXIMUM_DELAY_MS } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { ApplicationName } from "../core/peer-snapshot.ts";
import { AddressPolicy } from "../transport/address-policy.ts";
import type { TlsLevel } from "../transport/transport.ts";
import { APPLICATIONS } from "./application.ts";
import type { ServiceFlag } from "./service-flags.ts";

const milliseconds = (minimum: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(MAXIMUM_DELAY_MS)));
const signal = v.optional(v.custom((input) => input instanceof AbortSignal, "Expected an AbortSignal"));

const SETTINGS = v.strictObject({
  timeoutMs: milliseconds(1),
  driftToleranceMs: milliseconds(0),
  clock: v.optional(v.picklist(["tolerant", "strict"])),
  expiredKey: v.optional(v.picklist(["warn", "refuse"])),
  strictAlgorithms: v.optional(v.boolean()),
  legacy: v.optional(
    v.strictObject({
      tls: v.optional(v.picklist(["verify", "host-name", "none"] satisfies TlsLevel[])),
      smallKeys: v.optional(v.boolean()),
      adoptKeyOverHttps: v.optional(v.boolean()),
    }),
  ),
  allowAddresses: v.optional(v.pipe(v.array(v.string()), v.check(areNetworks, "Expected networks in CIDR form"))),
});

const ADD_OPTIONS = v.strictObject({
  application: v.optional(v.picklist(Object.keys(APPLICATIONS) as ApplicationName[])),
  certificate: v.optional(v.string()),
  fingerprint: v.optional(v.string()),
  settings: v.optional(SETTINGS),
  signal,
});

const FLAGS = v.record(
  v.string(),
  v.optional(v.picklist(["publish", "subscribe", "both", "off"] satisfies ServiceFlag[])),
);

/** Checks the options of `peers.add`. Throws `MNET_CONFIG_INVALID` with the path of the wrong one. */
export function checkAddOptions(options: unknown): void {
  check(ADD_OPTIONS, options, []);
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
