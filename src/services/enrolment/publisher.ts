import { Serial } from "../../core/serial.ts";
import type { Emit } from "../../core/events.ts";
import type { PeerId } from "../../core/ids.ts";
import { referenceTo, type Peer } from "../../core/peer-snapshot.ts";
import { mnetFault, type Fault } from "../../host/fault.ts";
import type { IncomingCall } from "../../host/service.ts";
import type { Site } from "../../host/site.ts";
import type { Account, Accounts } from "../../plug-ins/account.ts";
import type { CourseOffer, Courses, Enrolments } from "../../plug-ins/course.ts";
import { enrolmentFields, offerFields } from "../../plug-ins/course-fields.ts";
import { importProfile } from "../../plug-ins/profile-fields.ts";
import { isRemoteUsername } from "../../plug-ins/usernames.ts";
import type { XmlRpcStruct } from "../../xmlrpc/value.ts";

/** What a site that offers courses plugs in. */
export interface PublisherPlugIns {
  readonly accounts: Accounts;
  readonly courses: Courses;
  readonly enrolments: Enrolments;
}

/** Faults of enrolment with Moodle's texts, which are keys of its language file (spec 10.3). */
const FAULTS = {
  couldNotCreateUser: mnetFault(5011, "enrol_mnet/couldnotcreateuser"),
  courseNotFound: mnetFault(5012, "enrol_mnet/coursenotfound"),
  courseUnavailable: mnetFault(5013, "enrol_mnet/courseunavailable"),
  userNotFound: mnetFault(5014, "enrol_mnet/usernotfound"),
  couldNotEnrol: mnetFault(5019, "enrol_mnet/couldnotenrol"),
  couldNotUnenrol: mnetFault(5020, "enrol_mnet/couldnotunenrol"),
  emptyUsername: mnetFault(5021, "enrol_mnet/emptyusername"),
} as const;

const ROLE_ORDER: Readonly<Record<CourseOffer["offeredTo"], number>> = { "this-peer": 0, "all-hosts": 1 };

/** What one call is about. */
interface Request {
  readonly peer: Peer;
  readonly method: string;
  readonly courseId: number;
  readonly username: string;
  readonly emit: Emit;
}

/** Answers peers whose users are to be enrolled here (spec 10.2). Whom they may enrol where is decided here; plug-ins only read and write. */
export class Publisher {
  readonly #site: Site;
  readonly #plugIns: PublisherPlugIns;
  /** A quota is counted and used up by one call of a peer at a time. */
  readonly #byPeer = new Serial<PeerId>();

  constructor(site: Site, plugIns: PublisherPlugIns) {
    this.#site = site;
    this.#plugIns = plugIns;
  }

  /** All courses that the peer may see, each once (MNET-123). */
  async availableCourses({ peer }: IncomingCall): Promise<readonly XmlRpcStruct[]> {
    const offers = preferred(await this.#plugIns.courses.offers(peer));
    return offers.map((offer) => offerFields(offer, this.#site.wwwroot));
  }

  /**
   * `true`, or a fault; enrolled already is `true` (MNET-124). Course and quota are looked at before an account is made
   * (H-35).
   */
  async enrolUser(user: XmlRpcStruct, courseId: number, { peer, method }: IncomingCall, emit: Emit): Promise<true> {
    const given = user["username"];
    const username = typeof given === "string" || typeof given === "number" ? String(given) : "";
    const request = { peer, method, courseId, username, emit };
    if (username.trim() === "") throw this.#refused(request, FAULTS.emptyUsername);
    const offer = await this.#offer(request);
    await this.#byPeer.run(peer.id, async () => {
      const existing = await this.#ofPeer(peer, username);
      if (await this.#isFull(peer)) {
        if (existing && (await this.#isEnrolled(existing, offer))) return;
        throw this.#refused(request, FAULTS.couldNotEnrol);
      }
      const account = existing ?? (await this.#create(request, user));
      const { enrolments } = this.#plugIns;
      const isNew = await this.#attempt(request, FAULTS.couldNotEnrol, () => enrolments.enrol(account, offer));
      if (isNew) this.#changed(request, "enrolled");
    });
    return true;
  }

  /** `true`, also if there was nothing to undo, or a fault. Only what MNet made is undone (MNET-125). */
  async unenrolUser(username: string, courseId: number, { peer, method }: IncomingCall, emit: Emit): Promise<true> {
    const request = { peer, method, courseId, username, emit };
    const account = username === "" ? undefined : await this.#ofPeer(peer, username);
    if (!account) throw this.#refused(request, FAULTS.userNotFound);
    const offer = await this.#offer(request);
    const { enrolments } = this.#plugIns;
    const wasEnrolled = await this.#attempt(request, FAULTS.couldNotUnenrol, () => enrolments.unenrol(account, offer));
    if (wasEnrolled) this.#changed(request, "unenrolled");
    return true;
  }

  /** The peer's own users in a course that is offered to it (MNET-126); no roles are all roles. */
  async courseEnrolments(
    courseId: number,
    roles: readonly string[],
    { peer }: IncomingCall,
  ): Promise<readonly XmlRpcStruct[]> {
    const offers = await this.#offersOf(peer, courseId);
    if (offers.length === 0) return [];
    const inCourse = await this.#plugIns.enrolments.inCourse(courseId, peer);
    return inCourse
      .filter(({ account, role }) => isOf(peer, account) && (roles.length === 0 || roles.includes(role.shortname)))
      .map(enrolmentFields);
  }

  async #offer(request: Request): Promise<CourseOffer> {
    const { peer, courseId } = request;
    const [offer] = await this.#offersOf(peer, courseId);
    if (offer) return offer;
    const isThere = (await this.#plugIns.courses.exists?.(courseId)) ?? true;
    throw this.#refused(request, isThere ? FAULTS.courseUnavailable : FAULTS.courseNotFound);
  }

  /** The offer of the course that counts, or none. */
  async #offersOf(peer: Peer, courseId: number): Promise<readonly CourseOffer[]> {
    return preferred((await this.#plugIns.courses.offers(peer, courseId)).filter(({ id }) => id === courseId));
  }

  /** Makes her account. An existing one is never changed by an enrolment (spec 10.2). */
  async #create(request: Request, user: XmlRpcStruct): Promise<Account> {
    const { peer, username } = request;
    const { signIn, importFields } = await this.#site.settings(peer);
    const rule = (await this.#site.store.access.get(peer.id, username)) ?? signIn;
    if (rule === "deny" || !isRemoteUsername(username)) throw this.#refused(request, FAULTS.couldNotCreateUser);
    return this.#attempt(request, FAULTS.couldNotCreateUser, async () => {
      const made = await this.#plugIns.accounts.createRemote(peer, username, importProfile(user, importFields));
      if (!isOf(peer, made)) throw new Error("createRemote resolved with an account whose home is not the peer.");
      return made;
    });
  }

  /** Whether the peer's users hold as many enrolments as they may (SEC-067). */
  async #isFull(peer: Peer): Promise<boolean> {
    const { maxEnrolments } = await this.#site.settings(peer);
    return (await this.#plugIns.enrolments.countOf(peer)) >= maxEnrolments;
  }

  async #isEnrolled(account: Account, offer: CourseOffer): Promise<boolean> {
    const hers = await this.#plugIns.enrolments.ofAccount(account);
    return hers.some(({ course, method }) => course.id === offer.id && method === "mnet");
  }

  /** Keyed by (peer, username) and by nothing else (SEC-059). */
  async #ofPeer(peer: Peer, username: string): Promise<Account | undefined> {
    const account = await this.#plugIns.accounts.findRemote(peer, username);
    return account && isOf(peer, account) ? account : undefined;
  }

  /** What a plug-in throws is told here, and to the peer as the fault. */
  async #attempt<T>(request: Request, fault: Fault, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const { peer, method, emit } = request;
      emit({ type: "handler.failed", level: "error", peer: referenceTo(peer), method, error });
      throw this.#refused(request, fault);
    }
  }

  #refused({ peer, courseId, username, emit }: Request, fault: Fault): Fault {
    const what = { side: "here", courseId, username: username.slice(0, 255), faultCode: fault.faultCode } as const;
    emit({ type: "enrolment.refused", level: "warn", peer: referenceTo(peer), ...what });
    return fault;
  }

  #changed({ peer, courseId, username, emit }: Request, change: "enrolled" | "unenrolled"): void {
    const what = { side: "here", courseId, username, change } as const;
    emit({ type: "enrolment.changed", level: "info", peer: referenceTo(peer), ...what });
  }
}

/** Each course once, by the offer that counts (spec 10.2), in the order in which they came. */
function preferred(offers: readonly CourseOffer[]): readonly CourseOffer[] {
  const byCourse = new Map<number, CourseOffer>();
  for (const offer of offers) {
    const known = byCourse.get(offer.id);
    if (!known || ROLE_ORDER[offer.offeredTo] < ROLE_ORDER[known.offeredTo]) byCourse.set(offer.id, offer);
  }
  return [...byCourse.values()];
}

const isOf = ({ wwwroot }: Peer, { home }: Account): boolean => home === wwwroot;
