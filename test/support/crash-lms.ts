import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { nodeHandler } from "../../src/adapters/node-handler.ts";
import { createHost } from "../../src/create-host.ts";
import type { MnetEvent } from "../../src/core/events.ts";
import type { Host } from "../../src/host/host.ts";
import { enrolment } from "../../src/services/enrolment/enrolment.ts";
import { memoryCourses, type MemoryCourses } from "../../src/testing/memory-courses.ts";
import { insertPeer, keyedStore, type KeyedSite } from "./hosts.ts";
import { listedAccounts, type ListedAccounts } from "./listed-accounts.ts";

/** Ids of the courses of every site; their short names are these with a C before them. */
export const COURSES = [1, 2, 3];

/** A site with courses, on a socket, that another site enrols its users at. It is never killed. */
export interface Lms {
  readonly host: Host;
  /** Changes that it was asked for. */
  readonly changes: number;
  /** Who is in which course, one text for each. */
  state(): Promise<readonly string[]>;
  /** Puts nobody into the courses, and counts from zero. */
  reset(): void;
  close(): Promise<void>;
}

/** What is told while it works. */
export interface LmsObserver {
  readonly onEvent?: (event: MnetEvent) => void;
  /** Somebody is to be enrolled or unenrolled. */
  readonly onChange?: (action: "enrol" | "unenrol", username: string, courseId: number) => void;
}

/** Starts one with the `n`th key, for the users of a home. */
export async function startLms(n: number, home: KeyedSite, { onEvent, onChange }: LmsObserver = {}): Promise<Lms> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const wwwroot = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = await keyedStore(wwwroot, n);
  await insertPeer(store, home, {
    services: { mnet_enrol: "publish" },
    settings: { maxEnrolments: 1_000_000 },
  });
  let changes = 0;
  let all = coursesOfNobody();
  // The courses can be replaced under the host.
  const courses: MemoryCourses = new Proxy(all, {
    get(_, name): unknown {
      if (onChange && (name === "enrol" || name === "unenrol")) {
        return (...given: Parameters<MemoryCourses["enrol"]>) => {
          onChange(name, given[0].username, given[1].id);
          return all[name](...given);
        };
      }
      return Reflect.get(all, name);
    },
  });
  const host = await createHost({
    wwwroot,
    name: "An LMS",
    store,
    services: [enrolment({ accounts: indexed(listedAccounts()), courses, enrolments: courses })],
    network: { allowAddresses: ["127.0.0.0/8"] },
    maintenance: "manual",
    observer(event) {
      if (event.type === "call.served" && /\/(?:un)?enrol_user$/.test(event.method)) changes += 1;
      onEvent?.(event);
    },
  });
  server.on("request", nodeHandler(host));
  return {
    host,
    get changes() {
      return changes;
    },
    async state() {
      const peer = await host.peers.get(home.wwwroot);
      const inside = await Promise.all(COURSES.map((id) => all.inCourse(id, peer)));
      return inside
        .flat()
        .map(({ account, course, method }) => `${wwwroot} ${course.id} ${account.username} ${method}`)
        .sort();
    },
    reset() {
      changes = 0;
      all = coursesOfNobody();
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await host.close();
    },
  };
}

const coursesOfNobody = (): MemoryCourses =>
  memoryCourses(
    COURSES.map((id) => ({
      id,
      fullname: `Course ${id}`,
      shortname: `C${id}`,
      category: { id: 1, name: "All" },
      offers: [{ role: { id: 5, shortname: "student", name: "Student" } }],
    })),
  );

/** Looks accounts up by name without going through all of them. */
function indexed(accounts: ListedAccounts): ListedAccounts {
  const byName = new Map<string, Awaited<ReturnType<ListedAccounts["createRemote"]>>>();
  return {
    ...accounts,
    async findRemote(_home, username) {
      return byName.get(username);
    },
    async createRemote(home, username, profile) {
      const account = byName.get(username) ?? { id: `account-${byName.size}`, username, home: home.wwwroot, profile };
      byName.set(username, account);
      return account;
    },
  };
}
