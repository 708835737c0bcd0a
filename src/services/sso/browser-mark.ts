import { createHash, timingSafeEqual } from "node:crypto";
import type { Wwwroot } from "../../core/ids.ts";
import type { Browser } from "../../plug-ins/browser.ts";

/** For whoever has to log in at home first. */
const LIFETIME_S = 600;

/**
 * A cookie by which a browser proves that something began in it: a login at the home site, or a question that it was asked
 * (SEC-069). Another site can send the browser here, but cannot set it.
 */
export class BrowserMark {
  readonly #name: string;
  readonly #attributes: string;

  constructor(name: string, wwwroot: Wwwroot) {
    const isSecure = wwwroot.startsWith("https:");
    // Cookies do not know ports, and this one no paths: another site of the same host has another name.
    const own = `${name}_${boundTo(wwwroot).slice(0, 8)}`;
    // The prefix keeps neighbours on the same domain from setting it; it needs https and the path `/`.
    this.#name = isSecure ? `__Host-${own}` : own;
    this.#attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`;
  }

  /** The secret that this browser brought. */
  read(browser: Pick<Browser, "header">): string | undefined {
    const pairs = (browser.header("cookie") ?? "").split(";").map((pair) => pair.trim());
    const mine = pairs.filter((pair) => pair.startsWith(`${this.#name}=`));
    const [value] = mine.map((pair) => pair.slice(this.#name.length + 1));
    return mine.length === 1 && value !== undefined && /^[0-9a-f]{64}$/.test(value) ? value : undefined;
  }

  set(browser: Pick<Browser, "appendHeader">, secret: string): void {
    browser.appendHeader("set-cookie", `${this.#name}=${secret}; Max-Age=${LIFETIME_S}; ${this.#attributes}`);
  }

  clear(browser: Pick<Browser, "appendHeader">): void {
    browser.appendHeader("set-cookie", `${this.#name}=; Max-Age=0; ${this.#attributes}`);
  }
}

/** A secret for a mark: 256 bits. */
export const newBrowserSecret = (random: (bytes: number) => Uint8Array): string =>
  Buffer.from(random(32)).toString("hex");

/** What a mark is bound to, so that it cannot be used for anything else. */
export const boundTo = (...parts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(parts), "utf8").digest("hex");

/** Compares without telling how much was right. */
export const isSame = (one: string, other: string | undefined): boolean =>
  one.length === other?.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
