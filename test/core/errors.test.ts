import { describe, expect, it } from "vitest";
import {
  CallError,
  ConfigError,
  EnvelopeError,
  KeyError,
  MnetError,
  PeerError,
  RemoteFault,
  StoreError,
  TransportError,
  XmlRpcError,
} from "../../src/core/errors.ts";
import type { Fingerprint, Wwwroot } from "../../src/core/ids.ts";
import type { Peer } from "../../src/core/peer-snapshot.ts";

const peer = "https://peer.example" as Wwwroot;
const cause = new Error("why");
const fingerprint = "00" as Fingerprint;
const existing = { wwwroot: peer } as Peer;
const retryAt = new Date(0);

describe("MnetError", () => {
  const full: [name: string, error: MnetError, fields: object][] = [
    [
      "ConfigError",
      new ConfigError("MNET_CONFIG_INVALID", "m", { option: "keys", retryable: true, peer, cause }),
      { code: "MNET_CONFIG_INVALID", option: "keys" },
    ],
    [
      "TransportError",
      new TransportError("MNET_TRANSPORT_STATUS", "m", {
        url: "u",
        status: 500,
        retryAt,
        retryable: true,
        peer,
        cause,
      }),
      { code: "MNET_TRANSPORT_STATUS", url: "u", status: 500, retryAt },
    ],
    [
      "EnvelopeError",
      new EnvelopeError("MNET_ENVELOPE_REPLAYED", "m", { retryable: true, peer, cause }),
      { code: "MNET_ENVELOPE_REPLAYED" },
    ],
    [
      "XmlRpcError",
      new XmlRpcError("MNET_XMLRPC_LIMIT", "m", { retryable: true, peer, cause }),
      { code: "MNET_XMLRPC_LIMIT" },
    ],
    [
      "KeyError",
      new KeyError("MNET_KEY_HELD", "m", { fingerprint, retryable: true, peer, cause }),
      { code: "MNET_KEY_HELD", fingerprint },
    ],
    [
      "PeerError",
      new PeerError("MNET_PEER_EXISTS", "m", { offsetMs: 5, existing, retryable: true, peer, cause }),
      { code: "MNET_PEER_EXISTS", offsetMs: 5, existing },
    ],
    [
      "CallError",
      new CallError("MNET_CALL_PARAMS_INVALID", "m", { method: "a/b", path: "[0]", retryable: true, peer, cause }),
      { code: "MNET_CALL_PARAMS_INVALID", method: "a/b", path: "[0]" },
    ],
    [
      "RemoteFault",
      new RemoteFault("m", {
        method: "a/b",
        faultCode: 7012,
        faultString: "no",
        authenticated: true,
        retryable: true,
        peer,
        cause,
      }),
      { code: "MNET_REMOTE_FAULT", method: "a/b", faultCode: 7012, faultString: "no", authenticated: true },
    ],
    [
      "StoreError",
      new StoreError("MNET_STORE_TOO_NEW", "m", { retryable: true, peer, cause }),
      { code: "MNET_STORE_TOO_NEW" },
    ],
  ];

  it.each(full)("%s carries its fields", (name, error, fields) => {
    expect(error).toMatchObject({ name, message: "m", retryable: true, peer, cause, ...fields });
    expect(error).toBeInstanceOf(Error);
    expect(MnetError.is(error)).toBe(true);
  });

  const bare: [name: string, error: MnetError, keys: string[]][] = [
    ["ConfigError", new ConfigError("MNET_CONFIG_INVALID", "m"), []],
    ["TransportError", new TransportError("MNET_TRANSPORT_TLS", "m", { url: "u" }), ["url"]],
    ["EnvelopeError", new EnvelopeError("MNET_ENVELOPE_MALFORMED", "m"), []],
    ["KeyError", new KeyError("MNET_KEY_WEAK", "m"), []],
    ["PeerError", new PeerError("MNET_PEER_UNKNOWN", "m"), []],
    ["CallError", new CallError("MNET_CALL_METHOD_UNKNOWN", "m", { method: "a/b" }), ["method"]],
  ];

  it.each(bare)("%s has no field that was not given", (_, error, keys) => {
    expect(Object.keys(error).sort()).toEqual(["code", "name", "retryable", ...keys].sort());
    expect(error.retryable).toBe(false);
    expect("cause" in error).toBe(false);
  });

  it("knows its own and nothing else", () => {
    expect(MnetError.is(new Error("m"))).toBe(false);
    expect(MnetError.is({ code: "MNET_KEY_WEAK" })).toBe(false);
    expect(MnetError.is(undefined)).toBe(false);
  });
});
