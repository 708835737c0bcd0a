import { execFile, execFileSync } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { promisify } from "node:util";
import { interleave, timeOf } from "./interleave.ts";
import { RsaOfCall } from "./rsa-of-call.ts";
import { median } from "./statistics.ts";

/** Where it was measured. */
export interface Machine {
  readonly node: string;
  readonly openssl: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  /** Of the source; with `+` if there are changes beside it. */
  readonly commit: string | undefined;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    node: process.version,
    openssl: process.versions.openssl,
    platform: `${process.platform} ${process.arch}`,
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    commit: commit(),
  };
}

function commit(): string | undefined {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    return git("rev-parse", "--short=12", "HEAD") + (git("status", "--porcelain") === "" ? "" : "+");
  } catch {
    return undefined;
  }
}

/** Operations with RSA-2048 a second, one thread. */
export interface RsaRates {
  /** As `openssl speed` has it; not there without the command. */
  readonly openssl?: { readonly sign: number; readonly verify: number };
  /** As node:crypto has it, with cached keys. */
  readonly node: {
    readonly unwrap: number;
    readonly sign: number;
    readonly verify: number;
    readonly wrap: number;
    /** Calls a second, each with one of these. */
    readonly calls: number;
  };
}

/** What nothing that uses RSA can be faster than. */
export async function measureRsaRates(isQuick: boolean): Promise<RsaRates> {
  const openssl = await opensslSpeed(isQuick ? 1 : 3);
  const rsa = new RsaOfCall();
  const times = await interleave(
    {
      unwrap: () => timeOf(20, () => rsa.unwrap()),
      sign: () => timeOf(20, () => rsa.sign()),
      verify: () => timeOf(200, () => rsa.verify()),
      wrap: () => timeOf(200, () => rsa.wrap()),
      calls: () => timeOf(10, () => rsa.oneSide()),
    },
    { rounds: isQuick ? 10 : 40, warmUp: 3 },
  );
  const rate = (values: readonly number[]): number => Math.round(1000 / median(values));
  return {
    ...(openssl && { openssl }),
    node: {
      unwrap: rate(times.unwrap),
      sign: rate(times.sign),
      verify: rate(times.verify),
      wrap: rate(times.wrap),
      calls: rate(times.calls),
    },
  };
}

async function opensslSpeed(seconds: number): Promise<RsaRates["openssl"]> {
  try {
    const args = ["speed", "-mr", "-seconds", String(seconds), "rsa2048"];
    const { stdout } = await promisify(execFile)("openssl", args);
    return readOpensslSpeed(stdout);
  } catch {
    return undefined;
  }
}

/** Of `openssl speed -mr`: `+F2:2:2048:<signatures a second>:<verifications a second>`. */
export function readOpensslSpeed(output: string): RsaRates["openssl"] {
  const [, sign, verify] = /^\+F2:\d+:2048:([\d.e-]+):([\d.e-]+)/m.exec(output) ?? [];
  return sign === undefined || verify === undefined
    ? undefined
    : { sign: Math.round(Number(sign)), verify: Math.round(Number(verify)) };
}
