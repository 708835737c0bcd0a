import { ConfigError } from "../core/errors.ts";
import type { MethodEntry } from "./service.ts";

/** All services and methods that a host knows, by their exact names (SEC-055, SEC-056). */
export class Catalogue {
  readonly #services = new Map<string, boolean>();
  readonly #methods = new Map<string, MethodEntry>();

  /** Throws `MNET_CONFIG_INVALID` if two services have one method. */
  constructor(methods: Iterable<MethodEntry>) {
    for (const method of methods) {
      if (this.#methods.has(method.name)) {
        throw new ConfigError("MNET_CONFIG_INVALID", `Two services have the method ${method.name}.`, {
          option: "services",
        });
      }
      this.#methods.set(method.name, method);
      const isServed = method.invoke !== undefined;
      this.#services.set(method.service, isServed || (this.#services.get(method.service) ?? false));
    }
  }

  /** A described method, served here or not. */
  method(name: string): MethodEntry | undefined {
    return this.#methods.get(name);
  }

  /** Methods that are served here, sorted by name. */
  servedMethods(): readonly MethodEntry[] {
    return [...this.#methods.values()]
      .filter(({ invoke }) => invoke !== undefined)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Names of all services, sorted. */
  serviceNames(): readonly string[] {
    return [...this.#services.keys()].sort();
  }

  /** Whether peers can call the service here. */
  serves(service: string): boolean {
    return this.#services.get(service) ?? false;
  }

  /** Whether the service is described here, so that it can be called elsewhere. */
  knows(service: string): boolean {
    return this.#services.has(service);
  }
}
