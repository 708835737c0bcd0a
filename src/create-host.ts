import { startHost, type HostWith } from "./host/host.ts";
import type { HostOptions } from "./host/host-options.ts";
import type { Service } from "./host/service.ts";
import { systemMethods } from "./services/system/system-methods.ts";

/**
 * Starts a member of the network: checks the options, opens the store, makes the first key if there is none.
 * Nothing listens yet: mount a handler (`nodeHandler(host)`, or `host.fetch` in any framework).
 *
 * Throws `ConfigError` for a wrong option, with its path; `StoreError` if the store cannot be opened or its schema is
 * behind.
 *
 * @example
 * ```ts
 * const host = await createHost({
 *   wwwroot: "https://lms.example.edu",
 *   name: "Example LMS",
 *   store: openStore("sqlite:mnet.db"),
 * });
 * createServer(nodeHandler(host)).listen(8200);
 * ```
 */
export async function createHost<const S extends readonly Service[] = readonly []>(
  options: HostOptions<S>,
): Promise<HostWith<S>> {
  return (await startHost(options, systemMethods)) as HostWith<S>;
}
