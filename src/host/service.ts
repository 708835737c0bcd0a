import { ConfigError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { Peer } from "../core/peer-snapshot.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";
import type { Attachment, Site } from "./site.ts";

declare const serviceApi: unique symbol;

/** What `services` takes: made by `sso`, `enrolment` or `defineService`, never by hand. */
export interface Service<Api extends object = object> {
  /** The service's name, as in `peers.setServices`. */
  readonly name: string;
  /** Only in the type: what the service adds to the host. */
  readonly [serviceApi]: Api;
}

/** What all services of a list add to a host. */
export type Extensions<S extends Service> = (S extends Service<infer A> ? (api: A) => void : never) extends (
  api: infer All,
) => void
  ? All
  : never;

/** What a handler knows about the call that it answers. */
export interface IncomingCall {
  /** Who calls, as its key says (SEC-058). */
  readonly peer: Peer;
  /** Wire name of the method. */
  readonly method: string;
  /** Aborts when the caller hangs up or the host closes. */
  readonly signal: AbortSignal;
}

// ── For the host ────────────────────────────────────────────────────────────

/** What `system/methodSignature` answers, in the shape of Moodle 2 and later (spec 7.7). Types are PHP's words. */
export type MethodSignature = {
  readonly parameters: readonly { readonly name: string; readonly type: string; readonly description: string }[];
  readonly return: { readonly type: string; readonly description: string };
};

/** `params` are what `decodeParams` gave. `emit` tells of what belongs to the call, for the library's own services. */
export type Invoke = (params: Readonly<Record<string, unknown>>, call: IncomingCall, emit: Emit) => unknown;

/** A method as the host sees it, for calls in both directions. */
export interface MethodEntry {
  /** Wire name. */
  readonly name: string;
  /** Name of its service, whose boxes permit it. */
  readonly service: string;
  /** For `system/methodHelp`; `""` if there is none. */
  readonly help: string;
  /** For `system/methodSignature`. */
  readonly signature: MethodSignature;
  /** Present if this host serves the method. What it throws is the application's. */
  readonly invoke?: Invoke;
  /** Named values of an incoming call. Throws `MNET_CALL_PARAMS_INVALID`. */
  decodeParams(values: readonly XmlRpcValue[], peer?: Wwwroot): Readonly<Record<string, unknown>>;
  /** Positional values for an outgoing call. Throws `MNET_CALL_PARAMS_INVALID`. */
  encodeParams(params: unknown, peer?: Wwwroot): readonly XmlRpcValue[];
  /** What a handler returned, for the wire. Throws `MNET_CALL_RESULT_INVALID`: the handler broke its own description. */
  encodeResult(value: unknown, peer?: Wwwroot): XmlRpcValue;
  /** What a peer answered. Throws `MNET_CALL_RESULT_INVALID`. */
  decodeResult(value: XmlRpcValue, peer?: Wwwroot): unknown;
}

/** What is in a service. */
export interface ServiceParts<Api extends object = object> {
  /** Name of the service. Its methods may belong to several services on the wire, as those of single sign-on do. */
  readonly name: string;
  /** Described methods. Those without `invoke` can only be called. */
  readonly methods: readonly MethodEntry[];
  /** Makes what the service is on one host, where that is more than its methods. */
  readonly attach?: ((site: Site) => Attachment<Api>) | undefined;
}

const partsByService = new WeakMap<object, ServiceParts>();

/** Makes a service of its parts. `Shown` is what its users see beside the name. */
export function createService<Api extends object = object, Shown extends object = object>(
  parts: ServiceParts<Api>,
  shown?: Shown,
): Service<Api> & Shown {
  const service = Object.freeze({ ...shown, name: parts.name }) as unknown as Service<Api> & Shown;
  partsByService.set(service, parts);
  return service;
}

/** What is in a service. Throws `MNET_CONFIG_INVALID` for an object that this copy of the library did not make. */
export function partsOf(service: Service): ServiceParts {
  const parts = partsByService.get(service);
  if (parts !== undefined) return parts;
  throw new ConfigError("MNET_CONFIG_INVALID", "This is not a service; make it with defineService.", {
    option: "services",
  });
}
