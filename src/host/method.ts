import { CallError, ConfigError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";
import type { IncomingCall, Invoke, MethodEntry, MethodSignature } from "./service.ts";
import {
  checkMembers,
  checkPlainObject,
  decodeFields,
  fieldsOf,
  ownMember,
  refuse,
  type Wire,
  WireMismatch,
  wireOf,
  within,
  type Field,
  type InferFields,
  type WireType,
} from "./wire-type.ts";

declare const methodTypes: unique symbol;

/** A method that `host.call` knows the types of. */
export interface Method<P, R> {
  /** Wire name, such as `weather/forecast`. */
  readonly name: string;
  /** Name of its service. */
  readonly service: string;
  /** Only in the type: what the method takes and gives. */
  readonly [methodTypes]: { readonly params: P; readonly returns: R };
}

/** What one method of a service is. */
export interface MethodDescription {
  /** For `system/methodHelp`. Default none. */
  readonly help?: string | undefined;
  /** In wire order; optional ones last. Names of digits only are refused: they would lose their order. Default none. */
  readonly params?: Readonly<Record<string, WireType<unknown>>> | undefined;
  /** What it answers. */
  readonly returns: WireType<unknown>;
}

/** The named values that a described method takes. */
export type ParamsOf<D extends MethodDescription> = D["params"] extends object ? InferFields<D["params"]> : object;

/** The named values of a method that is described already. */
export type ParamsIn<M> = M extends Method<infer P, unknown> ? P : never;

// Spec 7.3, for whole names. Both are written so that they do not backtrack more than once over the name (SEC-024);
// Mahara's `X(\.php/)?Y` is split into "with" and "without" for that, which is the same language.
const MOODLE_NAME = /^[A-Za-z0-9]+\/[A-Za-z0-9/_.-]+[A-Za-z0-9_-]$/;
const MAHARA_NAME = /^[A-Za-z0-9]+\/[A-Za-z0-9/_-]+(?:\.php\/[A-Za-z0-9_-]+|[A-Za-z0-9_-])$/;
const DOT_SEGMENT = /\/\.+\//;

/**
 * Whether a text fits the grammar of method names of Moodle 2 and later (spec 7.3); else the answer is fault 713 (MNET-085).
 * Stricter than Moodle in two things: no final line feed, and no segment of dots only (SEC-056).
 *
 * After the first slash there are at least two characters: `geo/ping` and `geo/a/b` fit, `geo/p` does not.
 */
export function isMethodName(name: string): boolean {
  return MOODLE_NAME.test(name) && !DOT_SEGMENT.test(name);
}

/** Whether Mahara and Moodle 1.9 take the method name as well: no dots but in one `.php/` (spec 7.3). */
export function isMaharaMethodName(name: string): boolean {
  return MAHARA_NAME.test(name);
}

/**
 * Describes a method for the host. `option` is the path of the description in error messages; the wire name is not checked here.
 * Throws `MNET_CONFIG_INVALID`.
 */
export function describeMethod<const D extends MethodDescription>(
  service: string,
  name: string,
  description: D,
  option = name,
): Method<ParamsOf<D>, InferReturns<D>> & MethodEntry {
  checkPlainObject(option, description);
  checkMembers(option, description, ["help", "params", "returns"]);
  const { help = "", params = {} } = description as MethodDescription;
  if (typeof help !== "string") refuse(`${option}.help`, `The help of ${name} is not a string.`);
  const fields = fieldsOf(params, `${option}.params`);
  fields.forEach((field, index) => {
    const path = `${option}.params.${field.name}`;
    if (/^[0-9]+$/.test(field.name))
      refuse(path, `The parameter ${path} has only digits in its name, so its place is lost.`);
    if (!field.wire.isOptional && fields[index - 1]?.wire.isOptional === true) {
      refuse(path, `The parameter ${path} is required, but comes after an optional one.`);
    }
  });
  return new DescribedMethod(service, name, help, fields, wireOf(description.returns, `${option}.returns`));
}

/** The same method, served by a handler. */
export function implementMethod(
  method: MethodEntry,
  handler: (params: Readonly<Record<string, unknown>>, call: IncomingCall) => unknown,
): MethodEntry {
  return own(method).servedBy((params, call) => handler(params, call));
}

/** The same for the library's own services, whose handlers are checked by the compiler. */
export function serveMethod<P, R>(
  method: Method<P, R>,
  invoke: (params: P, call: IncomingCall, emit: Emit) => R | Promise<R>,
): MethodEntry {
  // What `decodeParams` gives is what the description's type says.
  return own(method).servedBy((params, call, emit) => invoke(params as P, call, emit));
}

/** A described method as the host sees it. Throws `MNET_CONFIG_INVALID` for what this copy of the library did not make. */
export function entryOf(method: Method<unknown, unknown>): MethodEntry {
  return own(method);
}

type InferReturns<D extends MethodDescription> = D["returns"] extends WireType<infer R> ? R : never;

function own(method: object): DescribedMethod<unknown, unknown> {
  if (method instanceof DescribedMethod) return method;
  throw new ConfigError("MNET_CONFIG_INVALID", "This is not a method; take it from the `methods` of a service.", {
    option: "method",
  });
}

class DescribedMethod<P, R> implements Method<P, R>, MethodEntry {
  declare readonly [methodTypes]: { readonly params: P; readonly returns: R };
  readonly name: string;
  readonly service: string;
  readonly help: string;
  declare readonly invoke?: Invoke;
  readonly #params: readonly Field[];
  readonly #returns: Wire<unknown>;

  constructor(
    service: string,
    name: string,
    help: string,
    params: readonly Field[],
    returns: Wire<unknown>,
    invoke?: Invoke,
  ) {
    this.service = service;
    this.name = name;
    this.help = help;
    this.#params = params;
    this.#returns = returns;
    if (invoke !== undefined) this.invoke = invoke;
    Object.freeze(this);
  }

  get signature(): MethodSignature {
    return {
      parameters: this.#params.map(({ name, wire }) => ({ name, type: wire.phpType, description: wire.description })),
      return: { type: this.#returns.phpType, description: this.#returns.description },
    };
  }

  servedBy(invoke: Invoke): MethodEntry {
    return new DescribedMethod(this.service, this.name, this.help, this.#params, this.#returns, invoke);
  }

  decodeParams(values: readonly XmlRpcValue[], peer?: Wwwroot): Readonly<Record<string, unknown>> {
    // More values than parameters are ignored, as PHP does: a peer of another version may know one more.
    return this.#check("PARAMS", peer, () => decodeFields(this.#params, (_name, index) => values[index]));
  }

  encodeParams(params: unknown, peer?: Wwwroot): readonly XmlRpcValue[] {
    return this.#check("PARAMS", peer, () => {
      if (typeof params !== "object" || params === null || Array.isArray(params)) {
        throw new WireMismatch("must be an object with the parameters by name");
      }
      const given = params as Readonly<Record<string, unknown>>;
      const values = this.#params.map(({ name, wire }) => {
        const value = ownMember(given, name);
        return { isGiven: value !== undefined, encoded: within(name, () => wire.encode(value)) };
      });
      return values.slice(0, values.findLastIndex(({ isGiven }) => isGiven) + 1).map(({ encoded }) => encoded);
    });
  }

  encodeResult(value: unknown, peer?: Wwwroot): XmlRpcValue {
    return this.#check("RESULT", peer, () => this.#returns.encode(value));
  }

  decodeResult(value: XmlRpcValue, peer?: Wwwroot): unknown {
    return this.#check("RESULT", peer, () => this.#returns.decode(value));
  }

  #check<T>(what: "PARAMS" | "RESULT", peer: Wwwroot | undefined, step: () => T): T {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof WireMismatch)) throw error;
      const whole = what === "PARAMS" ? "what was given" : "the answer";
      const where = error.path === "" ? whole : what === "PARAMS" ? error.path : `${error.path} of the answer`;
      throw new CallError(`MNET_CALL_${what}_INVALID`, `${this.name}: ${where} ${error.message}.`, {
        method: this.name,
        path: error.path === "" ? undefined : error.path,
        peer,
      });
    }
  }
}
