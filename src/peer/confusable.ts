import { domainToUnicode } from "node:url";
import type { Wwwroot } from "../core/ids.ts";

/**
 * Letters that look like Latin ones, of the two alphabets that registries sell beside it, and what looks alike within
 * ASCII. Not Unicode's whole table (UTS 39): this is for a warning, and a wrong one costs attention.
 */
const ALIKE: Readonly<Record<string, string>> = {
  ...{ а: "a", е: "e", о: "o", р: "p", с: "c", у: "y", х: "x", і: "i", ј: "j", ѕ: "s", һ: "h", ԁ: "d", ԛ: "q", ԝ: "w" },
  ...{ ӏ: "l", к: "k", п: "n", г: "r", ь: "b", т: "t", м: "m", н: "h", в: "b", ɡ: "g", ɑ: "a", ı: "i" },
  ...{ α: "a", ε: "e", ο: "o", ν: "v", ρ: "p", υ: "u", ι: "i", κ: "k", τ: "t", χ: "x", ω: "w", η: "n", γ: "y" },
  ...{ "0": "o", "1": "l" },
};

/**
 * What is left of a wwwroot for an eye that reads over it: no scheme, no `www.`, no usual port, no case, letters of other
 * alphabets as the Latin ones that they look like (SEC-085).
 *
 * Two wwwroots with one likeness are two sites for MNet (MNET-002), and perhaps one for the administrator who adds the
 * second. Those that are spellings of one address are refused; see `canonicalWwwroot`.
 */
export function likenessOf(wwwroot: Wwwroot): string {
  const { hostname, port, pathname } = new URL(wwwroot);
  const host = domainToUnicode(hostname) || hostname;
  const isUsualPort = port === "" || port === "80" || port === "443";
  const text = `${host.replace(/\.$/, "").replace(/^www\./, "")}${isUsualPort ? "" : `:${port}`}${pathname.replace(/\/+$/, "")}`;
  return [...text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "")]
    .map((letter) => ALIKE[letter] ?? letter)
    .join("")
    .replaceAll("rn", "m")
    .replaceAll("vv", "w");
}

/** The address of a site with an internationalised domain, as browsers show it; `undefined` where that is no different. */
export function shownHost(wwwroot: Wwwroot): string | undefined {
  const { hostname } = new URL(wwwroot);
  const shown = domainToUnicode(hostname);
  return shown === "" || shown === hostname ? undefined : shown;
}
