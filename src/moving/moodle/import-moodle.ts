import type { Wwwroot } from "../../core/ids.ts";
import { ConfigError, KeyError, MoodleImportError } from "../../core/errors.ts";
import { Certificate } from "../../crypto/certificate.ts";
import type { StoreRecord } from "../../host/store-record.ts";
import type { Store } from "../../host/store.ts";
import { KeyWrapping, type WrappingOptions } from "../../keys/key-wrapping.ts";
import { parseWwwroot } from "../../peer/wwwroot.ts";
import { everyRow, integerOf, textOf, type MoodleDatabase } from "./moodle-database.ts";
import { readBoxes, readHosts, type MoodleWarning } from "./moodle-hosts.ts";
import { readMoodleKeys } from "./moodle-keys.ts";
import { readMoodleSettings, type MoodleSettings } from "./moodle-settings.ts";
import { readUsers, type MoodleUser } from "./moodle-users.ts";

/** What an import from a Moodle did, and what is left to do. */
export interface MoodleImport {
  /** Whose place is taken. */
  readonly wwwroot: Wwwroot;
  /** Version of the Moodle, in its words. */
  readonly release: string;
  /** What came over. */
  readonly imported: {
    /** The current one and the archive. */
    readonly keys: number;
    /** Those that the Moodle had deleted included: their ids and addresses stay theirs. */
    readonly peers: number;
    /** Rules for single users. */
    readonly accessRules: number;
  };
  /** For `createHost`: what the Moodle's settings say. */
  readonly host: {
    readonly wwwroot: Wwwroot;
    readonly enabled: boolean;
    readonly registerStrangers: boolean;
    readonly keys: { readonly generations: number; readonly lifetimeMs?: number };
  };
  /** What did not come over as it was. */
  readonly warnings: readonly MoodleWarning[];
}

/** How an import is done. */
export interface MoodleImportOptions {
  /** How private keys are encrypted in the store, as `keys` of `createHost`. */
  readonly keys?: WrappingOptions | undefined;
  /** Refuse a Moodle with another wwwroot. Default: whatever it is. */
  readonly wwwroot?: string | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const DEFAULT_GENERATIONS = 3;
/** As many as `keys.generations` takes. */
const MAXIMUM_GENERATIONS = 7;

/**
 * Takes a Moodle's place: its own keys with their archive, its peers with their ids, boxes and field lists, the boxes of All
 * Hosts, and the rules for single users, into an empty store; all, or nothing. A host with this store at the same wwwroot is
 * to the peers the site that they know (spec 2.3, 9.6, 9.12). The Moodle must not run any more: it would make keys of its own.
 *
 * Throws `MoodleImportError`; `StoreError`, such as `MNET_STORE_NOT_EMPTY`; `MNET_CONFIG_INVALID` for another wwwroot.
 *
 * @param store opened here, and not closed.
 * @param database not closed here either.
 *
 * @example
 * const report = await importMoodle(openStore("sqlite:mnet.db"), openMoodleDatabase(Secret.fromEnv("MOODLE_DATABASE")));
 */
export async function importMoodle(
  store: Store,
  database: MoodleDatabase,
  options: MoodleImportOptions = {},
): Promise<MoodleImport> {
  const reading = await beginReading(database, options);
  await store.open();
  await store.restore(reading.records());
  return reading.report();
}

/** What `importMoodle` would do; nothing is written. Throws what it throws, but nothing about a store. */
export async function previewMoodle(
  database: MoodleDatabase,
  options: MoodleImportOptions = {},
): Promise<MoodleImport> {
  const reading = await beginReading(database, options);
  const records = reading.records();
  while (!(await records.next()).done);
  return reading.report();
}

/**
 * The users of other sites who have been at a Moodle, for the application to take over as its remote accounts.
 *
 * Throws `MNET_MOODLE_TABLES_MISSING`, `MNET_MOODLE_NETWORKING_UNUSED`, `StoreError`.
 *
 * @example
 * for await (const { home, username, profile } of moodleUsers(database)) {
 *   await accounts.createRemote(await host.peers.get(home.id), username, profile);
 * }
 */
export async function* moodleUsers(database: MoodleDatabase): AsyncGenerator<MoodleUser, void, undefined> {
  yield* readUsers(database, await readMoodleSettings(database));
}

async function beginReading(
  database: MoodleDatabase,
  { keys: wrappingOptions, wwwroot: expected }: MoodleImportOptions,
): Promise<{ readonly records: () => AsyncGenerator<StoreRecord>; readonly report: () => MoodleImport }> {
  const settings = await readMoodleSettings(database);
  const keys = await readMoodleKeys(settings.plugin, new KeyWrapping(wrappingOptions));
  const wwwroot = await ownWwwroot(database, settings, keys[0].certificate);
  if (expected !== undefined && parseWwwroot(expected) !== wwwroot) {
    throw new ConfigError("MNET_CONFIG_INVALID", `The Moodle is ${wwwroot}, not ${expected}.`, { option: "wwwroot" });
  }
  const warnings: MoodleWarning[] = [];
  const imported = { keys: keys.length, peers: 0, accessRules: 0 };

  async function* records(): AsyncGenerator<StoreRecord> {
    for (const key of keys) yield { kind: "key", key };
    const boxes = await readBoxes(database);
    const allHosts = boxes.get(settings.allHostsId ?? 0);
    if (allHosts) yield { kind: "all-hosts", services: allHosts };
    const known = new Set<number>();
    for await (const peer of readHosts(database, settings, boxes, (warning) => warnings.push(warning))) {
      known.add(peer.id);
      imported.peers += 1;
      yield { kind: "peer", peer };
    }
    for await (const rule of readAccessRules(database, known)) {
      imported.accessRules += 1;
      yield rule;
    }
  }

  return { records, report: () => ({ wwwroot, release: settings.release, imported, host: hostOf(), warnings }) };

  function hostOf(): MoodleImport["host"] {
    const generations = integerOf(settings.plugin.get("openssl_generations")) ?? DEFAULT_GENERATIONS;
    const days = settings.keyLifetimeDays ?? 0;
    return {
      wwwroot,
      enabled: settings.dispatcherMode !== "off",
      registerStrangers: settings.registersAllHosts,
      keys: {
        generations: Math.min(Math.max(generations, 0), MAXIMUM_GENERATIONS),
        ...(days > 0 && { lifetimeMs: days * DAY_MS }),
      },
    };
  }
}

/** As the Moodle's own row says, and its certificate, which peers look at. */
async function ownWwwroot(
  database: MoodleDatabase,
  { localHostId }: MoodleSettings,
  certificate: string,
): Promise<Wwwroot> {
  const [own] = await database.rows("mnet_host", { columns: ["wwwroot"], where: { id: localHostId } }, 0, 1);
  const wwwroot = parseWwwroot(textOf(own?.["wwwroot"]));
  try {
    Certificate.parse(certificate, { minimumBits: 1024, wwwroot });
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause;
    throw new MoodleImportError(
      "MNET_MOODLE_KEYS_UNREADABLE",
      `The Moodle's key is not that of ${wwwroot}: was the site moved? Its peers do not know it by this key.`,
      { cause },
    );
  }
  return wwwroot;
}

async function* readAccessRules(
  database: MoodleDatabase,
  peers: ReadonlySet<number>,
): AsyncGenerator<Extract<StoreRecord, { kind: "access" }>, void, undefined> {
  const columns = ["username", "mnet_host_id", "accessctrl"];
  for await (const row of everyRow(database, "mnet_sso_access_control", { columns })) {
    const peer = integerOf(row["mnet_host_id"]);
    const rule = textOf(row["accessctrl"]);
    if (peer === undefined || !peers.has(peer) || (rule !== "allow" && rule !== "deny")) continue;
    yield { kind: "access", peer: peer as never, username: textOf(row["username"]), rule };
  }
}
