import * as v from "valibot";
import { APPLICATIONS } from "../../peer/application.ts";
import { PEER_SETTINGS } from "../../peer/check-options.ts";
import type { ApplicationName, HeldKey, PeerState } from "../../core/peer-snapshot.ts";
import type { StoredKey } from "../../keys/key-store.ts";
import type { ServiceFlag } from "../../peer/service-flags.ts";
import { SUITES } from "../../secure/suite.ts";
import type { Dialect } from "../../xmlrpc/dialect.ts";

/** In the first line of every archive. */
export const FORMAT = "mnet-archive";
/** Goes up when an older program could misread what a newer one has written. */
export const VERSION = 1;
/** A course list of the largest Moodle has a few megabytes. Longer lines are nobody's archive. */
export const MAXIMUM_LINE_BYTES = 64 * 1024 * 1024;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const time = v.pipe(v.number(), v.safeInteger());
const id = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const text = v.string();
const fingerprint = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const sha1 = v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/));
const base64 = v.pipe(v.string(), v.base64());
const services = v.record(text, v.picklist(["publish", "subscribe", "both", "off"] satisfies ServiceFlag[]));

/** The first line. */
export const HEADER = v.strictObject({
  format: v.literal(FORMAT),
  version: v.literal(VERSION),
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
  scrypt: v.strictObject({ log2N: count, r: count, p: count, salt: base64 }),
  /** Opens with the right passphrase, so that a wrong one is told from a damaged archive. */
  check: base64,
});
/** What it says. */
export type Header = v.InferOutput<typeof HEADER>;

/** The last line. `hmac` is over every byte before it. */
export const TRAILER = v.strictObject({ kind: v.literal("end"), records: count, hmac: base64 });

const enrolment = v.strictObject({
  username: text,
  roleName: text,
  method: text,
  changedAt: v.optional(time),
});

/** Any line between them. A private key is base64 of the encrypted PEM, empty for a revoked one. */
export const RECORD = v.variant("kind", [
  v.strictObject({
    kind: v.literal("key"),
    key: v.strictObject({
      fingerprint,
      certificate: text,
      privateKey: base64,
      state: v.picklist(["current", "archived", "revoked"] satisfies StoredKey["state"][]),
      createdAt: time,
      peer: v.optional(id),
    }),
  }),
  v.strictObject({ kind: v.literal("all-hosts"), services }),
  v.strictObject({
    kind: v.literal("peer"),
    peer: v.strictObject({
      id,
      version: id,
      wwwroot: text,
      canonical: text,
      name: text,
      application: v.picklist(Object.keys(APPLICATIONS) as ApplicationName[]),
      state: v.picklist(["pending", "active", "suspended", "deleted"] satisfies PeerState[]),
      certificate: text,
      retired: v.array(fingerprint),
      held: v.optional(
        v.strictObject({
          certificate: text,
          reason: v.picklist([
            "registered-itself",
            "signed-by-new-key",
            "older-than-pinned",
            "operator",
          ] satisfies HeldKey["reason"][]),
          since: time,
        }),
      ),
      settings: PEER_SETTINGS,
      services,
      dialect: v.optional(v.picklist(["epi", "pxr"] satisfies Dialect[])),
      lastContactAt: v.optional(time),
      profile: v.optional(
        v.strictObject({
          proved: v.optional(v.picklist(SUITES.map(({ name }) => name))),
          provedAt: v.optional(time),
          askedAt: v.optional(time),
        }),
      ),
    }),
  }),
  v.strictObject({
    kind: v.literal("stats"),
    peer: id,
    counters: v.strictObject({
      callsIn: count,
      callsOut: count,
      secureCalls: count,
      bytesIn: count,
      bytesOut: count,
      faultsByCode: v.record(v.pipe(text, v.regex(/^-?[0-9]{1,15}$/)), count),
      latencies: v.array(count),
    }),
  }),
  v.strictObject({ kind: v.literal("access"), peer: id, username: text, rule: v.picklist(["allow", "deny"]) }),
  v.strictObject({
    kind: v.literal("session"),
    session: v.strictObject({
      role: v.picklist(["idp", "sp"]),
      peer: id,
      accountId: text,
      username: text,
      userAgentHash: sha1,
      sessionId: text,
      startedAt: time,
      expiresAt: time,
    }),
  }),
  v.strictObject({
    kind: v.literal("courses"),
    peer: id,
    fetchedAt: time,
    courses: v.array(v.strictObject({ id: time, fields: v.record(text, text) })),
  }),
  v.strictObject({
    kind: v.literal("enrolments"),
    peer: id,
    course: time,
    fetchedAt: v.optional(time),
    rows: v.array(enrolment),
  }),
]);
/** One of them. */
export type ArchivedRecord = v.InferOutput<typeof RECORD>;
