/** What a command says to the program that started it. The numbers are documented in docs/cli.md. */
export const EXIT = {
  /** Everything is as it should be. */
  ok: 0,
  /** The command did its work, and something is not as it should be; or it could not do its work. */
  failed: 1,
  /** The command was not asked in a way that it understands. */
  usage: 2,
} as const;

/** One of the above. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
