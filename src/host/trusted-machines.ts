import { ConfigError, EnvelopeError } from "../core/errors.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { SignedMessage } from "../envelope/signed-message.ts";
import { verifySignature } from "../envelope/verified-message.ts";
import type { PeerDirectory } from "../peer/peer-directory.ts";
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

/** One machine. Not exported, so that nobody else can make a `TrustedCall`. */
interface Entry {
  readonly networks: Networks;
  readonly actsAs: Wwwroot;
  readonly services: ReadonlySet<string>;
  readonly accept: TrustedMachine["accept"];
}

declare const trusted: unique symbol;

/**
 * A call that came without encryption from a machine that may do that. Only `TrustedMachines` makes one; the dispatcher
 * takes it beside `VerifiedMessage`, and gives it the services of its entry and no others.
 */
export class TrustedCall {
  declare readonly [trusted]: true;
  /** The XML-RPC document: of a signed envelope, the bytes that were verified. */
  readonly document: Uint8Array;
  /** The active peer that the machine acts as. */
  readonly peer: PeerRecord;
  /** All that it may call. */
  readonly services: ReadonlySet<string>;
  /** How it came, and is answered. */
  readonly accept: TrustedMachine["accept"];
  /** Where it came from. */
  readonly address: string;

  private constructor(document: Uint8Array, { services, accept }: Entry, peer: PeerRecord, address: string) {
    this.document = document;
    this.peer = peer;
    this.services = services;
    this.accept = accept;
    this.address = address;
  }

  /** @internal For `TrustedMachines` only. */
  static admit(document: Uint8Array, entry: Entry, peer: PeerRecord, address: string): TrustedCall {
    return new TrustedCall(document, entry, peer, address);
  }
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

  /** A bare document, if the first entry for bare calls from there names an active peer. */
  async admitPlain(
    document: Uint8Array,
    client: ClientAddress,
    directory: PeerDirectory,
  ): Promise<TrustedCall | undefined> {
    const found = this.#find(client, (entry) => entry.accept === "plain");
    const peer = found && (await directory.findSender(found.entry.actsAs));
    return peer && TrustedCall.admit(document, found.entry, peer, found.address);
  }

  /** A signed one, if there is an entry for signed calls of its sender from there, and the sender has signed it. */
  async admitSigned(
    message: SignedMessage,
    client: ClientAddress,
    directory: PeerDirectory,
  ): Promise<TrustedCall | undefined> {
    const found = this.#find(client, ({ accept, actsAs }) => accept === "signed" && actsAs === message.sender);
    const peer = found && (await directory.findSender(found.entry.actsAs));
    if (!peer || (peer.settings.strictAlgorithms && message.hasUnknownAlgorithm)) return undefined;
    try {
      verifySignature(message, directory.certificateOf(peer));
    } catch (error) {
      if (error instanceof EnvelopeError) return undefined;
      throw error;
    }
    return TrustedCall.admit(message.document, found.entry, peer, found.address);
  }

  #find(
    { address, isProxy }: ClientAddress,
    fits: (entry: Entry) => boolean,
  ): { readonly entry: Entry; readonly address: string } | undefined {
    // Behind a proxy that does not say whom it speaks for may be anybody.
    if (address === undefined || isProxy) return undefined;
    const entry = this.#entries.find((candidate) => fits(candidate) && candidate.networks.has(address));
    return entry && { entry, address };
  }
}

const invalid = (option: string, message: string): ConfigError =>
  new ConfigError("MNET_CONFIG_INVALID", message, { option });
