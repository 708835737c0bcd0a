import { afterEach, describe, expect, it, vi } from "vitest";
import { CryptoOverload } from "../../src/crypto/crypto-pool.ts";
import { KeyRing } from "../../src/keys/key-ring.ts";
import { aliceCalls, openAnswer, request, rig, summary } from "../support/hosts.ts";

const PATH = new URL("https://x.test/moodle/mnet/xmlrpc/server.php").pathname;

afterEach(() => {
  vi.restoreAllMocks();
});

describe("more than can be served in time", () => {
  it("SEC-083 is refused before it is read where it is a crowd, clearly, and served again afterwards", async () => {
    await using us = await rig();
    const overloaded = vi.spyOn(KeyRing.prototype, "isOverloaded", "get").mockReturnValue(true);
    let giveUp = (): void => undefined;
    const decrypt = vi.spyOn(KeyRing.prototype, "decrypt").mockImplementation(
      () =>
        new Promise((_resolve, reject) => {
          giveUp = () => reject(new CryptoOverload());
        }),
    );
    // One is under way from the address, so that address is the crowd.
    const pending = us.host.handle({
      method: "POST",
      path: PATH,
      headers: {},
      body: aliceCalls(us, "system/listServices"),
      remoteAddress: "192.0.2.1",
    });
    await vi.waitFor(() => {
      expect(decrypt).toHaveBeenCalled();
    });
    const refused = await request(us.host, {
      path: PATH,
      body: aliceCalls(us, "system/listServices"),
      remoteAddress: "192.0.2.1",
    });
    expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "1"]);
    expect(us.events.filter(({ type }) => type === "request.throttled")).toMatchObject([
      { reason: "overload", requests: 1, remoteAddress: "192.0.2.1" },
    ]);

    decrypt.mockRestore();
    const other = await request(us.host, {
      path: PATH,
      body: aliceCalls(us, "system/listServices"),
      remoteAddress: "192.0.2.2",
    });
    expect(summary(openAnswer(other.body, us.alice))).toEqual({ form: "signed and encrypted", value: [] });
    overloaded.mockReturnValue(false);
    const later = await request(us.host, {
      path: PATH,
      body: aliceCalls(us, "system/listServices"),
      remoteAddress: "192.0.2.1",
    });
    expect(later.status).toBe(200);
    giveUp();
    expect((await pending)?.status).toBe(503);
  });

  it("SEC-083 a request that has to give way costs its address nothing", async () => {
    await using us = await rig();
    const decrypt = vi.spyOn(KeyRing.prototype, "decrypt").mockRejectedValue(new CryptoOverload());
    for (let n = 0; n < 500; n += 1) {
      const { status } = await request(us.host, { path: PATH, body: aliceCalls(us, "system/listServices") });
      expect(status).toBe(503);
    }
    decrypt.mockRestore();
    const { status } = await request(us.host, { path: PATH, body: aliceCalls(us, "system/listServices") });
    expect(status).toBe(200);
  });
});
