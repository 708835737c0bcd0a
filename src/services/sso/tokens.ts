import { createHash } from "node:crypto";
import type { Browser } from "../../plug-ins/browser.ts";

/** 160 bits (SEC-061), and what fits into Moodle's column: 40 hex digits (spec 9.4, MNET-111). */
const TOKEN_BYTES = 20;

/** A fresh token for a browser. */
export const newToken = (random: (bytes: number) => Uint8Array): string =>
  Buffer.from(random(TOKEN_BYTES)).toString("hex");

/** What is stored of a token. */
export const hashOfToken = (token: string): string => createHash("sha256").update(token, "utf8").digest("hex");

/**
 * What sites compare of a browser (spec 9.3): the SHA-1 of its `User-Agent` header in lower-case hex. Of the bytes as they
 * came, which Node gives as Latin-1; a browser without the header has an empty one.
 */
export const userAgentHash = (browser: Pick<Browser, "header">): string =>
  createHash("sha1")
    .update(browser.header("user-agent") ?? "", "latin1")
    .digest("hex");
