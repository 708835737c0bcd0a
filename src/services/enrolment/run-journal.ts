import type { Site } from "../../host/site.ts";
import type { RunEntry } from "../../service-stores/run-store.ts";

/** Entries that are read at once. */
const PAGE = 1000;
/** Not a row: when the run was begun. */
const HEADER_ROW = 0;

/** The journal of a run. What was recorded is durable; what finishes together is written together. */
export class RunJournal {
  readonly #site: Site;
  readonly #key: string;
  #waiting: { readonly entry: RunEntry; readonly resolve: () => void; readonly reject: (error: unknown) => void }[] =
    [];
  #isWriting = false;

  constructor(site: Site, key: string) {
    this.#site = site;
    this.#key = key;
  }

  /** When the run was begun, in Unix milliseconds: now, unless it is in the journal already. */
  async begin(): Promise<number> {
    const [header] = await this.#store((runs) => runs.outcomes(this.#key, HEADER_ROW, 1));
    if (header?.row === HEADER_ROW) return Number(header.outcome);
    const now = this.#site.clock.now();
    await this.record({ row: HEADER_ROW, digest: "", outcome: String(now) });
    return now;
  }

  /** What is in the journal, by row. */
  async *entries(): AsyncGenerator<RunEntry> {
    let from = HEADER_ROW + 1;
    for (;;) {
      const page = await this.#store((runs) => runs.outcomes(this.#key, from, PAGE));
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      from = last.row + 1;
    }
  }

  /** Resolves when the entry is durable. */
  record(entry: RunEntry): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      if (!this.#isWriting) void this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const entries = batch.map(({ entry }) => entry);
        await this.#store((runs) => runs.record(this.#key, entries));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isWriting = false;
  }

  #store<T>(work: (runs: Site["store"]["runs"]) => Promise<T>): Promise<T> {
    return this.#site.withStore(() => work(this.#site.store.runs));
  }
}
