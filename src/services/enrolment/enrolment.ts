import * as v from "valibot";
import { ConfigError } from "../../core/errors.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import { implementMethod, serveMethod, type Method } from "../../host/method.ts";
import { createService, type MethodEntry, type Service } from "../../host/service.ts";
import type { Attachment, Site } from "../../host/site.ts";
import type { Accounts } from "../../plug-ins/account.ts";
import type { Courses, Enrolments } from "../../plug-ins/course.ts";
import { ENROLMENT_METHODS, ENROLMENT_SERVICE } from "./enrolment-methods.ts";
import { Publisher, type PublisherPlugIns } from "./publisher.ts";
import type { RemoteEnrolment } from "./remote-enrolment.ts";
import { Subscriber } from "./subscriber.ts";

/** What a site plugs in. With courses and enrolments it publishes and subscribes; without, it only subscribes. */
export type EnrolmentOptions = {
  /** Age at which courses of peers are fetched again, in milliseconds. Default 1 day (spec 10.4). */
  readonly coursesMaxAgeMs?: number | undefined;
  /** The same for who is in them. Default 600,000. */
  readonly enrolmentsMaxAgeMs?: number | undefined;
} & (
  | {
      /** Your users, and those of other sites. */
      readonly accounts: Accounts;
      /** What you offer. */
      readonly courses: Courses;
      /** Who is in which course. */
      readonly enrolments: Enrolments;
    }
  | {
      /** Your users, who are enrolled elsewhere. Left out: whoever is described is believed. */
      readonly accounts?: Accounts | undefined;
      readonly courses?: undefined;
      readonly enrolments?: undefined;
    }
);

const DAY_MS = 24 * 60 * 60 * 1000;

const age = v.optional(v.pipe(v.number(), v.minValue(0)));
const methodsOf = (...names: readonly string[]) =>
  v.custom<object>(
    (input) =>
      typeof input === "object" &&
      input !== null &&
      names.every((name) => typeof (input as Readonly<Record<string, unknown>>)[name] === "function"),
    `Expected an object with the methods ${names.join(", ")}`,
  );
const OPTIONS = v.strictObject({
  coursesMaxAgeMs: age,
  enrolmentsMaxAgeMs: age,
  accounts: v.optional(
    methodsOf("find", "findByUsername", "findRemote", "createRemote", "updateRemote", "profile", "mayRoam"),
  ),
  courses: v.optional(methodsOf("offers")),
  enrolments: v.optional(methodsOf("enrol", "unenrol", "inCourse", "ofAccount", "countOf")),
});

/**
 * Remote enrolment (`mnet_enrol`, spec 10): one site's users in another site's courses. It adds `host.enrolment`.
 *
 * Throws `MNET_CONFIG_INVALID` with the path of a wrong option.
 *
 * @example
 * const host = await createHost({ …, services: [enrolment({ accounts, courses, enrolments })] });
 * await host.peers.setServices(moodle, { mnet_enrol: "both" });
 * const [course] = await host.enrolment.coursesOf(moodle);
 */
export function enrolment(options: EnrolmentOptions = {}): Service<{ readonly enrolment: RemoteEnrolment }> {
  checkOptions(options);
  const { accounts, enrolments } = options;
  const plugIns = options.courses && options;
  const ages = {
    courses: options.coursesMaxAgeMs ?? DAY_MS,
    enrolments: options.enrolmentsMaxAgeMs ?? 600_000,
  };
  return createService<{ readonly enrolment: RemoteEnrolment }>({
    name: ENROLMENT_SERVICE,
    methods: [],
    attach(site): Attachment<{ readonly enrolment: RemoteEnrolment }> {
      return {
        api: { enrolment: new Subscriber(site, { accounts, enrolments, ages }) },
        methods: plugIns ? servedMethods(site, plugIns) : Object.values<MethodEntry>(ENROLMENT_METHODS),
        // A suspended peer may come back, and is not asked or shown meanwhile.
        async peerGone({ id, state }: Peer) {
          if (state !== "suspended") await site.store.remoteCourses.forget(id);
        },
      };
    },
  });
}

function servedMethods(site: Site, plugIns: PublisherPlugIns): readonly MethodEntry[] {
  const publisher = new Publisher(site, plugIns);
  const { availableCourses, userEnrolments, enrolUser, unenrolUser, courseEnrolments } = ENROLMENT_METHODS;
  return [
    implementMethod(availableCourses, (_params, call) => publisher.availableCourses(call)),
    serveMethod(userEnrolments, () => []),
    serveMethod(enrolUser, ({ userdata, courseid }, call, emit) => publisher.enrolUser(userdata, courseid, call, emit)),
    serveMethod(unenrolUser, ({ username, courseid }, call, emit) =>
      publisher.unenrolUser(username, courseid, call, emit),
    ),
    implementMethod(courseEnrolments, (params, call) => {
      const { courseid, roles = [] } = params as ParamsOf<typeof courseEnrolments>;
      return publisher.courseEnrolments(courseid, roles, call);
    }),
  ];
}

type ParamsOf<M> = M extends Method<infer P, unknown> ? P : never;

function checkOptions(options: EnrolmentOptions): void {
  const result = v.safeParse(OPTIONS, options, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw new ConfigError("MNET_CONFIG_INVALID", `${v.getDotPath(issue) ?? "The options"}: ${issue.message}.`, {
      option: v.getDotPath(issue) ?? undefined,
    });
  }
  const { accounts, courses, enrolments }: { readonly [K in keyof PublisherPlugIns]?: unknown } = options;
  if (courses === undefined && enrolments === undefined) return;
  const missing = Object.entries({ accounts, courses, enrolments }).find(([, plugIn]) => plugIn === undefined);
  if (!missing) return;
  throw new ConfigError("MNET_CONFIG_INVALID", "Courses are offered with accounts, courses and enrolments together.", {
    option: missing[0],
  });
}
