import type { Task } from "../core/task.ts";
import type { ClientAddress } from "./client-address.ts";

/** Where a request came from, and whether anybody still waits for the answer. */
export interface RequestContext {
  readonly client: ClientAddress;
  readonly task: Task;
}
