import {
  describeMethod,
  implementMethod,
  isMethodName,
  type Method,
  type MethodDescription,
  type ParamsOf,
} from "./method.ts";
import { createService, type IncomingCall, type MethodEntry, type Service } from "./service.ts";
import { checkMembers, checkPlainObject, ownMember, refuse, type Infer } from "./wire-type.ts";

/** A service of one's own. Listed in `services` as it is: known, so that it can be called. Listed as `implement(…)`: served as well. */
export interface ServiceDefinition<M extends Readonly<Record<string, MethodDescription>>> extends Service {
  /** What `host.call` takes. */
  readonly methods: { readonly [K in keyof M]: Method<ParamsOf<M[K]>, Infer<M[K]["returns"]>> };
  /**
   * The service with a handler for each method. Handlers get checked, named values, and what they return is checked too;
   * a `Fault` that they throw is sent, anything else becomes fault 17.
   *
   * Throws `MNET_CONFIG_INVALID` when a handler is missing, or has no method.
   */
  implement(handlers: {
    readonly [K in keyof M]: (
      params: ParamsOf<M[K]>,
      call: IncomingCall,
    ) => Infer<M[K]["returns"]> | Promise<Infer<M[K]["returns"]>>;
  }): Service;
}

/** Width of the column for names of services in Moodle. */
const MAX_NAME = 40;

/**
 * Describes a service once, for the site that serves it and for those that call it.
 *
 * The wire name of a method is `path/key`; it must fit the grammar of spec 7.3, in which a path of one segment needs a key
 * of two characters at least. `system` is MNet's own.
 *
 * Throws `MNET_CONFIG_INVALID` with the path of what is wrong, such as `methods.hello.params.to`.
 *
 * @example
 * ```ts
 * const greeting = defineService({
 *   name: "greeting",
 *   methods: { hello: { params: { to: t.string() }, returns: t.string() } },
 * });
 * const served = greeting.implement({ hello: ({ to }) => `Hello ${to}` });
 * ```
 */
export function defineService<const M extends Readonly<Record<string, MethodDescription>>>(definition: {
  /** The service's name, as in `peers.setServices`: letters, digits, `_` and `-`, at most 40. */
  readonly name: string;
  /** Before `/method` on the wire. Default: the service's name. */
  readonly path?: string | undefined;
  /** Its methods by the last segment of their wire names. */
  readonly methods: M;
}): ServiceDefinition<M> {
  checkPlainObject("definition", definition);
  checkMembers("", definition, ["name", "path", "methods"]);
  const { name, path = name } = definition;
  checkName(name);
  checkPath(path);
  checkPlainObject("methods", definition.methods);
  const methods = new Map(
    Object.entries<MethodDescription>(definition.methods).map(([key, description]) => [
      key,
      describeMethod(name, wireName(path, key), description, `methods.${key}`),
    ]),
  );
  return createService(
    { name, methods: [...methods.values()] },
    {
      methods: Object.freeze(Object.fromEntries(methods)),
      implement: (handlers: unknown) => createService({ name, methods: implementAll(methods, handlers) }),
    },
  ) as unknown as ServiceDefinition<M>;
}

function checkName(name: unknown): void {
  // Names are keys of the peers' service flags, so those that every object inherits are refused.
  const fits = typeof name === "string" && /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name) && name.length <= MAX_NAME;
  if (!fits || name in Object.prototype) {
    refuse(
      "name",
      `The name of a service is 1 to ${MAX_NAME} letters, digits, "_" and "-", and begins with a letter or digit.`,
    );
  }
  if (name === "system") refuse("name", "The service `system` is MNet's own.");
}

function checkPath(path: unknown): void {
  if (typeof path !== "string") refuse("path", "The path of a service is a string.");
  // Whether upper case matters differs between the peers' databases, so no spelling of it is free.
  if (/^system(?:\/|$)/i.test(path)) refuse("path", "Methods below `system` are MNet's own.");
}

function wireName(path: string, key: string): string {
  const name = `${path}/${key}`;
  if (!/^[A-Za-z0-9_-]+$/.test(key) || key === "__proto__" || name.includes("//") || !isMethodName(name)) {
    refuse(
      `methods.${key}`,
      `${JSON.stringify(name)} cannot be the name of a method: a first segment of letters and digits, a last one of letters, ` +
        'digits, "_" and "-", between them also dots, and at least two characters after the first slash (spec 7.3). ' +
        "Set `path` if the service's name does not fit.",
    );
  }
  return name;
}

function implementAll(methods: ReadonlyMap<string, MethodEntry>, handlers: unknown): readonly MethodEntry[] {
  if (typeof handlers !== "object" || handlers === null)
    refuse("handlers", "implement() takes an object with a handler for each method.");
  const given = handlers as Readonly<Record<string, unknown>>;
  const extra = Object.keys(given).find((key) => typeof given[key] === "function" && !methods.has(key));
  if (extra !== undefined) refuse(`handlers.${extra}`, `The service has no method ${extra}.`);
  return [...methods].map(([key, method]) => {
    const handler = ownMember(given, key);
    if (typeof handler !== "function") refuse(`handlers.${key}`, `The handler of ${method.name} is not a function.`);
    return implementMethod(method, (params, call) => Reflect.apply(handler, handlers, [params, call]) as unknown);
  });
}
