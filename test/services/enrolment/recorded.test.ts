import { describe, expect, it } from "vitest";
import type { Wwwroot } from "../../../src/core/ids.ts";
import type { Peer } from "../../../src/core/peer-snapshot.ts";
import type { Enrolment } from "../../../src/plug-ins/course.ts";
import { enrolment } from "../../../src/services/enrolment/enrolment.ts";
import { memoryCourses, type MemoryCourse } from "../../../src/testing/memory-courses.ts";
import { decode } from "../../../src/xmlrpc/decode.ts";
import type { XmlRpcValue } from "../../../src/xmlrpc/value.ts";
import { exchangeNames, RECORDINGS } from "../../support/fixtures.ts";
import { openAnswer, post } from "../../support/hosts.ts";
import { listedAccounts } from "../../support/listed-accounts.ts";
import { keyOf, recordedReceiver, recordedRequest, type RecordedRequest } from "../../support/recorded-exchange.ts";

type Fields = Readonly<Record<string, string>>;

const exchanges = RECORDINGS.flatMap((recording) =>
  exchangeNames(recording).map((name) => recordedRequest(recording, name)),
).filter(({ method }) => method?.startsWith("enrol/mnet/enrol.php/"));
const method = ({ method: name }: RecordedRequest): string => name!.slice(name!.lastIndexOf("/") + 1);

/** What the recorded site answered: a value, or code and text of a fault. */
function outcomeIn(document: Uint8Array): unknown {
  const decoded = decode(document);
  if (decoded.kind === "call") throw new Error("That is a call.");
  return decoded.kind === "fault" ? [decoded.faultCode, decoded.faultString] : plain(decoded.value);
}
const recordedOutcome = (exchange: RecordedRequest): unknown => {
  const reader = { key: keyOf(exchange, exchange.from!) };
  return outcomeIn(openAnswer(Buffer.from(exchange.response.bodyBase64!, "base64"), reader).document);
};
/** Decoded structs have no prototype. */
const plain = (value: XmlRpcValue): unknown => JSON.parse(JSON.stringify(value)) as unknown;

/** The courses that the recorded sites had, with what they offered to whom: as one of their answers tells. */
const told = recordedOutcome(recordedRequest("moodle-4.5", "064-available_courses")) as readonly Fields[];
const role = { id: 5, shortname: "student", name: "" };
const CATEGORY = { id: 2, name: "Arts & Wissenschaft" };
const courses: readonly MemoryCourse[] = [
  ...told.map((fields) => ({
    id: Number(fields["remoteid"]),
    fullname: fields["fullname"]!,
    shortname: fields["shortname"]!,
    idnumber: fields["idnumber"],
    summary: fields["summary"],
    startsAt: new Date(Number(fields["startdate"]) * 1000),
    sortOrder: Number(fields["sortorder"]),
    category: { id: Number(fields["cat_id"]), name: fields["cat_name"]!, description: fields["cat_description"] },
    offers: [{ role }],
  })),
  { id: 4, fullname: "Hidden", shortname: "HIDDEN", category: CATEGORY, visible: false, offers: [{ role }] },
  { id: 5, fullname: "Not offered", shortname: "LOCAL", category: CATEGORY },
];

/** The recorded site at that moment, played by a host. */
async function answerOf(exchange: RecordedRequest): Promise<{ readonly outcome: unknown; readonly created: number }> {
  const accounts = listedAccounts();
  const home = { wwwroot: exchange.from as Wwwroot } as Peer;
  const profile = { email: "x@a.test", firstname: "x", lastname: "y" };
  for (const name of ["student1", "student2"]) await accounts.createRemote(home, name, profile);
  const offered = memoryCourses(courses);
  const enrolments = {
    ...offered,
    async inCourse(courseId: number): Promise<readonly Enrolment[]> {
      const rows = recordedOutcome(exchange) as readonly Fields[];
      return rows.map(({ username, shortname, name, enrol, timemodified }) => ({
        account: accounts.all.find((account) => account.username === username)!,
        course: courses.find(({ id }) => id === courseId)!,
        role: { id: 5, shortname: shortname!, name: name! },
        method: enrol!,
        changedAt: new Date(Number(timemodified) * 1000),
      }));
    },
  };
  const services = [enrolment({ accounts, courses: offered, enrolments })];
  const { host } = await recordedReceiver(exchange, { services, flags: { mnet_enrol: "publish" } });
  try {
    const body = await post(host, Buffer.from(exchange.request.bodyBase64!, "base64"));
    const { document } = openAnswer(body, { key: keyOf(exchange, exchange.from!) });
    return { outcome: outcomeIn(document), created: accounts.all.length - 2 };
  } finally {
    await host.close();
  }
}

const ids: Readonly<Record<string, string>> = {
  available_courses: "MNET-123",
  enrol_user: "MNET-124",
  unenrol_user: "MNET-124 MNET-125",
  course_enrolments: "MNET-126",
  user_enrolments: "MNET-126",
};

describe("recorded enrolment", () => {
  it("there is every method, of three versions of Moodle", () => {
    expect(exchanges.length).toBeGreaterThan(20);
    expect(new Set(exchanges.map(method))).toEqual(new Set(Object.keys(ids)));
    expect(new Set(exchanges.map(({ recording }) => recording))).toEqual(
      new Set(["moodle-3.11", "moodle-4.2-https", "moodle-4.5"]),
    );
    const codes = exchanges.flatMap(({ faultCode }) => faultCode ?? []);
    expect(new Set(codes)).toEqual(new Set([17, 707, 5012, 5013, 5014, 5021].filter((code) => codes.includes(code))));
    expect(codes.filter((code) => code > 5000).length).toBeGreaterThanOrEqual(8);
  });

  it.each(
    exchanges
      // Not published by that site's administrator; here it is.
      .filter(({ faultCode }) => faultCode !== 707 && faultCode !== 7012)
      .map((exchange) => [ids[method(exchange)], exchange.recording, exchange.name, exchange] as const),
  )("%s %s/%s is answered with the same content, or the same fault", async (_, _recording, _name, exchange) => {
    const { outcome, created } = await answerOf(exchange);
    expect(outcome).toEqual(recordedOutcome(exchange));
    // No fault leaves an account behind (H-35).
    expect(created).toBe(0);
  });
});

describe("recorded introspection", () => {
  const publish = { services: [] as never[], flags: { mnet_enrol: "publish" as const } };

  async function introspected(name: string): Promise<readonly [ours: unknown, theirs: unknown]> {
    const exchange = recordedRequest("moodle-4.5", name);
    const offered = memoryCourses();
    const services = [enrolment({ accounts: listedAccounts(), courses: offered, enrolments: offered })];
    const { host } = await recordedReceiver(exchange, { ...publish, services });
    const body = await post(host, Buffer.from(exchange.request.bodyBase64!, "base64"));
    const { document } = openAnswer(body, { key: keyOf(exchange, exchange.from!) });
    await host.close();
    return [outcomeIn(document), recordedOutcome(exchange)];
  }

  it("MNET-098 the service has the methods of Moodle's", async () => {
    const [ours, theirs] = await introspected("006-system-listMethods-mnet_enrol");
    expect(ours).toEqual(theirs);
  });

  it.each([
    "016-system-methodSignature-enrol_user",
    "018-system-methodSignature-course_enrolments",
    "020-system-methodSignature-available_courses",
  ])("%s: the same names and types", async (name) => {
    interface Signature {
      readonly parameters: readonly { readonly name: string; readonly type: string }[];
      readonly return: { readonly type: string };
    }
    const shape = (value: unknown) => {
      const { parameters, return: returned } = value as Signature;
      return [parameters.map((parameter) => [parameter.name, parameter.type]), returned.type];
    };
    const [ours, theirs] = await introspected(name);
    expect(shape(ours)).toEqual(shape(theirs));
  });
});
