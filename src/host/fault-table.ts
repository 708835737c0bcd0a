import { mnetFault, type Fault } from "./fault.ts";

const NO_SUCH_FUNCTION = "Unable to locate function, or function prohibited for RPC.";

/**
 * What a stranger may see: the faults of Moodle with one text each (spec 7.4). Nothing of a request is in them, and
 * nothing of what went wrong inside (SEC-023); that goes to the events.
 */
export const FAULT = {
  /** A parameter is wrong or missing, or the application failed (MNET-130). */
  internal: mnetFault(17, "Internal server error"),
  /** Known, but not published to this peer, or not served (MNET-088). */
  notPublished: mnetFault(707, NO_SUCH_FUNCTION),
  signatureInvalid: mnetFault(
    710,
    "The signature verification failed. It appears that this payload was not signed by you.",
  ),
  notSigned: mnetFault(711, "The signature verification failed. An error has occurred."),
  /** The name of the method is not one (spec 7.3). */
  badMethodName: mnetFault(713, NO_SUCH_FUNCTION),
  /** Taken before, or too late for a peer that must be on time (MNET-099). */
  replayed: mnetFault(7000, "Unknown error occurred during negotiation."),
  /** Unknown, or without any box ticked for this peer (MNET-087). */
  unknownMethod: mnetFault(7012, NO_SUCH_FUNCTION),
  unknownSystemMethod: mnetFault(7018, NO_SUCH_FUNCTION),
  /** Moodle puts the claimed wwwroot before it; here nothing of a stranger's request is sent back. */
  unknownSender: mnetFault(7020, "mnet/wrong-wwwroot"),
  notPermittedTransport: mnetFault(7021, "The transport method you are trying to use is not permitted."),
  /** Whatever is wrong with the encryption, it is this (SEC-003). */
  unreadable: mnetFault(7023, "mnet/encryption-invalid"),
} as const satisfies Record<string, Fault>;

/** "You have proved the secure profile to me, so this will not do"; with the versions that we have. Not one of Moodle's. */
export const secureProfileFault = (profiles: readonly string[]): Fault => mnetFault(7026, profiles.join(" "));

/** "You used my old key; here is the new one" (spec 7.6, MNET-079). */
export const newKeyFault = (certificate: string): Fault => mnetFault(7025, certificate);
