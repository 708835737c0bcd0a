import type { Certificate } from "../../src/crypto/certificate.ts";
import type { TransportRequest, TransportResponse } from "../../src/transport/transport.ts";

import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { openAnswer, rig, transportTo, wrap, type KeyedSite, type Rig } from "./hosts.ts";

/** What one of our requests asks for. */
export interface Asked {
  /** `GET`, or the method that is called. */
  readonly what: string;
  /** Whom it was sealed for: one of the keys of the script, or nobody where it is in clear. */
  readonly sealedFor: KeyedSite | undefined;
  readonly request: TransportRequest;
}
type Answer = Uint8Array | string | TransportResponse;

/** A rig whose peer alice is played by a function. What she was asked is kept. */
export interface ScriptedRig extends Rig {
  readonly asked: Asked[];
  /** How often each thing was asked for. */
  readonly counts: () => Record<string, number>;
  /** What the store holds of alice. */
  readonly stored: () => Promise<{
    readonly pinned: string;
    readonly retired: readonly string[];
    readonly held: string | undefined;
  }>;
  /** `system/listServices` of alice. */
  readonly list: () => Promise<unknown>;
}

/**
 * @param script answers one request of ours.
 * @param options `keys`: those that alice may open requests with, beside the one that we have pinned.
 */
export async function scriptedRig(
  script: (asked: Asked, us: ScriptedRig) => Answer | Promise<Answer>,
  { keys = [], ...options }: NonNullable<Parameters<typeof rig>[0]> & { readonly keys?: readonly KeyedSite[] } = {},
): Promise<ScriptedRig> {
  const asked: Asked[] = [];
  const us: Rig = await rig({
    transport: transportTo((request) => {
      const one = read(request, [us.alice, ...keys]);
      asked.push(one);
      return script(one, all) as Promise<TransportResponse>;
    }),
    ...options,
  });
  const all: ScriptedRig = {
    ...us,
    asked,
    counts: () => {
      const counts: Record<string, number> = {};
      for (const { what } of asked) counts[what] = (counts[what] ?? 0) + 1;
      return counts;
    },
    async stored() {
      const { certificate, retired, held } = (await us.store.peers.find(us.aliceId))!;
      return { pinned: certificate, retired, held: held?.certificate };
    },
    list: () => us.host.call({ id: us.aliceId }, "system/listServices"),
  };
  return all;
}

function read(request: TransportRequest, keys: readonly KeyedSite[]): Asked {
  if (!request.body) return { what: request.method, sealedFor: undefined, request };
  const isClear = Buffer.from(request.body).includes("<methodCall");
  const opened = isClear ? [undefined] : keys;
  for (const key of opened) {
    try {
      const { decoded } = openAnswer(request.body, key);
      if (decoded.kind === "call") return { what: decoded.method, sealedFor: key, request };
    } catch {
      // Not with this one.
    }
  }
  throw new Error("Alice cannot open what we sent her.");
}

/** A document in the envelopes of alice; signed by, and sealed for, somebody else if told. */
export const answer = (us: Rig, document: Uint8Array, options: Partial<Parameters<typeof wrap>[1]> = {}): Buffer =>
  wrap(document, { from: us.alice, to: us.ours, timestamp: new Date(us.clock.now()), ...options });

/** "You used my old key; here is the new one." */
export const newKeyFault = ({ certificate }: { readonly certificate: Certificate }): Uint8Array =>
  encodeFault(7025, certificate.pem);

/** Our request is one for a key in clear: the answer to it. */
export const shown = ({ certificate }: { readonly certificate: Certificate }): Uint8Array =>
  encodeResult(certificate.pem);
