import { isIP } from "node:net";
import { Networks } from "../transport/networks.ts";
import { headerOf, type HttpRequest } from "./http.ts";

/** Where a request came from. */
export interface ClientAddress {
  /** An IP address in its normal form; an IPv4 address in IPv6 form is one of IPv4. */
  readonly address?: string | undefined;
  /**
   * What budgets count by: an IPv4 address, or the /64 network of an IPv6 address, because one machine has all of it.
   * Requests without an address share one.
   */
  readonly block: string;
  /** The address is that of a proxy of ours, so that whoever is behind it is not known. */
  readonly isProxy: boolean;
}

/** No chain of real proxies is longer. */
const MAXIMUM_HOPS = 16;

/**
 * Finds out where requests come from: from the socket, which cannot lie; or, where the socket is a proxy that the
 * configuration names, from what that proxy says (SEC-037, SEC-083).
 *
 * Of `X-Forwarded-For`, entries are believed from the right, as long as the one that added them is a trusted proxy; what
 * stands further left is whatever the caller wrote there. `Forwarded` and `X-Real-IP` are not looked at.
 */
export class ClientAddresses {
  readonly #proxies: Networks;

  /** `trustedProxies`: networks in CIDR form, or single addresses. Throws `MNET_CONFIG_INVALID`. */
  constructor(trustedProxies: readonly string[] = []) {
    this.#proxies = new Networks(trustedProxies, "trustedProxies");
  }

  /** Where the request came from. */
  of(request: HttpRequest): ClientAddress {
    let address = normalAddress(request.remoteAddress ?? "");
    let isProxy = this.#isProxy(address);
    if (isProxy) {
      const hops = (headerOf(request, "x-forwarded-for") ?? "").split(",").slice(-MAXIMUM_HOPS);
      while (isProxy && hops.length > 0) {
        const hop = forwardedAddress(hops.pop() ?? "");
        // A proxy that says something else knows no more than we do.
        if (hop === undefined) break;
        address = hop;
        isProxy = this.#isProxy(address);
      }
    }
    return { address, block: blockOf(address), isProxy };
  }

  #isProxy(address: string | undefined): boolean {
    return address !== undefined && this.#proxies.has(address);
  }
}

/** `undefined`: not an IP address. */
function normalAddress(text: string): string | undefined {
  const family = isIP(text);
  // One with a zone stays as it is: no network holds it, so no machine is trusted for it.
  if (family !== 6 || text.includes("%")) return family === 0 ? undefined : text;
  // The URL parser knows the one short way to write it.
  const address = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const [, high = "", low = ""] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(address) ?? [];
  if (low === "") return address;
  const bits = (Number.parseInt(high, 16) << 16) | Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}

/** Some proxies add the port. */
function forwardedAddress(hop: string): string | undefined {
  const text = hop.trim();
  const [, v6, v4] = /^(?:\[([0-9a-f.:]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/i.exec(text) ?? [];
  return normalAddress(v6 ?? v4 ?? text);
}

function blockOf(address: string | undefined): string {
  if (address === undefined) return "unknown";
  if (!address.includes(":")) return address;
  const [before = "", after] = address.replace(/%.*/, "").split("::");
  const left = before === "" ? [] : before.split(":");
  const right = after === undefined || after === "" ? [] : after.split(":");
  const missing = after === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array.from({ length: missing }, () => "0"), ...right];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
