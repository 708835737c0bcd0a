import type { PeerId } from "../core/ids.ts";

/** A token that was issued to a browser, for one peer to redeem (spec 9.3). The token itself is never stored (SEC-061). */
export interface IssuedToken {
  /** Lower-case hex SHA-256 of the token. */
  readonly hash: string;
  /** Who may redeem it (SEC-062). */
  readonly peer: PeerId;
  readonly accountId: string;
  /** The browser session that jumped. */
  readonly sessionId: string;
  /** Lower-case hex SHA-1 of the browser's `User-Agent` header, as peers send it. */
  readonly userAgentHash: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/** How often a token answers (SEC-063). */
export interface TokenGrace {
  /** In all, the first included. At least 1. */
  readonly uses: number;
  /** From the first one on. */
  readonly withinMs: number;
}

/** What became of an attempt. */
export type Redemption =
  { readonly outcome: "redeemed"; readonly token: IssuedToken } | { readonly outcome: "absent" | "used" | "expired" };

/** Tokens of single sign-on. */
export interface TokenStore {
  /** Durable before it returns. */
  issue(token: IssuedToken): Promise<void>;
  /**
   * Of all calls in all processes, exactly one gets a token first; at most `grace.uses` get it in all, within
   * `grace.withinMs` of the first. Wrong peer or user agent: `"absent"`, and nothing is used up. A first use at exactly
   * `expiresAt` is too late; a further one within the grace is not.
   */
  redeem(
    hash: string,
    by: { readonly peer: PeerId; readonly userAgentHash: string },
    grace: TokenGrace,
    now: number,
  ): Promise<Redemption>;
  /**
   * Forgets at most `limit` tokens that expired before `expiredBefore`.
   *
   * @returns how many.
   */
  prune(expiredBefore: number, limit: number): Promise<number>;
}
