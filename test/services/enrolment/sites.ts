import type { HostWith } from "../../../src/host/host.ts";
import { defineService, type ServiceDefinition } from "../../../src/host/define-service.ts";
import type { MnetEvent } from "../../../src/core/events.ts";
import type { Service } from "../../../src/host/service.ts";
import type { Store } from "../../../src/host/store.ts";
import { t } from "../../../src/host/wire-type.ts";
import { enrolment, type EnrolmentOptions } from "../../../src/services/enrolment/enrolment.ts";
import type { RemoteEnrolment } from "../../../src/services/enrolment/remote-enrolment.ts";
import { memoryCourses, type MemoryCourse, type MemoryCourses } from "../../../src/testing/memory-courses.ts";
import { testNetwork, type TestNetwork } from "../../../src/testing/test-network.ts";
import { keyedStore } from "../../support/hosts.ts";
import { listedAccounts, type ListedAccounts } from "../../support/listed-accounts.ts";

export type EnrolmentHost = HostWith<readonly [Service<{ readonly enrolment: RemoteEnrolment }>]>;

export const STUDENT = { id: 5, shortname: "student", name: "Student" };
const CATEGORY = { id: 1, name: "Sport" };

/** A course that is offered to all. */
export const course = (id: number, more: Partial<MemoryCourse> = {}): MemoryCourse => ({
  id,
  fullname: `Course ${id}`,
  shortname: `C${id}`,
  category: CATEGORY,
  offers: [{ role: STUDENT }],
  ...more,
});

/** Somebody of whom all is known. */
export const person = (username: string) => ({
  username,
  email: `${username}@home.example`,
  firstname: "First",
  lastname: "Last",
});

/** A site that offers courses. */
export interface OfferingSite {
  readonly host: EnrolmentHost;
  readonly courses: MemoryCourses;
  readonly accounts: ListedAccounts;
  /** Calls of methods that it served, by their last segment. */
  readonly calls: string[];
}

/** A site and others that offer courses to it. */
export interface Sites {
  readonly network: TestNetwork;
  readonly home: EnrolmentHost;
  readonly store: Store;
  readonly events: MnetEvent[];
  readonly offering: readonly OfferingSite[];
}

export const HOME = "https://home.example";
export const offeringWwwroot = (n: number): string => `https://lms${n}.example/moodle`;

/** Makes the sites and connects them. */
export async function sites({
  offering: count = 1,
  courses: offered = [course(1), course(2)],
  home: options = {},
  services = [],
}: {
  readonly offering?: number;
  readonly courses?: readonly MemoryCourse[];
  readonly home?: EnrolmentOptions;
  readonly services?: readonly Service[];
} = {}): Promise<Sites> {
  const network = testNetwork();
  const store = await keyedStore(HOME, 0);
  const events: MnetEvent[] = [];
  const observer = (event: MnetEvent): void => void events.push(event);
  const home = (await network.host(HOME, {
    store,
    observer,
    services: [enrolment(options), ...services],
  })) as EnrolmentHost;
  const offering = await Promise.all(
    Array.from({ length: count }, async (_, n): Promise<OfferingSite> => {
      const [accounts, courses, calls] = [listedAccounts(), memoryCourses(offered), [] as string[]];
      const host = (await network.host(offeringWwwroot(n), {
        store: await keyedStore(offeringWwwroot(n), n + 1),
        services: [enrolment({ accounts, courses, enrolments: courses })],
        observer(event) {
          if (event.type === "call.served") calls.push(event.method.slice(event.method.lastIndexOf("/") + 1));
        },
      })) as EnrolmentHost;
      await network.connect(home, host, { mnet_enrol: "subscribe" });
      calls.length = 0;
      return { host, courses, accounts, calls };
    }),
  );
  return { network, home, store, events, offering };
}

/** Answers of an old or odd site, method by method. */
export function answering(answers: Readonly<Record<string, unknown>>): Service {
  const method = { params: { a: t.value().optional(), b: t.value().optional() }, returns: t.value() };
  const definition: ServiceDefinition<Record<string, typeof method>> = defineService({
    name: "mnet_enrol",
    path: "enrol/mnet/enrol.php",
    methods: Object.fromEntries(Object.keys(answers).map((name) => [name, method])),
  });
  return definition.implement(
    Object.fromEntries(Object.entries(answers).map(([name, value]) => [name, () => value as never])),
  );
}
