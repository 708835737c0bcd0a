/** Preparing costs three times what running does. The texts of our statements are few. */
const CAPACITY = 100;

/** The prepared statements of a connection by their texts; of too many, the one that was not used for longest goes. */
export class PreparedStatements<Statement> {
  readonly #prepare: (text: string) => Statement;
  readonly #byText = new Map<string, Statement>();

  constructor(prepare: (text: string) => Statement) {
    this.#prepare = prepare;
  }

  get(text: string): Statement {
    const statement = this.#byText.get(text) ?? this.#prepare(text);
    // Put at the end: the first of a `Map` is then the one that was not used for longest.
    this.#byText.delete(text);
    this.#byText.set(text, statement);
    const [oldest] = this.#byText.keys();
    if (this.#byText.size > CAPACITY && oldest !== undefined) this.#byText.delete(oldest);
    return statement;
  }

  delete(text: string): void {
    this.#byText.delete(text);
  }

  clear(): void {
    this.#byText.clear();
  }
}
