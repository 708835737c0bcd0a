/** One row, ready to be worked on. */
export interface Task<T> {
  /** Rows of one lane share its places. */
  readonly lane: number;
  /** Rows of one person in one lane are done in their order. */
  readonly person: string;
  /** What it rejects with ends everything. */
  readonly run: () => Promise<T>;
}

interface State {
  waiting: number;
  failure: { readonly error: unknown } | undefined;
  hasEnded: boolean;
  isReading: boolean;
  /** Ends the pause in which there is nothing to do. */
  wake: () => void;
}

/** Rows that are read ahead, so that a lane with nothing to do finds something. */
const LOOKAHEAD = 1024;

interface Lane<T> {
  readonly waiting: Task<T>[];
  readonly busy: Set<string>;
}

/**
 * Works off tasks as fast as the results are taken, a few at a time in each lane. Results come in the order of completion.
 * Stopping (`return`, an aborted signal, a task that rejects) waits for what runs; nothing new is begun.
 */
export async function* inLanes<T>(
  tasks: AsyncIterator<Task<T>>,
  { places, signal }: { readonly places: number; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<T> {
  const lanes = new Map<number, Lane<T>>();
  const running = new Set<Promise<void>>();
  const finished: T[] = [];
  const state: State = { waiting: 0, failure: undefined, hasEnded: false, isReading: false, wake: () => undefined };

  const read = async (): Promise<void> => {
    state.isReading = true;
    try {
      const next = await tasks.next();
      if (next.done === true) {
        state.hasEnded = true;
      } else {
        const task = next.value;
        const lane = lanes.get(task.lane) ?? { waiting: [], busy: new Set() };
        lanes.set(task.lane, lane);
        lane.waiting.push(task);
        state.waiting += 1;
      }
    } catch (error) {
      state.failure ??= { error };
    }
    state.isReading = false;
    state.wake();
  };

  const begin = ({ busy }: Lane<T>, { person, run }: Task<T>): void => {
    busy.add(person);
    const promise = run()
      .then(
        (result) => void finished.push(result),
        (error: unknown) => {
          state.failure ??= { error };
        },
      )
      .then(() => {
        busy.delete(person);
        running.delete(promise);
        state.wake();
      });
    running.add(promise);
  };

  const beginWhatFits = (): void => {
    for (const lane of lanes.values()) {
      while (lane.busy.size < places) {
        const index = lane.waiting.findIndex(({ person }) => !lane.busy.has(person));
        const [task] = index < 0 ? [] : lane.waiting.splice(index, 1);
        if (!task) break;
        state.waiting -= 1;
        begin(lane, task);
      }
    }
  };

  const abort = (): void => state.wake();
  signal?.addEventListener("abort", abort);
  try {
    for (;;) {
      signal?.throwIfAborted();
      if (state.failure) throw state.failure.error;
      const result = finished.shift();
      if (result !== undefined) {
        yield result;
        continue;
      }
      if (!state.hasEnded && !state.isReading && state.waiting < LOOKAHEAD) void read();
      beginWhatFits();
      if (state.hasEnded && running.size === 0) return;
      await new Promise<void>((resolve) => {
        state.wake = resolve;
      });
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    await Promise.all(running);
    const ending = tasks.return?.().catch(() => undefined);
    // An input that says nothing cannot be waited for.
    if (!state.isReading) await ending;
  }
}
