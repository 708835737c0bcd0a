import { describe, expect, it } from "vitest";
import { AddressPolicy } from "../../src/transport/address-policy.ts";
import { errorOf } from "../support/code-of.ts";

describe("AddressPolicy", () => {
  const policy = new AddressPolicy();

  it.each([
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
    "2001:4860:4860::8888",
  ])("SEC-078 %s is public", (address) => {
    expect(policy.permits(address)).toBe(true);
  });

  it.each([
    ["0.0.0.0", "this network"],
    ["0.255.255.255", "this network"],
    ["10.0.0.1", "private"],
    ["10.255.255.255", "private"],
    ["100.64.0.1", "shared by a carrier"],
    ["100.127.255.255", "shared by a carrier"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.255", "loopback"],
    ["169.254.169.254", "link-local: a cloud's metadata"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.0.0.8", "protocol assignments"],
    ["192.0.2.1", "documentation"],
    ["192.88.99.1", "6to4 relays"],
    ["192.168.0.1", "private"],
    ["198.18.0.1", "benchmarks"],
    ["198.51.100.1", "documentation"],
    ["203.0.113.1", "documentation"],
    ["224.0.0.1", "multicast"],
    ["240.0.0.1", "reserved"],
    ["255.255.255.255", "broadcast"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["0:0:0:0:0:0:0:1", "loopback"],
    ["::127.0.0.1", "IPv4-compatible"],
    ["::8.8.8.8", "IPv4-compatible"],
    ["::ffff:127.0.0.1", "IPv4-mapped"],
    ["::ffff:7f00:1", "IPv4-mapped"],
    ["::ffff:8.8.8.8", "IPv4-mapped"],
    ["::FFFF:10.0.0.1", "IPv4-mapped"],
    ["64:ff9b::7f00:1", "NAT64"],
    ["64:ff9b::10.0.0.1", "NAT64"],
    ["64:ff9b:1::1", "local NAT64"],
    ["100::1", "discard"],
    ["2001::1", "Teredo"],
    ["2001:db8::1", "documentation"],
    ["2002:7f00:1::", "6to4"],
    ["3fff::1", "documentation"],
    ["fc00::1", "unique local"],
    ["fdff::1", "unique local"],
    ["fe80::1", "link-local"],
    ["febf::1", "link-local"],
    ["fec0::1", "site-local"],
    ["ff02::1", "multicast"],
    ["fe80::1%eth0", "with a zone"],
    ["", "no address"],
    ["localhost", "no address"],
    ["2130706433", "no address"],
    ["0x7f.1", "no address"],
    ["127.1", "no address"],
    ["8.8.8.8.", "no address"],
    ["8.8.8.8/32", "no address"],
  ])("SEC-078 %s is refused: %s", (address) => {
    expect(policy.permits(address)).toBe(false);
  });

  it("SEC-078 what is allowed is permitted, and nothing beside it", () => {
    const allowing = new AddressPolicy(["10.1.0.0/16", "192.168.7.9", "fd00:1::/32", "::1"]);
    const permitted = ["10.1.2.3", "192.168.7.9", "fd00:1::5", "::1", "8.8.8.8"];
    const refused = ["10.2.0.1", "192.168.7.8", "fd00:2::5", "::2", "127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::a01:203"];
    expect(permitted.map((address) => [address, allowing.permits(address)])).toEqual(
      permitted.map((address) => [address, true]),
    );
    expect(refused.map((address) => [address, allowing.permits(address)])).toEqual(
      refused.map((address) => [address, false]),
    );
  });

  it("SEC-078 to allow all IPv4 is not to allow IPv6, nor the other way round", () => {
    expect([
      new AddressPolicy(["0.0.0.0/0"]).permits("127.0.0.1"),
      new AddressPolicy(["0.0.0.0/0"]).permits("::1"),
    ]).toEqual([true, false]);
    expect([new AddressPolicy(["::/0"]).permits("127.0.0.1"), new AddressPolicy(["::/0"]).permits("::1")]).toEqual([
      false,
      true,
    ]);
  });

  it.each([
    "",
    "localhost",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0.0/x",
    "10.0.0.0/1e1",
    "::/129",
    "10.0.0",
    "10.*",
    " 10.0.0.0/8",
    "fe80::1%eth0",
  ])("%j is no network", async (network) => {
    expect(await errorOf(() => new AddressPolicy([network]))).toMatchObject({
      code: "MNET_CONFIG_INVALID",
      option: "allowAddresses",
    });
  });
});
