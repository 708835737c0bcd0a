import type { Clock } from "../../core/clock.ts";
import { ConfigError, type MnetErrorCode } from "../../core/errors.ts";
import type { MnetEvent } from "../../core/events.ts";
import type { Wwwroot } from "../../core/ids.ts";
import { createHost } from "../../create-host.ts";
import { Certificate } from "../../crypto/certificate.ts";
import { type VerifiedMessage } from "../../envelope/verified-message.ts";
import { open } from "../../envelope/open.ts";
import type { Host } from "../../host/host.ts";
import type { Store } from "../../host/store.ts";
import { APPLICATIONS } from "../../peer/application.ts";
import { canonicalWwwroot } from "../../peer/wwwroot.ts";
import { memoryStore } from "../../stores/memory/memory-store.ts";
import type { Transport } from "../../transport/transport.ts";
import { decodeResponse } from "../../xmlrpc/decode.ts";
import { keysOf } from "./opened-body.ts";
import type { RecordedExchange, RecordedKey, RecordedSet } from "./recorded-set.ts";

/** What a host in the receiver's place made of a recorded request. */
export type Outcome =
  | { readonly kind: "keyswap" }
  /** A method ran, or the dispatcher refused it: with its fault, if any. */
  | { readonly kind: "dispatched"; readonly faultCode: number | undefined }
  /** Refused before any method could run. */
  | { readonly kind: "refused"; readonly faultCode: number; readonly code: MnetErrorCode }
  /** The recorded keys are not those of the receiver: no host starts with them. */
  | { readonly kind: "not-started"; readonly faultCode?: undefined; readonly code: MnetErrorCode };

/** The outcome, and what is wrong with the bytes of the answer. */
export interface Replay {
  readonly outcome: Outcome;
  readonly defects: readonly string[];
}

/** Recorded sites keep up to six archived keys. */
const GENERATIONS = 7;

const nowhere: Transport = {
  exchange: () => Promise.reject(new Error("A recorded exchange is answered without asking anybody.")),
};

/** Gives a recorded request to a host that holds the receiver's keys and peers of that moment. */
export async function replayRequest(set: RecordedSet, exchange: RecordedExchange): Promise<Replay> {
  const receiver = exchange.to ?? "http://receiver.invalid";
  const receiverKeys = keysOf(set, exchange, receiver);
  const store = memoryStore();
  await fillStore(store, set, exchange, receiver, receiverKeys);

  const events: MnetEvent[] = [];
  let host: Host;
  try {
    host = await createHost({
      wwwroot: receiver,
      name: "Recorded receiver",
      store,
      keys: { generations: GENERATIONS },
      clock: stoppedClock(exchange.recordedAt * 1000),
      transport: nowhere,
      observer: (event) => events.push(event),
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { outcome: { kind: "not-started", code: error.code }, defects: [error.message] };
  }
  try {
    const response = await host.handle({
      method: "POST",
      path: new URL(receiver).pathname.replace(/\/$/, "") + APPLICATIONS.moodle.rpcPath,
      headers: {},
      body: Buffer.from(exchange.request.bodyBase64, "base64"),
    });
    const outcome = outcomeOf(events);
    const defects =
      response?.status === 200
        ? await defectsOf(response.body, outcome, set, exchange, receiverKeys)
        : [`the answer has status ${response?.status}`];
    return { outcome, defects };
  } finally {
    await host.close();
  }
}

async function fillStore(
  store: Store,
  set: RecordedSet,
  exchange: RecordedExchange,
  receiver: string,
  receiverKeys: readonly RecordedKey[],
): Promise<void> {
  let previous: Certificate["fingerprint"] | undefined;
  for (const [age, { certificate, privateKey, pair }] of [...receiverKeys].reverse().entries()) {
    const { fingerprint } = pair.certificate;
    await store.keys.prepare({
      fingerprint,
      certificate,
      privateKey: Buffer.from(privateKey, "utf8"),
      state: "prepared",
      createdAt: age,
    });
    await store.keys.promote(fingerprint, previous, age);
    previous = fingerprint;
  }
  for (const wwwroot of Object.keys(exchange.keys)) {
    const [current] = keysOf(set, exchange, wwwroot);
    if (wwwroot === receiver || exchange.unknownTo.includes(wwwroot) || !current) continue;
    await store.peers.insert({
      wwwroot: wwwroot as Wwwroot,
      canonical: canonicalWwwroot(wwwroot as Wwwroot),
      name: wwwroot,
      application: "moodle",
      state: "active",
      certificate: current.certificate,
      retired: [],
      settings: {},
      services: {},
    });
  }
}

const stoppedClock = (now: number): Clock => ({ now: () => now, after: () => () => undefined });

function outcomeOf(events: readonly MnetEvent[]): Outcome {
  for (const event of events) {
    switch (event.type) {
      case "keyswap.answered":
        return { kind: "keyswap" };
      case "call.served":
        return event.method === "system/keyswap"
          ? { kind: "keyswap" }
          : { kind: "dispatched", faultCode: event.faultCode };
      case "call.refused":
        return event.code.startsWith("MNET_CALL_")
          ? { kind: "dispatched", faultCode: event.faultCode }
          : { kind: "refused", faultCode: event.faultCode, code: event.code };
      default:
    }
  }
  throw new Error("The host answered without saying what it did.");
}

/** The sender must be able to read the answer: opened with its key, signed by the key of ours that it knows. */
async function defectsOf(
  body: Uint8Array,
  outcome: Outcome,
  set: RecordedSet,
  exchange: RecordedExchange,
  receiverKeys: readonly RecordedKey[],
): Promise<string[]> {
  const isSealed = outcome.kind === "dispatched" || (outcome.kind === "refused" && outcome.faultCode === 7025);
  const senderKeys = keysOf(set, exchange, exchange.from).map(({ pair }) => pair);
  if (!isSealed || senderKeys.length === 0) return [];
  const messages: VerifiedMessage[] = [];
  for (const { certificate } of receiverKeys) {
    const certificateOf = (): Certificate => Certificate.parse(certificate, { minimumBits: 1024 });
    const message = await open(body, { keys: senderKeys, certificateOf }).catch(() => undefined);
    if (message) messages.push(message);
  }
  const [message] = messages;
  if (!message) return ["the sender cannot open or verify the answer"];
  const answer = decodeResponse(message.document);
  const faultCode = answer.kind === "fault" ? answer.faultCode : undefined;
  if (faultCode !== outcome.faultCode) return [`the answer holds fault ${faultCode} instead of ${outcome.faultCode}`];
  if (faultCode !== 7025 || answer.kind !== "fault") return [];
  const [current] = receiverKeys;
  const isOurKey = answer.faultString === current?.pair.certificate.pem;
  const isSignedByOld = message.signedBy !== current?.pair.certificate.fingerprint;
  return isOurKey && isSignedByOld ? [] : ["the 7025 does not bring the new key, signed with the old one"];
}
