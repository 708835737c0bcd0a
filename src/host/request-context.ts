import type { Emit } from "../core/events.ts";
import type { Task } from "../core/task.ts";
import type { ClientAddress } from "./client-address.ts";

/** Where a request came from, whether anybody still waits for the answer, and to whom to tell what happens. */
export interface RequestContext {
  readonly client: ClientAddress;
  readonly task: Task;
  /** Its events have one id. */
  readonly emit: Emit;
}
