import { BlockList, isIP } from "node:net";
import { ConfigError } from "../core/errors.ts";
import { RecentMap } from "../core/recent-map.ts";

/** Networks of both families, kept apart: to a `BlockList`, every IPv4 address lies in `::ffff:0:0/96`. */
export class Networks {
  readonly #isEmpty: boolean;
  /** The same few addresses ask again and again, and looking one up takes as long as decoding a small call. */
  readonly #known = new RecentMap<string, boolean>(1000);
  readonly #lists = { 4: new BlockList(), 6: new BlockList() };

  /**
   * @param networks in CIDR form, or single addresses.
   * @param option whose they are: throws `MNET_CONFIG_INVALID` with it.
   */
  constructor(networks: readonly string[], option: string) {
    this.#isEmpty = networks.length === 0;
    for (const network of networks) {
      const [, address = "", prefix] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(network) ?? [];
      const family = isIP(address);
      const bits = family === 4 ? 32 : 128;
      const length = prefix === undefined ? bits : Number(prefix);
      if (!isFamily(family) || length > bits) {
        throw new ConfigError("MNET_CONFIG_INVALID", `${JSON.stringify(network)} is not a network in CIDR form.`, {
          option,
        });
      }
      this.#lists[family].addSubnet(address, length, TYPE[family]);
    }
  }

  /** Whether the address lies in one of them. What is no IP address, or has a zone, does not. */
  has(address: string): boolean {
    if (this.#isEmpty || address.length > LONGEST_ADDRESS) return false;
    let isInside = this.#known.get(address);
    if (isInside === undefined) {
      isInside = this.#lookUp(address);
      this.#known.set(address, isInside);
    }
    return isInside;
  }

  #lookUp(address: string): boolean {
    const family = isIP(address);
    if (!isFamily(family) || address.includes("%")) return false;
    return this.#lists[family].check(address, TYPE[family]);
  }
}

/** With a zone. */
const LONGEST_ADDRESS = 64;
const TYPE = { 4: "ipv4", 6: "ipv6" } as const;
const isFamily = (family: number): family is 4 | 6 => family !== 0;
