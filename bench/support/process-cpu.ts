import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/**
 * Seconds of CPU that the processes with such a command line have had so far, those of their children that ended among
 * them. Linux only.
 *
 * @param except those that have this in their command line: who asks has the pattern in its own.
 */
export function cpuSecondsOf(
  pattern: RegExp,
  except: string,
): { readonly seconds: number; readonly processes: number } {
  const perSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  let ticks = 0;
  let processes = 0;
  for (const id of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${id}/cmdline`, "utf8").replaceAll("\0", " ");
      if (command.includes(except) || !pattern.test(command)) continue;
      ticks += ticksOf(readFileSync(`/proc/${id}/stat`, "utf8"));
      processes += 1;
    } catch {
      // It has ended meanwhile.
    }
  }
  return { seconds: ticks / perSecond, processes };
}

/** utime, stime, cutime and cstime of `/proc/PID/stat` (man 5 proc). The name before them may hold anything. */
export function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}
