import { CallError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Exchange } from "../core/exchange.ts";
import type { PeerRef } from "../core/peer-snapshot.ts";
import type { PeerClient } from "../peer/peer-client.ts";
import type { PeerDirectory } from "../peer/peer-directory.ts";
import { PROFILES_METHOD } from "../peer/peer-profile.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";
import type { Catalogue } from "./catalogue.ts";
import { entryOf, isMethodName, type Method } from "./method.ts";

/** Always callable (spec 8.1, MNET-100). */
const INTROSPECTION = new Set([
  "system/listServices",
  "system/listMethods",
  "system/methodSignature",
  "system/methodHelp",
  PROFILES_METHOD,
]);

/** A call of ours, as the application asks for it. */
export interface OutgoingCall {
  readonly peer: PeerRef;
  /** A wire name, or a described method. */
  readonly method: string | Method<unknown, unknown>;
  /** Positional values with a wire name, named ones with a described method. */
  readonly params: unknown;
  /** Call although no described service has this method. */
  readonly unchecked: boolean;
}

/** Checks calls of ours against what the host describes and has subscribed to, before anything is sent. */
export class OutgoingCalls {
  readonly #catalogue: Catalogue;
  readonly #directory: PeerDirectory;
  readonly #client: PeerClient;

  constructor(options: {
    readonly catalogue: Catalogue;
    readonly directory: PeerDirectory;
    readonly client: PeerClient;
  }) {
    this.#catalogue = options.catalogue;
    this.#directory = options.directory;
    this.#client = options.client;
  }

  /** Throws `CallError`, `PeerError`, and what `PeerClient.call` throws. */
  async call({ peer: ref, method, params, unchecked }: OutgoingCall, exchange: Exchange): Promise<unknown> {
    exchange.signal.throwIfAborted();
    const peer = await this.#directory.getActive(ref);
    if (typeof method === "string") {
      await this.#requirePermission(peer, method, unchecked, exchange.emit);
      return this.#client.call(peer, method, params as readonly XmlRpcValue[], exchange);
    }
    const entry = entryOf(method);
    await this.#requirePermission(peer, entry.name, false, exchange.emit);
    const positional = entry.encodeParams(params, peer.wwwroot);
    return entry.decodeResult(await this.#client.call(peer, entry.name, positional, exchange), peer.wwwroot);
  }

  async #requirePermission(peer: PeerRecord, method: string, unchecked: boolean, emit: Emit): Promise<void> {
    const of = { method, peer: peer.wwwroot };
    if (INTROSPECTION.has(method)) return;
    if (!isMethodName(method) || method === "system/keyswap") {
      throw new CallError("MNET_CALL_METHOD_UNKNOWN", `${JSON.stringify(method)} is no method that can be called.`, of);
    }
    if (unchecked) {
      emit({ type: "call.unchecked", level: "info", peer: { id: peer.id, wwwroot: peer.wwwroot }, method });
      return;
    }
    const service = this.#catalogue.method(method)?.service;
    if (service === undefined) {
      throw new CallError(
        "MNET_CALL_METHOD_UNKNOWN",
        `No service of this host describes ${method}; describe it with defineService, or call it with { unchecked: true }.`,
        of,
      );
    }
    if (!(await this.#directory.isSubscribedOn(peer, service))) {
      throw new CallError(
        "MNET_CALL_NOT_SUBSCRIBED",
        `${method} belongs to ${service}, which is not subscribed on ${peer.wwwroot}; see peers.setServices.`,
        of,
      );
    }
  }
}
