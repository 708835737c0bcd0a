import type { ApplicationName } from "../core/peer-snapshot.ts";
import { isStruct, type XmlRpcValue } from "../xmlrpc/value.ts";
import { publishes, serviceFlag, subscribes, unionOf, type ServiceFlag, type ServiceFlags } from "./service-flags.ts";

/** A box that somebody must tick before a service works in one direction. */
export interface MissingBox {
  /** Whose administrator: ours, or the peer's. */
  readonly side: "here" | "there";
  /** Which box. */
  readonly box: "publish" | "subscribe";
  /** The same as a sentence, with what it is good for. */
  readonly text: string;
}

/** One service, as both sides have it. */
export interface ServiceRow {
  /** Name of the service; Moodle's where a Mahara has another. */
  readonly service: string;
  /** Our boxes, those of All Hosts included; `publish` only if this host serves the service. */
  readonly here: ServiceFlag;
  /** The peer's boxes for us. Absent: the peer could not be asked, or the row is that of all hosts. */
  readonly there?: ServiceFlag;
  /** The boxes that somebody must tick. Empty without `there`. */
  readonly missing: readonly MissingBox[];
}

/** What a peer says that it serves and calls: by name of the service. */
export type PeerServices = ReadonlyMap<string, ServiceFlag>;

/** No Moodle has so many; a peer that sends more is not believed the rest. */
const MAXIMUM_SERVICES = 1000;
/** Longest name that a Moodle can store. */
const MAXIMUM_NAME_LENGTH = 40;

/**
 * A Mahara's services by the names of Moodle's (spec 1.3, `mahara.md`): those of users who come in make it the service
 * provider, those of users who go out the identity provider. `repository_out` has nothing like it in Moodle, and keeps
 * its name.
 */
const MAHARA_SERVICES: ReadonlyMap<string, ServiceFlags> = new Map<string, ServiceFlags>([
  ["sso_in", { sso_idp: "subscribe", sso_sp: "publish" }],
  ["sso_out", { sso_idp: "publish", sso_sp: "subscribe" }],
  ["portfolio_in", { pf: "both" }],
]);

/**
 * Reads what a peer answered to `system/listServices`: a list of structs, or a struct with numeric names in its place;
 * boxes as strings, integers or booleans; several entries for one service together have the boxes that any of them has
 * (MNET-097).
 *
 * @returns `undefined` if it is nothing of the kind.
 */
export function readServices(answer: XmlRpcValue, application: ApplicationName): PeerServices | undefined {
  const entries = entriesOf(answer);
  if (!entries) return undefined;
  const services = new Map<string, ServiceFlag>();
  for (const entry of entries.slice(0, MAXIMUM_SERVICES)) {
    if (!isStruct(entry)) return undefined;
    const { name, publish, subscribe } = entry;
    if (typeof name !== "string" || name === "" || name.length > MAXIMUM_NAME_LENGTH) continue;
    const flag = serviceFlag({ publish: isTicked(publish), subscribe: isTicked(subscribe) });
    const mapped = application === "mahara" && flag !== "off" ? MAHARA_SERVICES.get(name) : undefined;
    for (const [service, boxes] of Object.entries(mapped ?? { [name]: flag })) {
      services.set(service, unionOf(services.get(service), boxes));
    }
  }
  return services;
}

/** What `serviceRows` puts together. */
export interface ServiceSides {
  /** Our boxes, by name of the service. */
  readonly here: PeerServices;
  /** The peer's; `undefined` if they are not known. */
  readonly there?: PeerServices | undefined;
  /** How the peer is called in sentences. */
  readonly peer?: string;
  /** A Mahara has no boxes: it offers everything to everybody, so nobody here need tick a box because of that. */
  readonly isOfferToAll?: boolean;
}

/** Our side and the peer's beside each other, sorted by name (spec 1.3). */
export function serviceRows({
  here,
  there,
  peer = "the peer",
  isOfferToAll = false,
}: ServiceSides): readonly ServiceRow[] {
  const names = [...new Set([...here.keys(), ...(there?.keys() ?? [])])].sort();
  return names.map((service) => {
    const ours = here.get(service) ?? "off";
    if (!there) return { service, here: ours, missing: [] };
    const theirs = there.get(service) ?? "off";
    const box = (side: MissingBox["side"], name: MissingBox["box"], text: string): MissingBox => ({
      side,
      box: name,
      text,
    });
    const missing = [
      publishes(ours) &&
        !subscribes(theirs) &&
        box("there", "subscribe", `We publish ${service}; ${peer} must subscribe to it before it calls us.`),
      subscribes(ours) &&
        !publishes(theirs) &&
        box("there", "publish", `We subscribe to ${service}; ${peer} must publish it to us before we can call it.`),
      publishes(theirs) &&
        !subscribes(ours) &&
        !isOfferToAll &&
        box("here", "subscribe", `${peer} publishes ${service} to us; subscribe to it here to call it.`),
      subscribes(theirs) &&
        !publishes(ours) &&
        !isOfferToAll &&
        box("here", "publish", `${peer} subscribes to ${service}; publish it here to let it call us.`),
    ].filter((each) => each !== false);
    return { service, here: ours, there: theirs, missing };
  });
}

/** A list, also as a struct with numeric names (MNET-061); nothing and `''` are empty ones to PHP. */
function entriesOf(answer: XmlRpcValue): readonly XmlRpcValue[] | undefined {
  if (Array.isArray(answer)) return answer as readonly XmlRpcValue[];
  if (answer === null || answer === "") return [];
  if (!isStruct(answer) || !Object.keys(answer).every((name) => /^\d+$/.test(name))) return undefined;
  return Object.values(answer);
}

const isTicked = (box: XmlRpcValue | undefined): boolean =>
  box === true || box === 1 || box === 1n || (typeof box === "string" && /^0*1$/.test(box.trim()));
