import { ConfigError } from "../core/errors.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { SignedMessage } from "../envelope/signed-message.ts";
import { verifySignature } from "../envelope/verified-message.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import { parseWwwroot } from "../peer/wwwroot.ts";
import { Networks } from "../transport/networks.ts";
import type { ClientAddress } from "./client-address.ts";

/**
 * A machine, or a network of them, that may omit encryption (spec 1.7, SEC-037).
 *
 * Whoever can send from that address, or change what comes from it on the way, can do what `services` allow, and can
 * repeat calls: without encryption there is nothing to tell a replay by. Use it inside one machine room only.
 */
export interface TrustedMachine {
  /** IP address, or network in CIDR form, of the socket or of what `network.trustedProxies` say. */
  readonly address: string;
  /** Wwwroot of the peer that the machine acts as. While that peer is not active, nothing is accepted. */
  readonly actsAs: string;
  /**
   * What it may call without encryption, whatever is published to the peer or to All Hosts. `sso_idp`, `sso_sp` and
   * `mnet_enrol` are refused.
   */
  readonly services: readonly string[];
  /** `"signed"`: an envelope that the peer's pinned key has signed. `"plain"`: bare XML-RPC. One entry is for one of them. */
  readonly accept: "signed" | "plain";
}

/** Who logs in and who is enrolled is never decided by an address. */
const NEVER_TRUSTED = new Set(["sso_idp", "sso_sp", "mnet_enrol"]);

interface Entry {
  readonly networks: Networks;
  readonly actsAs: Wwwroot;
  readonly services: ReadonlySet<string>;
  readonly accept: TrustedMachine["accept"];
}

/** An entry that fits a request, before its peer is looked up. */
export interface TrustedMatch {
  readonly actsAs: Wwwroot;
  /** By which `TrustedCall` knows that this match was made here. */
  readonly entry: object;
  readonly address: string;
}

/** The machines of the configuration. */
export class TrustedMachines {
  readonly #entries: readonly Entry[];

  /**
   * Throws `MNET_CONFIG_INVALID` with the path of what is wrong.
   *
   * @param serves whether this host serves a service.
   */
  constructor(machines: readonly TrustedMachine[], serves: (service: string) => boolean) {
    this.#entries = machines.map(({ address, actsAs, services, accept }, index) => {
      const option = `trustedMachines.${index}`;
      for (const service of services) {
        if (NEVER_TRUSTED.has(service)) {
          throw invalid(`${option}.services`, `${service} is never open to machines that need not encrypt.`);
        }
        if (!serves(service)) throw invalid(`${option}.services`, `This host does not serve ${service}.`);
      }
      return {
        networks: new Networks([address], `${option}.address`),
        actsAs: parseWwwroot(actsAs, `${option}.actsAs`),
        services: new Set(services),
        accept,
      };
    });
  }

  /** The first entry for bare calls from there. */
  plain(client: ClientAddress): TrustedMatch | undefined {
    return this.#match(client, "plain", undefined);
  }

  /** The first entry for signed calls of that sender from there. */
  signed(client: ClientAddress, sender: string): TrustedMatch | undefined {
    return this.#match(client, "signed", sender);
  }

  #match(
    { address, isProxy }: ClientAddress,
    accept: TrustedMachine["accept"],
    sender: string | undefined,
  ): TrustedMatch | undefined {
    // Behind a proxy that does not say whom it speaks for may be anybody.
    if (address === undefined || isProxy) return undefined;
    const entry = this.#entries.find(
      (candidate) =>
        candidate.accept === accept &&
        (sender === undefined || candidate.actsAs === sender) &&
        candidate.networks.has(address),
    );
    return entry && { actsAs: entry.actsAs, entry, address };
  }
}

declare const trusted: unique symbol;

/**
 * A call that came without encryption from a machine that may do that. Only the two functions here make one, from a
 * match of the configuration; the dispatcher takes it beside `VerifiedMessage`, and gives it the services of its entry
 * and no others.
 */
export class TrustedCall {
  declare readonly [trusted]: true;
  /** The XML-RPC document: of a signed envelope, the bytes that were verified. */
  readonly document: Uint8Array;
  /** The peer that the machine acts as. */
  readonly peer: PeerRecord;
  /** All that it may call. */
  readonly services: ReadonlySet<string>;
  readonly accept: TrustedMachine["accept"];
  readonly address: string;

  private constructor(document: Uint8Array, { entry, address }: TrustedMatch, peer: PeerRecord) {
    const { services, accept, actsAs } = entry as Entry;
    if (peer.wwwroot !== actsAs || peer.state !== "active") throw new TypeError("Not the peer of the entry.");
    this.document = document;
    this.peer = peer;
    this.services = services;
    this.accept = accept;
    this.address = address;
  }

  /** A bare document. `peer` is the active peer that the match names. */
  static plain(document: Uint8Array, match: TrustedMatch, peer: PeerRecord): TrustedCall {
    return new TrustedCall(document, match, peer);
  }

  /** A signed one. Throws `EnvelopeError` as `verifySignature` does. */
  static signed(message: SignedMessage, match: TrustedMatch, peer: PeerRecord, certificate: Certificate): TrustedCall {
    verifySignature(message, certificate);
    return new TrustedCall(message.document, match, peer);
  }
}

const invalid = (option: string, message: string): ConfigError =>
  new ConfigError("MNET_CONFIG_INVALID", message, { option });
