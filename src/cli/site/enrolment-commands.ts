import { Command } from "commander";
import { collect } from "../../core/listing.ts";
import type { BulkRow, PersonDetails } from "../../services/enrolment/remote-enrolment.ts";
import type { CliIo } from "../cli-io.ts";
import type { ExitCode } from "../exit-code.ts";
import { peerKeyOf, readPairs, withSiteOptions, type SiteOptions } from "./open-site.ts";
import { show } from "./show.ts";
import { showOutcomes } from "./show-outcomes.ts";
import { courseNamed, withEnrolment } from "./with-enrolment.ts";

type Options = SiteOptions & { readonly json?: boolean };
type Cached = Options & { readonly refresh?: boolean };
type Change = Options & { readonly dryRun?: boolean };
type Finish = (code: ExitCode) => void;

const COURSE_ARGUMENT = "id, short name or id number";

/** `mnet courses PEER`: where our users can be enrolled. */
export function coursesCommand(io: CliIo): Command {
  return withSiteOptions(new Command("courses"))
    .description("List the courses of a peer in which our users can be enrolled.")
    .argument("<peer>", "id or wwwroot")
    .option("--refresh", "ask the peer now; otherwise what it said within a day will do")
    .option("--json", "for programs")
    .action((key: string, options: Cached) =>
      withEnrolment(options, async (host) => {
        const peer = await host.peers.get(peerKeyOf(key));
        const courses = await host.enrolment.coursesOf(peer, { maxAgeMs: options.refresh ? 0 : undefined });
        const values = courses.map(({ peer: { wwwroot }, ...course }) => ({ peer: wwwroot, ...course }));
        show(io, options.json, values, {
          head: ["id", "short name", "name", "category", "starts", "role"],
          rows: courses.map((course) => [
            course.id,
            course.shortname,
            course.fullname,
            course.category.name,
            course.startsAt,
            course.roleName || undefined,
          ]),
        });
      }),
    );
}

/** `mnet enrolments PEER COURSE`: who of ours is in a course. */
export function enrolmentsCommand(io: CliIo): Command {
  return withSiteOptions(new Command("enrolments"))
    .description("List our users in a course of a peer.")
    .argument("<peer>", "id or wwwroot")
    .argument("<course>", COURSE_ARGUMENT)
    .option("--refresh", "ask the peer now; otherwise what it said within ten minutes will do")
    .option("--json", "for programs")
    .action((key: string, named: string, options: Cached) =>
      withEnrolment(options, async (host) => {
        const course = await courseNamed(host, await host.peers.get(peerKeyOf(key)), named);
        const rows = await host.enrolment.enrolmentsOf(course, { maxAgeMs: options.refresh ? 0 : undefined });
        show(io, options.json, rows, {
          head: ["username", "role", "by", "since"],
          rows: rows.map(({ username, roleName, method, changedAt }) => [
            username,
            roleName || undefined,
            method,
            changedAt,
          ]),
        });
      }),
    );
}

/** `mnet enrol PEER COURSE USERNAME`: one person. */
export function enrolCommand(io: CliIo, finish: Finish): Command {
  return changeCommand("enrol", "Enrol somebody in a course of a peer.")
    .argument("<username>", "as it is to travel: small letters, digits and -._@")
    .requiredOption("--email <address>", "her e-mail address")
    .requiredOption("--firstname <name>", "her first name")
    .requiredOption("--lastname <name>", "her last name")
    .option("--field <pairs...>", "further profile columns, NAME=VALUE; sent if they are on the peer's export list")
    .action((key: string, named: string, username: string, options: Change & Details) => {
      const { email, firstname, lastname, field = [] } = options;
      const fields = Object.fromEntries(readPairs(field));
      const person = { ...fields, username, email, firstname, lastname, other: fields };
      return changeOne(io, finish, { action: "enrol", key, named, people: [person] }, options);
    });
}

interface Details {
  readonly email: string;
  readonly firstname: string;
  readonly lastname: string;
  readonly field?: readonly string[];
}

/** `mnet unenrol PEER COURSE USERNAME…`: people who were enrolled through MNet. */
export function unenrolCommand(io: CliIo, finish: Finish): Command {
  return changeCommand("unenrol", "End enrolments that were made through MNet.")
    .argument("<usernames...>", "as they travel")
    .action((key: string, named: string, usernames: readonly string[], options: Change) => {
      const people = usernames.map((username) => ({ username, email: "", firstname: "", lastname: "" }));
      return changeOne(io, finish, { action: "unenrol", key, named, people }, options);
    });
}

const changeCommand = (name: string, description: string): Command =>
  withSiteOptions(new Command(name))
    .description(description)
    .argument("<peer>", "id or wwwroot")
    .argument("<course>", COURSE_ARGUMENT)
    .option("--dry-run", "change nothing; say what would change")
    .option("--json", "for programs");

async function changeOne(
  io: CliIo,
  finish: Finish,
  what: {
    readonly action: BulkRow["action"];
    readonly key: string;
    readonly named: string;
    readonly people: readonly PersonDetails[];
  },
  options: Change,
): Promise<void> {
  await withEnrolment(options, async (host) => {
    const { action, key, named, people } = what;
    const course = await courseNamed(host, await host.peers.get(peerKeyOf(key)), named);
    const rows = people.map((person) => ({ action, person, course }));
    // A journal of a few rows is of no use to anybody: a key of its own each time.
    const run = { key: `cli ${crypto.randomUUID()}`, dryRun: options.dryRun ?? false };
    finish(showOutcomes(io, options, await collect(host.enrolment.bulk(rows, run))));
  });
}
