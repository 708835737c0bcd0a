import type { PeerSettings } from "../../peer/peer-settings.ts";
import type { MoodleSettings } from "./moodle-settings.ts";

/** Sent and taken over in any case, so that no list of ours names them (spec 9.6). */
const FORCED = new Set([
  ...["username", "email", "firstname", "lastname", "auth", "wwwroot", "session.gc_lifetime"],
  ...["_mnet_userpicture_timemodified", "_mnet_userpicture_mimetype"],
]);
/** Columns that Moodle never sends (spec 9.6), and `secret`, which nobody should. */
const NEVER = new Set([
  ...["id", "mnethostid", "timecreated", "timemodified", "deleted", "confirmed", "password", "theme", "lastip"],
  "secret",
]);
const MAXIMUM_FIELDS = 100;

/** The field lists that are in effect for a host; what nobody has set is left to our default, which is Moodle's, too. */
export function fieldListsOf(hostId: number, settings: MoodleSettings): PeerSettings {
  const exportFields = listOf("export", hostId, settings);
  const importFields = listOf("import", hostId, settings);
  return { ...(exportFields && { exportFields }), ...(importFields && { importFields }) };
}

function listOf(
  direction: "export" | "import",
  hostId: number,
  { plugin, exportFields, importFields }: MoodleSettings,
): readonly string[] | undefined {
  const own = plugin.get(`host${hostId}${direction}fields`);
  const usesSites = plugin.get(`host${hostId}${direction}default`) === "1" || own === undefined;
  const list = usesSites ? { export: exportFields, import: importFields }[direction] : own;
  if (list === undefined) return undefined;
  const names = list.split(",").map((name) => name.trim());
  const known = names.filter((name) => /^[a-z][a-z0-9_]{0,63}$/.test(name) && !FORCED.has(name) && !NEVER.has(name));
  return [...new Set(known)].slice(0, MAXIMUM_FIELDS);
}
