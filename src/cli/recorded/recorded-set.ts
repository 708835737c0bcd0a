import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { ConfigError } from "../../core/errors.ts";
import { KeyPair } from "../../crypto/key-pair.ts";

/** What is null in a recording is not there. */
const optional = <S extends v.GenericSchema>(schema: S) =>
  v.pipe(
    v.nullish(schema),
    v.transform((value) => value ?? undefined),
  );

const SIDE = {
  bodyBase64: v.nullish(v.string(), ""),
  signedXml: optional(v.string()),
  xmlrpcBase64: optional(v.string()),
  openedWith: optional(v.string()),
  // Null says that no key verifies it; recordings of Mahara say nothing.
  signatureValidWith: v.nullish(v.string()),
};

const EXCHANGE = v.object({
  name: v.string(),
  software: v.nullish(v.string(), ""),
  method: optional(v.string()),
  from: optional(v.string()),
  to: optional(v.string()),
  recordedAt: v.number(),
  faultCode: optional(v.number()),
  unknownTo: v.nullish(v.array(v.string()), []),
  request: v.object(SIDE),
  response: v.object({ ...SIDE, status: v.number() }),
  keys: v.record(v.string(), v.object({ current: v.string(), archived: v.array(v.string()) })),
});

const KEYS = v.record(
  v.string(),
  v.object({ wwwroot: v.string(), certificate: v.string(), privateKey: v.nullish(v.string()) }),
);

/** One HTTP exchange between two sites, as it was on the wire. */
export type RecordedExchange = v.InferOutput<typeof EXCHANGE>;
/** The request or the response of an exchange. */
export type RecordedSide = RecordedExchange["request"] | RecordedExchange["response"];

/** A key of a recorded site. Both halves are public by now. */
export interface RecordedKey {
  readonly certificate: string;
  readonly privateKey: string;
  readonly pair: KeyPair;
}

/** Exchanges with the keys that open them. */
export interface RecordedSet {
  readonly keys: ReadonlyMap<string, RecordedKey>;
  readonly exchanges: readonly RecordedExchange[];
}

/**
 * Reads a folder of recorded exchanges: `keys.json`, and one JSON file for each exchange.
 *
 * Throws `MNET_CONFIG_INVALID` if the folder is not one of that kind.
 */
export async function readRecordedSet(directory: string): Promise<RecordedSet> {
  const files = (await namesIn(directory)).filter((file) => file.endsWith(".json")).sort();
  if (!files.includes("keys.json")) throw invalid(`${directory} holds no keys.json`);
  const keys = new Map<string, RecordedKey>();
  for (const [id, { certificate, privateKey }] of Object.entries(await readJson(KEYS, directory, "keys.json"))) {
    if (privateKey) keys.set(id, { certificate, privateKey, pair: KeyPair.parse({ certificate, privateKey }) });
  }
  const exchanges: RecordedExchange[] = [];
  for (const file of files) {
    if (file !== "keys.json") exchanges.push(await readJson(EXCHANGE, directory, file));
  }
  if (exchanges.length === 0) throw invalid(`${directory} holds no exchange`);
  return { keys, exchanges };
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    throw invalid(`${directory} cannot be read`, cause);
  }
}

async function readJson<const S extends v.GenericSchema>(
  schema: S,
  directory: string,
  file: string,
): Promise<v.InferOutput<S>> {
  try {
    return v.parse(schema, JSON.parse(await readFile(join(directory, file), "utf8")));
  } catch (cause) {
    throw invalid(`${file} is not what a recorded set has there: ${(cause as Error).message}`, cause);
  }
}

const invalid = (reason: string, cause?: unknown): ConfigError =>
  new ConfigError("MNET_CONFIG_INVALID", `Not a folder of recorded exchanges: ${reason}.`, {
    option: "--recorded",
    cause,
  });
