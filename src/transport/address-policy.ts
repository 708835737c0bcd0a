import { BlockList, isIP } from "node:net";
import { ConfigError } from "../core/errors.ts";

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
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/128",
  "::1/128",
  "::ffff:0:0/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "fc00::/7",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
];

const special = blockListOf(SPECIAL);

/** Decides whether a peer may be at an address. */
export class AddressPolicy {
  readonly #allowed: BlockList;

  /** `allowed` are networks in CIDR form, or single addresses. Throws `MNET_CONFIG_INVALID`. */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = blockListOf(allowed);
  }

  /** Whether the address is public, or allowed all the same. What is no IP address is refused. */
  permits(address: string): boolean {
    const family = isIP(address);
    if (family === 0) return false;
    const type = family === 4 ? "ipv4" : "ipv6";
    return !special.check(address, type) || this.#allowed.check(address, type);
  }
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    const family = isIP(address);
    const length = prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix);
    const isLength = /^\d{1,3}$/.test(prefix ?? "0") && length <= (family === 4 ? 32 : 128);
    if (family === 0 || !isLength) {
      throw new ConfigError("MNET_CONFIG_INVALID", `${JSON.stringify(network)} is not a network in CIDR form.`, {
        option: "allowAddresses",
      });
    }
    list.addSubnet(address, length, family === 4 ? "ipv4" : "ipv6");
  }
  return list;
}
