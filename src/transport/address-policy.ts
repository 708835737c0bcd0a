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

/** Networks of both kinds, kept apart: to a `BlockList`, every IPv4 address lies in `::ffff:0:0/96`. */
class Networks {
  readonly #lists = { 4: new BlockList(), 6: new BlockList() };

  /** Throws `MNET_CONFIG_INVALID`. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [, address = "", prefix] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(network) ?? [];
      const family = isIP(address);
      const bits = family === 4 ? 32 : 128;
      const length = prefix === undefined ? bits : Number(prefix);
      if (!isFamily(family) || length > bits) {
        throw new ConfigError("MNET_CONFIG_INVALID", `${JSON.stringify(network)} is not a network in CIDR form.`, {
          option: "allowAddresses",
        });
      }
      this.#lists[family].addSubnet(address, length, TYPE[family]);
    }
  }

  has(address: string, family: 4 | 6): boolean {
    return this.#lists[family].check(address, TYPE[family]);
  }
}

const TYPE = { 4: "ipv4", 6: "ipv6" } as const;
const isFamily = (family: number): family is 4 | 6 => family !== 0;

const special = new Networks(SPECIAL);

/** Decides whether a peer may be at an address. */
export class AddressPolicy {
  readonly #allowed: Networks;

  /** `allowed` are networks in CIDR form, or single addresses. Throws `MNET_CONFIG_INVALID`. */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = new Networks(allowed);
  }

  /** Whether the address is public, or allowed all the same. What is no IP address, or has a zone, is refused. */
  permits(address: string): boolean {
    const family = isIP(address);
    if (!isFamily(family) || address.includes("%")) return false;
    return !special.has(address, family) || this.#allowed.has(address, family);
  }
}
