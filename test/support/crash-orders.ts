import { createHash } from "node:crypto";
import type { BulkRow } from "../../src/services/enrolment/remote-enrolment.ts";

/** What a process of a site that will be killed is told to do. */
export type Order =
  | { readonly order: "issue" | "redeem" | "remember"; readonly number: number }
  | { readonly order: "rotate" | "rotate-site" | "claim" | "maintain" }
  | { readonly order: "put"; readonly jobs: readonly string[] }
  | { readonly order: "bulk"; readonly run: string; readonly rows: readonly BulkRow[] };

/** The same with a number, which is in the answer. */
export type Told = Order & { readonly id: number };

/** Retired keys that the site keeps: the most that can be asked for. */
export const GENERATIONS = 7;
/** Tables of the site whose keys are replaced all the time. */
export const FAST_PREFIX = "fast_";

/** What the store has of a token. */
export const tokenOf = (number: number): string => createHash("sha256").update(`token ${number}`).digest("hex");
