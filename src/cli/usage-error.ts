/** The command was asked for something that it cannot do; the person can ask better. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
