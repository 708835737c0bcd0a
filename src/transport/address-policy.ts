import { isIP } from "node:net";
import { Networks } from "./networks.ts";

/**
 * Networks where no peer is expected to live: this machine, private and shared networks, and what carries an IPv4
 * address inside (SEC-078; RFC 6890).
 */
const SPECIAL: readonly string[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "192.88.99.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/96",
  "::ffff:0:0/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
  "fc00::/7",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
];

const special = new Networks(SPECIAL, "");

/** Decides whether a peer may be at an address. */
export class AddressPolicy {
  readonly #allowed: Networks;

  /** `allowed` are networks in CIDR form, or single addresses. Throws `MNET_CONFIG_INVALID`. */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = new Networks(allowed, "allowAddresses");
  }

  /** Whether the address is public, or allowed all the same. What is no IP address, or has a zone, is refused. */
  permits(address: string): boolean {
    if (isIP(address) === 0 || address.includes("%")) return false;
    return !special.has(address) || this.#allowed.has(address);
  }
}
