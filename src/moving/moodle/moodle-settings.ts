import { MoodleImportError } from "../../core/errors.ts";
import { everyRow, integerOf, textOf, type MoodleDatabase } from "./moodle-database.ts";

/** What an import needs of a Moodle: tables since 1.9, and of each the columns that all versions have. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  config: ["name", "value"],
  config_plugins: ["plugin", "name", "value"],
  mnet_application: ["name", "xmlrpc_server_url"],
  mnet_host: ["wwwroot", "name", "public_key", "deleted", "last_connect_time", "applicationid"],
  mnet_host2service: ["hostid", "serviceid", "publish", "subscribe"],
  mnet_service: ["name"],
  mnet_sso_access_control: ["username", "mnet_host_id", "accessctrl"],
  user: ["username", "mnethostid", "deleted", "firstname", "lastname", "email"],
};

const SETTINGS = [
  "release",
  "mnet_localhost_id",
  "mnet_all_hosts_id",
  "mnet_dispatcher_mode",
  "mnet_register_allhosts",
  "mnetkeylifetime",
  "mnetprofileexportfields",
  "mnetprofileimportfields",
];

/** What is set once for a Moodle. */
export interface MoodleSettings {
  /** Such as `4.5.6 (Build: 20250811)`. */
  readonly release: string;
  readonly localHostId: number;
  readonly allHostsId: number | undefined;
  readonly dispatcherMode: string;
  readonly registersAllHosts: boolean;
  readonly keyLifetimeDays: number | undefined;
  /** Of the plugin `mnet`: keys, and what is set for single peers. */
  readonly plugin: ReadonlyMap<string, string>;
  readonly exportFields: string | undefined;
  readonly importFields: string | undefined;
  /** The columns of each table that an import reads. */
  readonly tables: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Reads what is set. Throws `MNET_MOODLE_TABLES_MISSING`, and `MNET_MOODLE_NETWORKING_UNUSED` if it never had a network. */
export async function readMoodleSettings(database: MoodleDatabase): Promise<MoodleSettings> {
  const tables = await database.tables();
  requireTables(tables);
  const config = new Map<string, string>();
  for (const name of SETTINGS) {
    for await (const row of everyRow(database, "config", { columns: ["value"], where: { name } })) {
      config.set(name, textOf(row["value"]));
    }
  }
  const plugin = new Map<string, string>();
  for await (const row of everyRow(database, "config_plugins", {
    columns: ["name", "value"],
    where: { plugin: "mnet" },
  })) {
    plugin.set(textOf(row["name"]), textOf(row["value"]));
  }
  const localHostId = integerOf(config.get("mnet_localhost_id"));
  if (localHostId === undefined) {
    throw new MoodleImportError(
      "MNET_MOODLE_NETWORKING_UNUSED",
      "This Moodle does not know itself as a host (mnet_localhost_id is not set): it never was in a network.",
    );
  }
  return {
    release: config.get("release") ?? "",
    localHostId,
    allHostsId: integerOf(config.get("mnet_all_hosts_id")),
    dispatcherMode: config.get("mnet_dispatcher_mode") ?? "off",
    registersAllHosts: config.get("mnet_register_allhosts") === "1",
    keyLifetimeDays: integerOf(config.get("mnetkeylifetime")),
    plugin,
    exportFields: config.get("mnetprofileexportfields"),
    importFields: config.get("mnetprofileimportfields"),
    tables,
  };
}

function requireTables(tables: ReadonlyMap<string, ReadonlySet<string>>): void {
  const missing = Object.entries(NEEDED).flatMap(([table, columns]) => {
    const present = tables.get(table);
    if (!present) return [table];
    return ["id", ...columns].filter((column) => !present.has(column)).map((column) => `${table}.${column}`);
  });
  if (missing.length === 0) return;
  throw new MoodleImportError(
    "MNET_MOODLE_TABLES_MISSING",
    missing.length === Object.keys(NEEDED).length
      ? "There is no Moodle in this database, or its tables have another prefix: give that with prefix (--prefix)."
      : `This is no Moodle from 1.9 to 4.5, or only a part of one. Missing: ${missing.join(", ")}.`,
  );
}
