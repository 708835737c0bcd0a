/** Columns that always travel, whatever the field lists say (spec 9.6). */
export const FORCED_COLUMNS: ReadonlySet<string> = new Set([
  "username",
  "email",
  "firstname",
  "lastname",
  "auth",
  "wwwroot",
  "session.gc_lifetime",
  "session.gc_maxlifetime",
  "myhosts",
  "_mnet_userpicture_timemodified",
  "_mnet_userpicture_mimetype",
]);

/**
 * Columns that never travel: those that Moodle keeps back (spec 9.6), and those that it should (H-19, H-20): secrets,
 * states that only the own site decides, and when and from where somebody was here.
 */
const NEVER: ReadonlySet<string> = new Set([
  "id",
  "mnethostid",
  "timecreated",
  "timemodified",
  "deleted",
  "confirmed",
  "password",
  "theme",
  "lastip",
  "secret",
  "suspended",
  "policyagreed",
  "trustbitmask",
  "firstaccess",
  "lastaccess",
  "lastlogin",
  "currentlogin",
  "__proto__",
]);

/** Whether a column may be on a field list. Forced ones may, without effect. */
export const mayTravel = (column: string): boolean => !NEVER.has(column);
