import { describe, expect, it } from "vitest";
import type { HostOptions } from "../../src/host/host-options.ts";
import { defineService } from "../../src/host/define-service.ts";
import type { TrustedMachine } from "../../src/host/trusted-machines.ts";
import { t } from "../../src/host/wire-type.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";
import { errorOf } from "../support/code-of.ts";
import {
  ALICE,
  aliceCalls,
  insertPeer,
  isSignedBy,
  keyedSite,
  openAnswer,
  request,
  rig,
  summary,
  withBadSignature,
  type OpenedAnswer,
  type Rig,
} from "../support/hosts.ts";

const MACHINE = "10.1.2.3";
const bob = keyedSite("https://bob.example", 4);

/** Services that remember what was executed, and for whom. */
function services() {
  const executed: string[] = [];
  const make = (name: string) => {
    const described = defineService({
      name,
      path: name.replaceAll("_", ""),
      methods: { note: { params: { text: t.string() }, returns: t.string() } },
    });
    return described.implement({
      note: ({ text }, { peer }) => {
        executed.push(`${name} ${text} as ${peer.wwwroot}`);
        return text;
      },
    });
  };
  return { executed, services: [make("feed"), make("other"), make("sso_sp"), make("sso_idp"), make("mnet_enrol")] };
}

const entry = (more: Partial<TrustedMachine> = {}): TrustedMachine => ({
  address: MACHINE,
  actsAs: ALICE,
  services: ["feed"],
  accept: "plain",
  ...more,
});

async function trustingRig(
  machines: readonly TrustedMachine[],
  options: Partial<HostOptions> & Parameters<typeof rig>[0] = {},
) {
  const { executed, services: served } = services();
  const us = await rig({ services: served, trustedMachines: machines, ...options });
  return Object.assign(us, { executed });
}

async function ask(
  us: Rig,
  form: "plain" | "signed" | "signed and encrypted",
  method: string,
  params: readonly XmlRpcValue[] = [],
  {
    from = us.alice,
    damage,
    ...more
  }: {
    remoteAddress?: string | undefined;
    headers?: Record<string, string>;
    from?: Rig["alice"];
    damage?: (signed: Buffer) => Buffer;
  } = {},
): Promise<OpenedAnswer> {
  const body = aliceCalls(us, method, params, { form, from, ...(damage && { damage }) });
  return openAnswer((await request(us.host, { remoteAddress: MACHINE, body, ...more })).body, us.alice);
}

describe("a trusted machine", () => {
  it("SEC-037 MNET-008 nobody is one by default, whatever the headers say", async () => {
    await using us = await trustingRig([]);
    for (const form of ["plain", "signed"] as const) {
      for (const remoteAddress of [MACHINE, "127.0.0.1", "::1", undefined]) {
        const answer = await ask(us, form, "feed/note", ["x"], {
          remoteAddress,
          headers: { "x-forwarded-for": "127.0.0.1" },
        });
        expect(summary(answer)).toEqual({ form, fault: 7021 });
      }
    }
    expect(us.executed).toEqual([]);
    expect(us.told("trusted-machine.used")).toEqual([]);
  });

  it("SEC-037 plain: bare calls of its services run as its peer, and are answered bare", async () => {
    await using us = await trustingRig([entry()]);
    expect(summary(await ask(us, "plain", "feed/note", ["x"]))).toEqual({ form: "plain", value: "x" });
    expect(us.executed).toEqual([`feed x as ${ALICE}`]);
    expect(us.told("trusted-machine.used")).toMatchObject([
      {
        level: "info",
        peer: { id: us.aliceId, wwwroot: ALICE },
        remoteAddress: MACHINE,
        accept: "plain",
        method: "feed/note",
      },
    ]);
    expect(us.told("call.served")).toHaveLength(1);
    // The machine is not the peer: nothing was heard from that.
    expect((await us.host.peers.get(us.aliceId)).lastContactAt).toBeUndefined();
  });

  it("SEC-037 signed: what the peer's pinned key signed, answered signed", async () => {
    await using us = await trustingRig([entry({ accept: "signed" })]);
    const answer = await ask(us, "signed", "feed/note", ["x"]);
    expect(summary(answer)).toEqual({ form: "signed", value: "x" });
    expect(isSignedBy(answer, us.ours)).toBe(true);
    expect(us.told("trusted-machine.used")).toMatchObject([{ accept: "signed", remoteAddress: MACHINE }]);
    // Faults of a method, too.
    expect(summary(await ask(us, "signed", "other/note", ["x"]))).toEqual({ form: "signed", fault: 7012 });
    expect(us.executed).toHaveLength(1);
  });

  it("SEC-037 each is for itself: plain is not signed, and signed is not plain", async () => {
    await using plain = await trustingRig([entry()]);
    expect(summary(await ask(plain, "signed", "feed/note", ["x"]))).toEqual({ form: "signed", fault: 7021 });
    await using signed = await trustingRig([entry({ accept: "signed" })]);
    expect(summary(await ask(signed, "plain", "feed/note", ["x"]))).toEqual({ form: "plain", fault: 7021 });
    expect([...plain.executed, ...signed.executed]).toEqual([]);
    await using both = await trustingRig([entry(), entry({ accept: "signed", services: ["other"] })]);
    expect(summary(await ask(both, "plain", "feed/note", ["x"]))).toMatchObject({ value: "x" });
    expect(summary(await ask(both, "signed", "other/note", ["x"]))).toMatchObject({ value: "x" });
    expect(summary(await ask(both, "plain", "other/note", ["x"]))).toMatchObject({ fault: 7012 });
    expect(summary(await ask(both, "signed", "feed/note", ["x"]))).toMatchObject({ fault: 7012 });
  });

  it("SEC-037 signed: nobody else's signature, no other sender, no bad or missing signature", async () => {
    await using us = await trustingRig([entry({ accept: "signed" })]);
    await insertPeer(us.store, bob);
    const impostor = { ...bob, wwwroot: us.alice.wwwroot };
    expect(summary(await ask(us, "signed", "feed/note", ["x"], { damage: withBadSignature }))).toEqual({
      form: "plain",
      fault: 7021,
    });
    expect(summary(await ask(us, "signed", "feed/note", ["x"], { from: impostor }))).toEqual({
      form: "plain",
      fault: 7021,
    });
    expect(summary(await ask(us, "signed", "feed/note", ["x"], { from: bob }))).toEqual({
      form: "signed",
      fault: 7021,
    });
    expect(us.executed).toEqual([]);
  });

  it.each([
    [{ expiredKey: "refuse" }, 365 * 86_400_000 * 2, { form: "signed", fault: 710 }],
    [{ clock: "strict" }, 60_000, { form: "signed", fault: 7000 }],
  ] as const)("SEC-037 signed: a peer that is set to %j is held to it", async (settings, elapsedMs, expected) => {
    await using us = await trustingRig([entry({ accept: "signed" })], {
      alicePeer: { settings },
      maintenance: "manual",
    });
    expect(summary(await ask(us, "signed", "feed/note", ["x"]))).toMatchObject({ value: "x" });
    await us.clock.advance(elapsedMs);
    expect(summary(await ask(us, "signed", "feed/note", ["x"]))).toEqual(expected);
  });

  it.each(["plain", "signed"] as const)(
    "SEC-037 %s: rights of the peer, of All Hosts and of SSO and enrolment never apply",
    async (form) => {
      const published = { other: "publish", sso_sp: "publish", sso_idp: "both", mnet_enrol: "publish" } as const;
      await using us = await trustingRig([entry({ accept: form })], { alicePeer: { services: published } });
      await us.host.peers.setServices("all-hosts", { ...published, feed: "off" });
      for (const method of ["other/note", "ssosp/note", "ssoidp/note", "mnetenrol/note"]) {
        expect(summary(await ask(us, form, method, ["x"]))).toEqual({ form, fault: 7012 });
      }
      expect(us.executed).toEqual([]);
      // The peer itself may, and may not what is the machine's.
      expect(summary(await ask(us, "signed and encrypted", "other/note", ["y"]))).toMatchObject({ value: "y" });
      expect(summary(await ask(us, "signed and encrypted", "feed/note", ["y"]))).toMatchObject({ fault: 7012 });
    },
  );

  it.each(["plain", "signed"] as const)("SEC-037 %s: introspection shows its services and no others", async (form) => {
    await using us = await trustingRig([entry({ accept: form })], {
      alicePeer: { services: { other: "both", feed: "subscribe" } },
    });
    await us.host.peers.setServices("all-hosts", { sso_sp: "publish" });
    expect(summary(await ask(us, form, "system/listServices"))).toMatchObject({
      value: [{ name: "feed", apiversion: "1", publish: "1", subscribe: "0" }],
    });
    expect(summary(await ask(us, form, "system/listMethods"))).toMatchObject({ value: ["feed/note"] });
    expect(summary(await ask(us, form, "system/listMethods", ["other"]))).toMatchObject({ value: [] });
    for (const method of ["system/methodHelp", "system/methodSignature"]) {
      expect(summary(await ask(us, form, method, ["other/note"]))).toMatchObject({ value: false });
      expect(summary(await ask(us, form, method, ["feed/note"]))).not.toMatchObject({ value: false });
    }
    expect(summary(await ask(us, form, "system/keyswap"))).toMatchObject({ form, value: us.ours.certificate.pem });
  });

  it.each(["suspended", "pending", "deleted"] as const)(
    "SEC-037 acts for no peer that is %s, nor for one that is not there",
    async (state) => {
      for (const machine of [entry(), entry({ accept: "signed" }), entry({ actsAs: "https://nobody.example" })]) {
        await using us = await trustingRig([machine], { alicePeer: { state } });
        expect(summary(await ask(us, machine.accept, "feed/note", ["x"]))).toMatchObject({ fault: 7021 });
        expect(us.executed).toEqual([]);
      }
    },
  );

  it.each([
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.4", false],
    ["10.1.2.3", "::ffff:10.1.2.3", true],
    ["10.1.0.0/16", "10.1.255.1", true],
    ["10.1.0.0/16", "10.2.0.1", false],
    ["2001:db8::/32", "2001:db8:1::5", true],
    ["2001:db8::/32", "2001:db9::5", false],
    ["fe80::1", "fe80::1%eth0", false],
    ["::/0", "10.1.2.3", false],
    ["0.0.0.0/0", "::1", false],
    ["0.0.0.0/0", undefined, false],
    ["0.0.0.0/0", "not an address", false],
  ])("SEC-037 entry %s, caller %s: trusted %s", async (address, remoteAddress, isTrusted) => {
    await using us = await trustingRig([entry({ address })]);
    const answer = await ask(us, "plain", "feed/note", ["x"], { remoteAddress });
    expect(summary(answer)).toEqual(isTrusted ? { form: "plain", value: "x" } : { form: "plain", fault: 7021 });
  });

  it.each([
    // No header of anybody but a proxy that the configuration names.
    ["192.0.2.9", { "x-forwarded-for": MACHINE }, false],
    [
      "192.0.2.9",
      {
        "x-real-ip": MACHINE,
        forwarded: `for=${MACHINE}`,
        "client-ip": MACHINE,
        "x-client-ip": MACHINE,
        "true-client-ip": MACHINE,
      },
      false,
    ],
    ["10.9.0.1", { "x-forwarded-for": MACHINE }, true],
    ["10.9.0.1", { "x-forwarded-for": `203.0.113.5, ${MACHINE}` }, true],
    ["10.9.0.1", { "x-forwarded-for": `${MACHINE}, 203.0.113.5` }, false],
    ["10.9.0.1", { "x-forwarded-for": `${MACHINE}, 203.0.113.5, 10.9.0.2` }, false],
    ["10.9.0.1", { "x-forwarded-for": `${MACHINE}, 10.9.0.2` }, true],
    ["10.9.0.1", { "x-forwarded-for": "" }, false],
    ["10.9.0.1", {}, false],
  ])("SEC-037 socket %s with %j: trusted %s", async (remoteAddress, headers, isTrusted) => {
    await using us = await trustingRig([entry(), entry({ address: "10.9.0.0/16" })], {
      network: { trustedProxies: ["10.9.0.0/16"] },
    });
    const answer = await ask(us, "plain", "feed/note", ["x"], {
      remoteAddress,
      headers: headers,
    });
    expect(summary(answer)).toEqual(isTrusted ? { form: "plain", value: "x" } : { form: "plain", fault: 7021 });
  });

  it("SEC-037 of several entries the first that fits decides", async () => {
    await using us = await trustingRig([
      entry({ services: ["other"] }),
      entry({ address: "10.0.0.0/8", services: ["feed"] }),
      entry({ accept: "signed", actsAs: bob.wwwroot, services: ["other"] }),
      entry({ accept: "signed", address: "10.0.0.0/8", services: ["feed"] }),
    ]);
    expect(summary(await ask(us, "plain", "feed/note", ["x"]))).toMatchObject({ fault: 7012 });
    expect(summary(await ask(us, "plain", "feed/note", ["x"], { remoteAddress: "10.7.7.7" }))).toMatchObject({
      value: "x",
    });
    // Signed calls say who they are from.
    expect(summary(await ask(us, "signed", "feed/note", ["x"]))).toMatchObject({ value: "x" });
  });

  it("SEC-037 SEC-013 what is no call is refused in kind", async () => {
    await using us = await trustingRig([entry(), entry({ accept: "signed" })]);
    for (const body of ["", "hello", "<methodResponse/>", "<methodCall><methodName>feed/note</methodName>"]) {
      const reply = await request(us.host, { remoteAddress: MACHINE, body: Buffer.from(body) });
      expect(summary(openAnswer(reply.body))).toEqual({ form: "plain", fault: 7021 });
    }
    expect(summary(await ask(us, "plain", "system.listServices"))).toMatchObject({ fault: 713 });
    expect(summary(await ask(us, "plain", "system/retrieveFile", ["/etc/passwd"]))).toMatchObject({ fault: 7018 });
    expect(summary(await ask(us, "plain", "lib/moodlelib.php/get_config", ["core"]))).toMatchObject({ fault: 7012 });
    expect(us.executed).toEqual([]);
  });
});

describe("options", () => {
  it.each([
    [{ services: ["feed", "sso_idp"] }, "trustedMachines.0.services"],
    [{ services: ["sso_sp"] }, "trustedMachines.0.services"],
    [{ services: ["mnet_enrol"] }, "trustedMachines.0.services"],
    [{ services: ["nosuch"] }, "trustedMachines.0.services"],
    [{ address: "localhost" }, "trustedMachines.0.address"],
    [{ address: "10.0.0.0/33" }, "trustedMachines.0.address"],
    [{ address: "" }, "trustedMachines.0.address"],
    [{ actsAs: "alice" }, "trustedMachines.0.actsAs"],
    [{ actsAs: "" }, "trustedMachines.0.actsAs"],
    [{ accept: "dangerous" }, "trustedMachines.0.accept"],
    [{ accept: "both" }, "trustedMachines.0.accept"],
    [{ dangerous: true }, "trustedMachines.0.dangerous"],
  ])("SEC-037 MNET-008 %j is refused when the host starts", async (wrong, option) => {
    const { services: served } = services();
    const error = errorOf(() =>
      rig({ services: served, trustedMachines: [{ ...entry(), ...wrong } as TrustedMachine] }),
    );
    expect(await error).toMatchObject({ code: "MNET_CONFIG_INVALID", option });
  });
});
