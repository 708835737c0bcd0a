import { PROFILES_METHOD, profilesFor } from "../../peer/peer-profile.ts";
import { publishes, subscribes } from "../../peer/service-flags.ts";
import type { Catalogue } from "../../host/catalogue.ts";
import type { Caller, SystemMethod } from "../../host/dispatcher.ts";
import { FAULT } from "../../host/fault-table.ts";
import type { MethodEntry } from "../../host/service.ts";
import type { PeerRecord } from "../../peer/peer-store.ts";
import type { XmlRpcValue } from "../../xmlrpc/value.ts";

/** What the system methods look at. */
export interface SystemContext {
  readonly catalogue: Catalogue;
  /** Canonical PEM of the key that is current for the peer. */
  readonly ownCertificate: (peer: PeerRecord) => Promise<string>;
}

/** `apiversion` of every service (spec 1.1). */
const API_VERSION = "1";

/**
 * The methods that every host has and every known peer may call (spec 7.7). They answer for the caller only: what is
 * not published to it does not exist (SEC-088). Names that are not here are fault 7018 (MNET-086).
 */
export function systemMethods({ catalogue, ownCertificate }: SystemContext): ReadonlyMap<string, SystemMethod> {
  return new Map<string, SystemMethod>([
    ["system/keyswap", (_params, { peer }) => ownCertificate(peer)],
    ["system/listServices", (_params, caller) => listServices(caller)],
    ["system/listMethods", ([service], caller) => listMethods(caller, optionalName(service))],
    // Not one of Moodle's, which has fault 7018 for it (docs/secure-profile.md, 7).
    [PROFILES_METHOD, async (_params, { peer }) => profilesFor(peer)],
    ["system/methodSignature", async ([name], caller) => (await publishedMethod(name, caller))?.signature ?? false],
    ["system/methodHelp", async ([name], caller) => (await publishedMethod(name, caller))?.help ?? false],
  ]);

  /** One entry per service with any box, numbers as strings as a Moodle's database gives them (MNET-097). */
  async function listServices({ flags }: Caller): Promise<XmlRpcValue> {
    const flagFor = await flags();
    const entries: XmlRpcValue[] = [];
    for (const name of catalogue.serviceNames()) {
      const flag = flagFor(name);
      // What was published once may be served no longer.
      const isPublished = publishes(flag) && catalogue.serves(name);
      if (!isPublished && !subscribes(flag)) continue;
      entries.push({ name, apiversion: API_VERSION, publish: box(isPublished), subscribe: box(subscribes(flag)) });
    }
    return entries;
  }

  /** Sorted names; of one service only if it is named (MNET-098). */
  async function listMethods({ flags }: Caller, service: string | undefined): Promise<XmlRpcValue> {
    const flagFor = await flags();
    const names: string[] = [];
    for (const method of catalogue.servedMethods()) {
      const isWanted = service === undefined || method.service === service;
      if (isWanted && publishes(flagFor(method.service))) names.push(method.name);
    }
    return names;
  }

  /** A method that the peer may call; anything else is as good as unknown to it. */
  async function publishedMethod(name: XmlRpcValue | undefined, { flags }: Caller): Promise<MethodEntry | undefined> {
    if (typeof name !== "string") throw FAULT.internal;
    const method = catalogue.method(name);
    return method?.invoke && publishes((await flags())(method.service)) ? method : undefined;
  }
}

/** Nothing and `''` are the same to PHP (spec 5.1). */
function optionalName(value: XmlRpcValue | undefined): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") throw FAULT.internal;
  return value;
}

const box = (isTicked: boolean): string => (isTicked ? "1" : "0");
