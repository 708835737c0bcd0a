import type { Fingerprint } from "../../src/core/ids.ts";

/**
 * What came of offering something that only one may get: this process got it, it was gone, it was never there, or nobody
 * knows, because the process was killed meanwhile.
 */
export type Offer = "got" | "gone" | "absent" | "unknown";

/** What the processes of a site said before they were killed, kept by one that is not; and what of it turned out not to be so. */
export class CrashLedger {
  readonly tokens = new OnceLedger("token");
  readonly messages = new OnceLedger("message");
  readonly keys = new KeyLedger();
  readonly enrolments = new EnrolmentLedger();
  readonly jobs = new JobLedger();
}

/** Things of which each is got once, such as tokens. */
export class OnceLedger {
  readonly #what: string;
  readonly #entries = new Map<number, { isThere: boolean; got: number; mayBeGone: boolean }>();

  constructor(what: string) {
    this.#what = what;
  }

  /** How many were got by a process that lived to tell it. */
  get got(): number {
    return [...this.#entries.values()].filter(({ got }) => got > 0).length;
  }

  get numbers(): readonly number[] {
    return [...this.#entries.keys()];
  }

  /** From now on it may be there. */
  begun(number: number): void {
    this.#entries.set(number, { isThere: false, got: 0, mayBeGone: false });
  }

  /** A process has said that it is there. */
  made(number: number): void {
    this.#entry(number).isThere = true;
  }

  offered(number: number, offer: Offer): void {
    const entry = this.#entry(number);
    if (offer === "got") entry.got += 1;
    if (offer === "unknown") entry.mayBeGone = true;
    if (offer === "gone") entry.isThere = true;
  }

  /** `last`: what came of offering each once more, when nothing was killed any more. */
  violations(last: ReadonlyMap<number, Offer>): readonly string[] {
    return this.numbers.flatMap((number) => {
      const { isThere, got, mayBeGone } = this.#entry(number);
      const outcome = last.get(number) ?? "unknown";
      const all = got + (outcome === "got" ? 1 : 0);
      const violations: string[] = [];
      if (all > 1) violations.push(`${all} processes got it`);
      if (outcome === "absent" && isThere) violations.push("it was lost");
      if (outcome === "gone" && got === 0 && !mayBeGone) violations.push("it is gone, and nobody got it");
      if (outcome === "unknown") violations.push("nobody knows what became of it");
      return violations.map((violation) => `${this.#what} ${number}: ${violation}`);
    });
  }

  #entry(number: number) {
    const entry = this.#entries.get(number);
    if (!entry) throw new TypeError(`There is no ${this.#what} ${number}.`);
    return entry;
  }
}

/** Keys that somebody has seen, by the site that they are of. */
export class KeyLedger {
  readonly #shown = new Map<string, Set<Fingerprint>>();

  get count(): number {
    return [...this.#shown.values()].reduce((sum, { size }) => sum + size, 0);
  }

  shown(site: string, fingerprint: Fingerprint): void {
    const shown = this.#shown.get(site) ?? new Set();
    this.#shown.set(site, shown);
    shown.add(fingerprint);
  }

  /** Of one site. `stored`: every key that can be used; `kept`: how many are kept of those that were shown. */
  violations(
    site: string,
    stored: readonly { readonly fingerprint: Fingerprint; readonly isCurrent: boolean }[],
    kept: number,
  ): readonly string[] {
    const usable = new Set(stored.map(({ fingerprint }) => fingerprint));
    const current = stored.filter(({ isCurrent }) => isCurrent).length;
    const wanted = [...(this.#shown.get(site) ?? [])].slice(-kept);
    return [
      ...(current === 1 ? [] : [`${site}: ${current} keys are current`]),
      ...wanted.filter((key) => !usable.has(key)).map((key) => `${site}: the key ${key} was lost`),
    ];
  }
}

/** Changes of who is in which course, each of which is wanted once. */
export class EnrolmentLedger {
  readonly #reported = new Map<string, Set<number>>();
  readonly #sent = new Map<string, number>();
  readonly #violations: string[] = [];

  /** Rows whose outcome a process has told. */
  get reported(): number {
    return [...this.#reported.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Changes that came again, because the process that had sent them was killed before it could write it down. */
  get sentAgain(): number {
    return [...this.#sent.values()].reduce((sum, times) => sum + times - 1, 0);
  }

  /** A process has told what became of a row. What failed may be lost, but there is nothing that it could fail for. */
  done(run: string, row: number, failed?: string): void {
    if (failed !== undefined) this.#violations.push(`run ${run}: row ${row} failed with ${failed}`);
    const rows = this.#reported.get(run) ?? new Set();
    this.#reported.set(run, rows);
    if (rows.has(row)) this.#violations.push(`run ${run}: row ${row} was worked off twice`);
    rows.add(row);
  }

  /** The other site was asked for the change that a row wants. */
  sent(run: string, row: number): void {
    const change = `${run} ${row}`;
    this.#sent.set(change, (this.#sent.get(change) ?? 0) + 1);
    if (this.#reported.get(run)?.has(row) === true) {
      this.#violations.push(`run ${run}: row ${row} was sent after it was done`);
    }
  }

  /** Who is in the courses should be who is wanted there; and the journal of each run should have each of its rows once. */
  violations(
    runs: ReadonlyMap<string, { readonly rows: number; readonly journal: readonly number[] }>,
    wanted: ReadonlySet<string>,
    found: readonly string[],
  ): readonly string[] {
    const violations = [...this.#violations];
    for (const [run, { rows, journal }] of runs) {
      const inJournal = new Set(journal);
      if (inJournal.size !== journal.length) violations.push(`run ${run}: a row is in the journal twice`);
      if (inJournal.size !== rows) violations.push(`run ${run}: the journal has ${inJournal.size} of ${rows} rows`);
      for (const row of this.#reported.get(run) ?? []) {
        if (!inJournal.has(row)) violations.push(`run ${run}: row ${row} was told and is not in the journal`);
      }
    }
    const there = new Set(found);
    if (there.size !== found.length) violations.push("somebody is in a course twice");
    for (const one of wanted) if (!there.has(one)) violations.push(`${one} was lost`);
    for (const one of there) if (!wanted.has(one)) violations.push(`${one} is there, and nobody wants it`);
    return violations;
  }
}

/** Jobs in the outbox, which are nobody's business but that of whoever has claimed them. */
export class JobLedger {
  readonly #put = new Map<string, { isThere: boolean; doneAt: number; mayBeDone: boolean }>();
  readonly #claims = new Map<string, { readonly at: number; readonly until: number }[]>();

  get count(): number {
    return this.#put.size;
  }

  get done(): number {
    return [...this.#put.values()].filter(({ doneAt }) => doneAt < Infinity).length;
  }

  /** From now on it may be there. */
  begun(id: string): void {
    this.#put.set(id, { isThere: false, doneAt: Infinity, mayBeDone: false });
  }

  /** A process has said that it is there. */
  made(id: string): void {
    this.#job(id).isThere = true;
  }

  /** A process has claimed it at one moment, until another one. */
  claimed(id: string, at: number, until: number): void {
    const claims = this.#claims.get(id) ?? [];
    this.#claims.set(id, claims);
    claims.push({ at, until });
    // Whoever was killed may have ended it before.
    this.#job(id).mayBeDone = true;
  }

  finished(id: string, at: number): void {
    this.#job(id).doneAt = at;
  }

  /** `left`: what is in the outbox when no claim lasts any more. */
  violations(left: readonly string[]): readonly string[] {
    const waiting = new Set(left);
    return [...this.#put].flatMap(([id, { isThere, doneAt, mayBeDone }]) => {
      const violations: string[] = [];
      if (doneAt < Infinity && waiting.has(id)) violations.push("it is done, and still there");
      if (isThere && !mayBeDone && !waiting.has(id)) violations.push("it was lost");
      const claims = (this.#claims.get(id) ?? []).sort((a, b) => a.at - b.at);
      for (const [index, { at }] of claims.entries()) {
        if (at < (claims[index - 1]?.until ?? 0)) violations.push("two had it at once");
        if (at > doneAt) violations.push("it was claimed after it was done");
      }
      return violations.map((violation) => `job ${id}: ${violation}`);
    });
  }

  #job(id: string) {
    const job = this.#put.get(id);
    if (!job) throw new TypeError(`There is no job ${id}.`);
    return job;
  }
}
