import { setTimeout } from "node:timers/promises";
import type { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import { ConfigError, MnetError, type AnyMnetError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { KeyPolicy } from "../keys/key-policy.ts";
import type { Store } from "./store.ts";

/** What the periodic work did. */
export interface MaintenanceReport {
  /** This process has replaced our key, because it was due (SEC-049), or one that is a peer's own, and told the peers. */
  readonly rotated: boolean;
  /** Sessions at other sites that were kept alive. */
  readonly sessionsKept: number;
  /** Jobs that waited and are done. */
  readonly jobsDone: number;
  /** Rows of the store that were forgotten, because their time was over. */
  readonly rowsPurged: number;
  /** What failed. The other tasks were done, and the next maintenance tries again. */
  readonly failed: readonly { readonly task: string; readonly error: AnyMnetError }[];
}

/** A part of the periodic work. It must be safe to run in any number of processes at once. */
export interface MaintenanceTask {
  /** For the report and the event, in kebab-case. */
  readonly name: string;
  /** What the number that `run` resolves with is counted as. Left out: it is not counted. */
  readonly counts?: "sessionsKept" | "jobsDone" | "rowsPurged";
  /** Does the work once, and stops soon after the signal. */
  run(signal: AbortSignal): Promise<unknown>;
}

/** How often the work is done by itself. */
const INTERVAL_MS = 60_000;
/** Rows of one transaction: whoever wants to write waits no longer than these take. */
const BITE = 100;
/** Bites of one run. What is left is for the next, a minute later. */
const BITES = 1000;
/** So many times as long as a bite took nothing is pruned: most of the time, the store is there for calls. */
const REST = 5;
/** Long enough for whoever looks into what happened last term. */
const LOG_RETENTION_MS = 90 * 24 * 60 * 60 * 1000;
/** How long a session with a peer is kept after it has expired (spec 9.13). */
const EXPIRED_SESSION_RETENTION_MS = 24 * 60 * 60 * 1000;
/** Whoever redeems a token too late is told so, and not that there was none. */
const EXPIRED_TOKEN_RETENTION_MS = 60 * 60 * 1000;

/** How long the journal of a bulk run is kept after anybody last worked on it: so long it can be gone on with. */
const RUN_RETENTION_MS = 90 * 24 * 60 * 60 * 1000;

/** All periodic work of a host. */
export class Maintenance {
  readonly #tasks: readonly MaintenanceTask[];
  readonly #rotateIfDue: (signal: AbortSignal) => Promise<boolean>;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #background: Background;

  constructor(options: {
    readonly tasks: readonly MaintenanceTask[];
    /** Replaces our key if it is due. Resolves with `true` in the one process that did. */
    readonly rotateIfDue: (signal: AbortSignal) => Promise<boolean>;
    readonly clock: Clock;
    readonly emit: Emit;
    readonly background: Background;
  }) {
    this.#tasks = options.tasks;
    this.#rotateIfDue = options.rotateIfDue;
    this.#clock = options.clock;
    this.#emit = options.emit;
    this.#background = options.background;
  }

  /**
   * Does everything once. The tasks run beside each other, because some wait for sites that do not answer. One that fails
   * is in the report, and an event. Rejects only with the signal's reason, when all tasks have stopped.
   */
  async run(signal: AbortSignal): Promise<MaintenanceReport> {
    signal.throwIfAborted();
    let rotated = false;
    const totals = { sessionsKept: 0, jobsDone: 0, rowsPurged: 0 };
    const failed: { readonly task: string; readonly error: AnyMnetError }[] = [];

    const attempt = async (task: string, work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (thrown) {
        if (!signal.aborted) failed.push({ task, error: this.#report(task, thrown) });
      }
    };
    await Promise.all([
      attempt("rotate-key", async () => {
        rotated = await this.#rotateIfDue(signal);
      }),
      ...this.#tasks.map((task) =>
        attempt(task.name, async () => {
          const count = await task.run(signal);
          if (task.counts && typeof count === "number") totals[task.counts] += count;
        }),
      ),
    ]);
    signal.throwIfAborted();
    return { rotated, ...totals, failed };
  }

  /** Does everything once a minute from now on, one run after the other. Returns the function that stops it. */
  start(): () => void {
    const stopping = new AbortController();
    let cancel = this.#clock.after(INTERVAL_MS, () => run());
    const run = (): void => {
      this.#background.run(async () => {
        try {
          await this.run(stopping.signal);
        } finally {
          if (!stopping.signal.aborted) cancel = this.#clock.after(INTERVAL_MS, run);
        }
      });
    };
    return () => {
      cancel();
      stopping.abort(new Error("The host closes."));
    };
  }

  #report(task: string, thrown: unknown): AnyMnetError {
    const error = MnetError.is(thrown)
      ? thrown
      : new ConfigError("MNET_HOST_TASK_FAILED", `The task ${task} of the maintenance failed.`, { cause: thrown });
    const detail = error !== thrown && thrown instanceof Error ? `${error.message} (${thrown.message})` : error.message;
    this.#emit({ type: "maintenance.failed", level: "error", task, code: error.code, detail });
    return error;
  }
}

/** Forgets what the store keeps and nobody needs any more. */
export function pruneTasks(
  store: Pick<Store, "keys" | "replay" | "log" | "tokens" | "sessions" | "runs">,
  clock: Clock,
  { generations, lifetimeMs }: KeyPolicy,
): readonly MaintenanceTask[] {
  return [
    {
      // A rotation prunes, too; this is for one that died on the way, for a policy that was changed, and for keys of peers
      // that share by now or are gone.
      name: "prune-keys",
      run: () => store.keys.prune(generations, clock.now(), clock.now() - (generations + 1) * lifetimeMs),
    },
    {
      name: "prune-replay",
      counts: "rowsPurged",
      run: (signal) => inBites((limit) => store.replay.prune(clock.now(), limit), signal),
    },
    {
      name: "prune-log",
      counts: "rowsPurged",
      run: (signal) => inBites((limit) => store.log.prune(clock.now() - LOG_RETENTION_MS, limit), signal),
    },
    {
      name: "prune-tokens",
      counts: "rowsPurged",
      run: (signal) => inBites((limit) => store.tokens.prune(clock.now() - EXPIRED_TOKEN_RETENTION_MS, limit), signal),
    },
    {
      name: "prune-sessions",
      counts: "rowsPurged",
      run: (signal) =>
        inBites((limit) => store.sessions.prune(clock.now() - EXPIRED_SESSION_RETENTION_MS, limit), signal),
    },
    {
      name: "prune-runs",
      counts: "rowsPurged",
      run: (signal) => inBites((limit) => store.runs.prune(clock.now() - RUN_RETENTION_MS, limit), signal),
    },
  ];
}

async function inBites(prune: (limit: number) => Promise<number>, signal: AbortSignal): Promise<number> {
  let total = 0;
  for (let bites = 0; bites < BITES; bites += 1) {
    signal.throwIfAborted();
    const started = performance.now();
    const pruned = await prune(BITE);
    total += pruned;
    if (pruned < BITE) break;
    await setTimeout(REST * (performance.now() - started), undefined, { signal });
  }
  return total;
}
