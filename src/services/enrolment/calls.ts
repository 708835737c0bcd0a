import { EnrolmentError, MnetError } from "../../core/errors.ts";
import type { Exchange } from "../../core/exchange.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import type { XmlRpcStruct } from "../../xmlrpc/value.ts";
import { ENROLMENT_METHODS } from "./enrolment-methods.ts";

/** A change at a peer. */
export interface Change {
  readonly peer: Peer;
  readonly courseId: number;
  /** As it travels. */
  readonly username: string;
}

/**
 * Asks the peer to enrol somebody. Harmless if she is enrolled already (SEC-036). Throws `MNET_ENROLMENT_REFUSED` for a
 * peer that says no without a fault, as Moodle 1.9 does.
 */
export async function callEnrol(site: Site, change: Change, userdata: XmlRpcStruct, exchange: Exchange): Promise<void> {
  const { peer, courseId: courseid } = change;
  await audited(exchange, change, "enrolled", () =>
    site.call(peer, ENROLMENT_METHODS.enrolUser, { userdata, courseid }, exchange),
  );
}

/** Asks the peer to end an enrolment that was made through MNet. Harmless if there is none. Throws likewise. */
export async function callUnenrol(site: Site, change: Change, exchange: Exchange): Promise<void> {
  const { peer, courseId: courseid, username } = change;
  await audited(exchange, change, "unenrolled", () =>
    site.call(peer, ENROLMENT_METHODS.unenrolUser, { username, courseid }, exchange),
  );
}

async function audited(
  { emit }: Exchange,
  { peer: { id, wwwroot }, courseId, username }: Change,
  change: "enrolled" | "unenrolled",
  call: () => Promise<boolean>,
): Promise<void> {
  const what = { side: "there", courseId, username } as const;
  const refused = (faultCode: number): void =>
    emit({ type: "enrolment.refused", level: "warn", peer: { id, wwwroot }, ...what, faultCode });
  try {
    if (await call()) {
      emit({ type: "enrolment.changed", level: "info", peer: { id, wwwroot }, ...what, change });
      return;
    }
  } catch (error) {
    if (MnetError.is(error) && error.code === "MNET_REMOTE_FAULT") refused(error.faultCode);
    throw error;
  }
  refused(0);
  throw new EnrolmentError(
    "MNET_ENROLMENT_REFUSED",
    `${wwwroot} answers that ${JSON.stringify(username)} was not ${change}, and not why.`,
    { peer: wwwroot },
  );
}
