export const USAGE = `Usage: npm run bench -- [--quick] [--only SUITE,SUITE] [--json [FILE]] [--list]\n`;

/** What was asked for is nothing that there is. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What the command is to do. */
export interface Arguments {
  readonly isQuick: boolean;
  readonly only: readonly string[] | undefined;
  /** A file, `"-"` for standard output, `undefined` for a table instead. */
  readonly json: string | undefined;
}

/** Reads the command's arguments; `--json` takes a value or none, which `parseArgs` of node:util cannot say. */
export function readArguments(args: readonly string[], suites: readonly string[]): Arguments | "list" {
  let isQuick = false;
  let only: string[] | undefined;
  let json: string | undefined;
  for (let at = 0; at < args.length; at += 1) {
    const [option = "", attached] = (args[at] ?? "").split(/=(.*)/s, 2);
    const following = args[at + 1];
    const next = attached ?? (following?.startsWith("--") === true ? undefined : following);
    const takesNext = attached === undefined && next !== undefined;
    switch (option) {
      case "--list":
        return "list";
      case "--quick":
        isQuick = true;
        break;
      case "--json":
        json = next ?? "-";
        if (takesNext) at += 1;
        break;
      case "--only": {
        only = (next ?? "").split(",");
        const unknown = only.find((name) => !suites.includes(name));
        if (unknown !== undefined) throw new UsageError(`There is no suite ${JSON.stringify(unknown)}.`);
        if (takesNext) at += 1;
        break;
      }
      default:
        throw new UsageError(`There is no option ${JSON.stringify(option)}.`);
    }
  }
  return { isQuick, only, json };
}
