import { MnetError } from "../../core/errors.ts";
import type { PeerId, Wwwroot } from "../../core/ids.ts";
import type { ApplicationName } from "../../core/peer-snapshot.ts";
import { Certificate } from "../../crypto/certificate.ts";
import { APPLICATIONS } from "../../peer/application.ts";
import type { PeerRecord } from "../../peer/peer-store.ts";
import { serviceFlag, type ServiceFlag, type ServiceFlags } from "../../peer/service-flags.ts";
import { cleanName } from "../../peer/site-title.ts";
import { canonicalWwwroot, parseWwwroot } from "../../peer/wwwroot.ts";
import { fieldListsOf } from "./field-lists.ts";
import { everyRow, integerOf, textOf, type MoodleDatabase, type MoodleRow } from "./moodle-database.ts";
import type { MoodleSettings } from "./moodle-settings.ts";

/** Something that did not come over as it was. */
export interface MoodleWarning {
  /** Of the host that it is about; the Moodle's id of it where there is none. */
  readonly host: string;
  /** For people. */
  readonly message: string;
}

/** The boxes of each host, by its id; those of All Hosts among them. */
export type BoxesByHost = ReadonlyMap<number, ServiceFlags>;

/** Reads `mnet_host2service`. */
export async function readBoxes(database: MoodleDatabase): Promise<BoxesByHost> {
  const names = new Map<number, string>();
  for await (const row of everyRow(database, "mnet_service", { columns: ["name"] })) {
    names.set(integerOf(row["id"]) ?? 0, textOf(row["name"]));
  }
  const boxes = new Map<number, Record<string, ServiceFlag>>();
  const columns = ["hostid", "serviceid", "publish", "subscribe"];
  for await (const row of everyRow(database, "mnet_host2service", { columns })) {
    const host = integerOf(row["hostid"]) ?? 0;
    const service = names.get(integerOf(row["serviceid"]) ?? 0);
    const flag = serviceFlag({ publish: textOf(row["publish"]) === "1", subscribe: textOf(row["subscribe"]) === "1" });
    if (service === undefined || flag === "off") continue;
    const flags = boxes.get(host) ?? {};
    boxes.set(host, flags);
    flags[service] = flag;
  }
  return boxes;
}

/** Reads `mnet_host`: every other site, as a store keeps it, with the id that stands in links. */
export async function* readHosts(
  database: MoodleDatabase,
  settings: MoodleSettings,
  boxes: BoxesByHost,
  warn: (warning: MoodleWarning) => void,
): AsyncGenerator<PeerRecord, void, undefined> {
  const applications = await readApplications(database);
  const hasTls = settings.tables.get("mnet_host")?.has("sslverification") === true;
  const columns = ["wwwroot", "name", "public_key", "deleted", "last_connect_time", "applicationid"];
  const seen = new Map<string, string>();
  for await (const row of everyRow(database, "mnet_host", {
    columns: hasTls ? [...columns, "sslverification"] : columns,
  })) {
    const id = integerOf(row["id"]);
    if (id === undefined || id === settings.localHostId || id === settings.allHostsId) continue;
    const host = textOf(row["wwwroot"]) || `host ${id}`;
    try {
      const application = applications.get(integerOf(row["applicationid"]) ?? 0);
      if (!application) warn({ host, message: "Its software is neither Moodle nor Mahara; it is taken for a Moodle." });
      const peer = peerOf(id, row, { application: application ?? "moodle", settings, boxes });
      const twin = seen.get(peer.canonical);
      if (twin !== undefined) {
        warn({ host, message: `Left out: it is another spelling of ${twin}, which came before.` });
        continue;
      }
      seen.set(peer.canonical, peer.wwwroot);
      for (const message of remarksOn(peer, row)) warn({ host, message });
      yield peer;
    } catch (error) {
      if (!MnetError.is(error)) throw error;
      warn({ host, message: `Left out: ${error.message}` });
    }
  }
}

/** By id. A kind of software that somebody has added by hand is what it is called like. */
async function readApplications(database: MoodleDatabase): Promise<ReadonlyMap<number, ApplicationName>> {
  const applications = new Map<number, ApplicationName>();
  for await (const row of everyRow(database, "mnet_application", { columns: ["name", "xmlrpc_server_url"] })) {
    const name = (["moodle", "mahara"] as const).find(
      (known) => row["name"] === known || row["xmlrpc_server_url"] === APPLICATIONS[known].rpcPath,
    );
    if (name) applications.set(integerOf(row["id"]) ?? 0, name);
  }
  return applications;
}

/** Throws `ConfigError` and `KeyError` for what can be no peer. */
function peerOf(
  id: number,
  row: MoodleRow,
  {
    application,
    settings,
    boxes,
  }: { readonly application: ApplicationName; readonly settings: MoodleSettings; readonly boxes: BoxesByHost },
): PeerRecord {
  const wwwroot = parseWwwroot(textOf(row["wwwroot"]));
  const certificate = Certificate.parse(textOf(row["public_key"]), { minimumBits: 1024, wwwroot });
  const lastContact = integerOf(row["last_connect_time"]) ?? 0;
  return {
    id: id as PeerId,
    version: 1,
    wwwroot,
    canonical: canonicalWwwroot(wwwroot),
    name: cleanName(textOf(row["name"])) || new URL(wwwroot).host,
    application,
    state: textOf(row["deleted"]) === "1" ? "deleted" : "active",
    certificate: certificate.pem,
    retired: [],
    settings: {
      ...fieldListsOf(id, settings),
      ...(certificate.modulusBits < 2048 && { legacy: { smallKeys: true } }),
    },
    services: boxes.get(id) ?? {},
    ...(lastContact > 0 && { lastContactAt: lastContact * 1000 }),
  };
}

const isEncrypted = (wwwroot: Wwwroot): boolean => wwwroot.startsWith("https:");

function* remarksOn({ id, wwwroot, settings, state }: PeerRecord, row: MoodleRow): Generator<string, void, undefined> {
  if (state === "deleted") return;
  if (settings.legacy?.smallKeys) yield "Its key has less than 2048 bits; legacy.smallKeys is set for it.";
  const tls = row["sslverification"];
  if (isEncrypted(wwwroot) && tls !== undefined && textOf(tls) !== "2") {
    const name = textOf(tls) === "1" ? "host-name" : "none";
    yield `The Moodle did not check its TLS certificate fully; here it is checked. To go on as before: mnet peers set ${id} legacy.tls=${name}`;
  }
}
