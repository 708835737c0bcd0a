/** A named check: give it to any test runner. Rejects with a plain assertion error. */
export interface ContractCase {
  /** A sentence, unique within its suite. */
  readonly name: string;
  /** Runs the check. May be called again. */
  readonly run: () => Promise<void>;
}
