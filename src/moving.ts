/**
 * A site from one place to another: into an archive and out of it, and out of a Moodle's database.
 *
 * @module mnet/moving
 */
export { exportSite, type ExportOptions } from "./moving/archive/export-site.ts";
export { importSite, type ImportOptions, type ImportReport } from "./moving/archive/import-site.ts";
export { openMoodleDatabase, type MoodleDatabaseOptions } from "./moving/moodle/open-moodle-database.ts";
export type { MoodleDatabase, MoodleQuery, MoodleRow, MoodleValue } from "./moving/moodle/moodle-database.ts";
export type { MoodleWarning } from "./moving/moodle/moodle-hosts.ts";
export type { MoodleUser } from "./moving/moodle/moodle-users.ts";
export {
  importMoodle,
  moodleUsers,
  previewMoodle,
  type MoodleImport,
  type MoodleImportOptions,
} from "./moving/moodle/import-moodle.ts";
