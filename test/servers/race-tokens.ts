import type { PeerId } from "../../src/core/ids.ts";
import type { IssuedToken } from "../../src/service-stores/token-store.ts";

/** The token with this number, as all processes of a race know it. */
export const raceToken = (number: number): IssuedToken => ({
  hash: number.toString(16).padStart(64, "0"),
  peer: 1 as PeerId,
  accountId: `account ${number}`,
  sessionId: `session ${number}`,
  userAgentHash: "agent",
  expiresAt: 1_000_000,
});

/** Does the work for each number from 0 up to `count`, so many at once. */
export async function inParallel(
  count: number,
  workers: number,
  work: (number: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let number = next++; number < count; number = next++) await work(number);
    }),
  );
}
