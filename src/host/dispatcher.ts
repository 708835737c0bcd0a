import { CallError } from "../core/errors.ts";
import type { Limits } from "../core/limits.ts";
import { isLater } from "../core/now-or-later.ts";
import type { Peer } from "../core/peer-snapshot.ts";
import type { Task } from "../core/task.ts";
import type { PeerDirectory } from "../peer/peer-directory.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import { publishes, type ServiceFlag } from "../peer/service-flags.ts";
import type { AuthenticMessage } from "../secure/authentic-message.ts";
import { decodeCallInTurns } from "../xmlrpc/decode.ts";
import type { XmlRpcCall } from "../xmlrpc/document.ts";
import { encodeResultInTurns } from "../xmlrpc/encode.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";
import type { Catalogue } from "./catalogue.ts";
import { FAULT } from "./fault-table.ts";
import { Fault } from "./fault.ts";
import { Refusal } from "./refusal.ts";
import { isMethodName } from "./method.ts";
import type { RequestContext } from "./request-context.ts";
import type { IncomingCall, MethodEntry } from "./service.ts";
import type { TrustedCall } from "./trusted-machines.ts";

/** Who calls, and which of our boxes are ticked for it at this moment, by service. */
export interface Caller {
  readonly peer: PeerRecord;
  readonly flags: () => Promise<(service: string) => ServiceFlag>;
}

/** A method that every peer may call without any box being ticked (spec 7.7). */
export type SystemMethod = (params: readonly XmlRpcValue[], caller: Caller) => Promise<XmlRpcValue>;

/** Runs the methods that peers call. Takes nothing but what was verified, or came from a trusted machine (SEC-013). */
export class Dispatcher {
  readonly #catalogue: Catalogue;
  readonly #system: ReadonlyMap<string, SystemMethod>;
  readonly #directory: PeerDirectory;
  readonly #limits: Limits;

  constructor(options: {
    readonly catalogue: Catalogue;
    readonly system: ReadonlyMap<string, SystemMethod>;
    readonly directory: PeerDirectory;
    readonly limits: Limits;
  }) {
    this.#catalogue = options.catalogue;
    this.#system = options.system;
    this.#directory = options.directory;
    this.#limits = options.limits;
  }

  /** The call in a verified message; of a long one, a promise. Throws `XmlRpcError`, also for a response (SEC-022). */
  read(message: AuthenticMessage | TrustedCall): XmlRpcCall | Promise<XmlRpcCall> {
    return decodeCallInTurns(message.document, { limits: this.#limits });
  }

  /** A peer has its own boxes and those of All Hosts. */
  peerAsCaller(peer: PeerRecord): Caller {
    return { peer, flags: () => this.#directory.flagsFor(peer) };
  }

  /** A trusted machine has the services of its entry, whatever boxes the peer has (SEC-037). */
  machineAsCaller({ peer, services }: TrustedCall): Caller {
    return { peer, flags: async () => (service) => (services.has(service) ? "publish" : "off") };
  }

  /** Runs the method and encodes what it returns as the caller's software reads it (spec 5.2). Throws `Fault`, or a `Refusal` before any method runs. */
  async run(call: XmlRpcCall, caller: Caller, context: RequestContext): Promise<Uint8Array> {
    const { peer } = caller;
    const dialect = call.dialect ?? peer.dialect;
    try {
      const document = encodeResultInTurns(await this.#invoke(call, caller, context), dialect);
      return isLater(document) ? await document : document;
    } catch (error) {
      if (error instanceof Fault || error instanceof Refusal) throw error;
      const reference = { id: peer.id, wwwroot: peer.wwwroot };
      context.emit({ type: "handler.failed", level: "error", peer: reference, method: call.method, error });
      throw FAULT.internal;
    }
  }

  async #invoke({ method: name, params }: XmlRpcCall, caller: Caller, context: RequestContext): Promise<XmlRpcValue> {
    const { peer } = caller;
    if (!isMethodName(name)) throw refused(FAULT.badMethodName, name, peer, "is no name of a method");
    if (name.startsWith("system/")) {
      const method = this.#system.get(name);
      if (!method) throw refused(FAULT.unknownSystemMethod, name, peer, "does not exist");
      return method(params, caller);
    }
    const method = this.#described(name, peer);
    requirePublished((await caller.flags())(method.service), name, peer);
    if (!isServed(method)) throw refused(FAULT.notPublished, name, peer, "is described, but not served here");
    const named = decodeParams(method, params, peer);
    const incoming = new ServedCall(this.#directory.snapshot(peer), name, context.task);
    return method.encodeResult(await method.invoke(named, incoming, context.emit), peer.wwwroot);
  }

  #described(name: string, peer: PeerRecord): MethodEntry {
    const method = this.#catalogue.method(name);
    if (!method) throw refused(FAULT.unknownMethod, name, peer, "is not described here");
    return method;
  }
}

/** What a handler is told. Its signal is made if it asks for it. */
class ServedCall implements IncomingCall {
  readonly peer: Peer;
  readonly method: string;
  readonly #task: Task;

  constructor(peer: Peer, method: string, task: Task) {
    this.peer = peer;
    this.method = method;
    this.#task = task;
  }

  get signal(): AbortSignal {
    return this.#task.signal;
  }
}

/** Default-deny, asked with every call (SEC-055). */
function requirePublished(flag: ServiceFlag, name: string, peer: PeerRecord): void {
  if (flag === "off") throw refused(FAULT.unknownMethod, name, peer, "has no box ticked for this peer");
  if (!publishes(flag)) throw refused(FAULT.notPublished, name, peer, "is not published to this peer");
}

const isServed = (method: MethodEntry): method is MethodEntry & Required<Pick<MethodEntry, "invoke">> =>
  method.invoke !== undefined;

function decodeParams(
  method: MethodEntry,
  params: readonly XmlRpcValue[],
  { wwwroot }: PeerRecord,
): Readonly<Record<string, unknown>> {
  try {
    return method.decodeParams(params, wwwroot);
  } catch (error) {
    if (error instanceof CallError) throw new Refusal(FAULT.internal, error);
    throw error;
  }
}

/** The caller sees the fault; the operator also why (SEC-090). */
function refused(fault: Fault, name: string, { wwwroot }: PeerRecord, why: string): Refusal {
  const method = name.slice(0, 255);
  const message = `The method ${JSON.stringify(method)} ${why}.`;
  return new Refusal(fault, new CallError("MNET_CALL_METHOD_UNKNOWN", message, { method, peer: wwwroot }));
}
