import { readFileSync } from "node:fs";
import type { MnetEvent } from "../../src/core/events.ts";
import { createHost } from "../../src/create-host.ts";
import type { KeyPair } from "../../src/crypto/key-pair.ts";
import type { Host } from "../../src/host/host.ts";
import type { Service } from "../../src/host/service.ts";
import type { Store } from "../../src/host/store.ts";
import type { ServiceFlags } from "../../src/peer/service-flags.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { recordedKeyPair, recordedPems, type Recording } from "./fixtures.ts";
import { insertPeer, noTransport, storeWithKeys } from "./hosts.ts";

/** A recorded exchange, as far as a server needs it. */
export interface RecordedRequest {
  readonly name: string;
  readonly recording: Recording;
  readonly from: string | null;
  readonly to: string;
  readonly method: string | null;
  readonly faultCode: number | null;
  readonly recordedAt: number;
  readonly unknownTo?: readonly string[];
  readonly request: { readonly bodyBase64: string | null; readonly signedXml: string | null };
  readonly response: { readonly bodyBase64: string | null; readonly xmlrpc: string | null };
  readonly keys: Readonly<Record<string, { readonly current: string; readonly archived: readonly string[] }>>;
}

/** Reads one exchange, such as `recordedRequest("moodle-4.5", "063-refresh_log")`. */
export function recordedRequest(recording: Recording, name: string): RecordedRequest {
  const url = new URL(`../../fixtures/${recording}/${name}.json`, import.meta.url);
  return { ...(JSON.parse(readFileSync(url, "utf8")) as RecordedRequest), recording, name };
}

/** The keys of a site at that moment: the current one, then archived ones. */
export const keysOf = ({ recording, keys }: RecordedRequest, wwwroot: string): KeyPair[] => {
  const { current = "", archived = [] } = keys[wwwroot] ?? {};
  return [current, ...archived].flatMap((id) => recordedKeyPair(recording, id) ?? []);
};

/** The key that others had of a site at that moment: its current one, where the fixture does not say otherwise. */
export const keyOf = (exchange: RecordedRequest, wwwroot: string): KeyPair => {
  const pinned =
    exchange.name === "fault.bad-signature" ? recordedKeyPair(exchange.recording, PINNED_BY_MAHARA) : undefined;
  const pair = (wwwroot === exchange.to ? undefined : pinned) ?? keysOf(exchange, wwwroot)[0];
  if (!pair) throw new Error(`No key of ${wwwroot} was recorded.`);
  return pair;
};

/** "Signed with a key Mahara does not know": this is the one that it knew. */
const PINNED_BY_MAHARA = "0336b9222beca5bf";

/** The site that a request was sent to: its wwwroot, its keys, its time, its peers. */
export async function recordedReceiver(
  exchange: RecordedRequest,
  options: { readonly services?: readonly Service[]; readonly flags?: ServiceFlags } = {},
): Promise<{ readonly host: Host; readonly events: MnetEvent[]; readonly store: Store; readonly now: number }> {
  const { recording, keys, to, recordedAt, unknownTo = [] } = exchange;
  const { current, archived } = keys[to] ?? { current: "", archived: [] };
  const store = await storeWithKeys([current, ...archived].map((id) => recordedPems(recording)[id]!));
  for (const wwwroot of Object.keys(keys)) {
    if (wwwroot === to || unknownTo.includes(wwwroot)) continue;
    const { certificate } = keyOf(exchange, wwwroot);
    await insertPeer(store, { wwwroot: wwwroot.replace(/\/$/, ""), certificate }, { services: options.flags ?? {} });
  }
  const events: MnetEvent[] = [];
  const host = await createHost({
    wwwroot: to,
    name: "Recorded site",
    store,
    services: options.services ?? [],
    maintenance: "manual",
    clock: fakeClock(new Date(recordedAt * 1000)),
    transport: noTransport,
    observer: (event) => void events.push(event),
  });
  return { host, events, store, now: recordedAt * 1000 };
}
