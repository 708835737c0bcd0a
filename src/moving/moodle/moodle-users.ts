import type { PeerId, Wwwroot } from "../../core/ids.ts";
import type { Profile } from "../../plug-ins/account.ts";
import { UntrustedHtml } from "../../plug-ins/untrusted-html.ts";
import { everyRow, integerOf, textOf, type MoodleDatabase, type MoodleRow } from "./moodle-database.ts";
import type { MoodleSettings } from "./moodle-settings.ts";

/** A user of another site who has been at the Moodle. For the application to take over: accounts are its own. */
export interface MoodleUser {
  /** The Moodle's id, for whatever else is taken over. */
  readonly moodleId: number;
  /** Her home. The id is that of the imported peer. */
  readonly home: { readonly id: PeerId; readonly wwwroot: Wwwroot };
  /** As her home writes it. */
  readonly username: string;
  /** The Moodle's administrator had locked her out. */
  readonly suspended: boolean;
  /** What the Moodle knows of her, by wire name, as `Accounts.createRemote` takes it. Text from outside. */
  readonly profile: Profile<UntrustedHtml>;
}

/** Of `user`; those that a Moodle has. Never the password, `secret` or the last address. */
const COLUMNS = ["mnethostid", "username", "suspended", "firstname", "lastname", "email"];
const OPTIONAL = ["idnumber", "institution", "department", "city", "country", "lang", "timezone"] as const;
const OTHER = ["phone1", "phone2", "address", "icq", "skype", "yahoo", "aim", "msn", "url"];
const OTHERS = [...OTHER, "middlename", "alternatename", "firstnamephonetic", "lastnamephonetic", "calendartype"];

/** All of them who are not deleted, by their ids. */
export async function* readUsers(
  database: MoodleDatabase,
  { tables, localHostId }: MoodleSettings,
): AsyncGenerator<MoodleUser, void, undefined> {
  const homes = new Map<number, Wwwroot>();
  for await (const row of everyRow(database, "mnet_host", { columns: ["wwwroot"] })) {
    const id = integerOf(row["id"]);
    if (id !== undefined && textOf(row["wwwroot"]) !== "") homes.set(id, textOf(row["wwwroot"]) as Wwwroot);
  }
  const present = tables.get("user") ?? new Set();
  const columns = [...COLUMNS, ...OPTIONAL, ...OTHERS, "description"].filter((column) => present.has(column));
  for await (const row of everyRow(database, "user", {
    columns,
    where: { deleted: 0 },
    except: { mnethostid: localHostId },
  })) {
    const moodleId = integerOf(row["id"]);
    const homeId = integerOf(row["mnethostid"]);
    const wwwroot = homes.get(homeId ?? 0);
    if (moodleId === undefined || homeId === undefined || wwwroot === undefined) continue;
    yield {
      moodleId,
      home: { id: homeId as PeerId, wwwroot },
      username: textOf(row["username"]),
      suspended: textOf(row["suspended"]) === "1",
      profile: profileOf(row),
    };
  }
}

function profileOf(row: MoodleRow): Profile<UntrustedHtml> {
  const texts = (names: readonly string[]): [name: string, text: string][] =>
    names.map((name): [string, string] => [name, textOf(row[name])]).filter(([, text]) => text !== "");
  const others = texts(OTHERS);
  const description = textOf(row["description"]);
  return {
    email: textOf(row["email"]),
    firstname: textOf(row["firstname"]),
    lastname: textOf(row["lastname"]),
    ...Object.fromEntries(texts(OPTIONAL)),
    ...(description !== "" && { description: new UntrustedHtml(description) }),
    ...(others.length > 0 && { other: Object.fromEntries(others) }),
  };
}
