import { MnetError } from "../../../core/errors.ts";
import { faultMeaning } from "../../inspect/fault-meanings.ts";

/** What the faults of remote enrolment mean (spec 10.3), to the administrator whose users are concerned. */
const ENROLMENT_FAULTS = new Map<number, string>([
  [5011, "no account can be made there for this user"],
  [5012, "there is no such course any more"],
  [5013, "the course is not open to users of this site"],
  [5014, "nobody there has this user name"],
  [5019, "the enrolment could not be made, perhaps because this site has as many as it may have"],
  [5020, "the enrolment could not be ended"],
  [5021, "the user name is empty"],
]);

/**
 * Why something with another site's courses failed, as a sentence for the administrator. What is no `MnetError` is a
 * mistake of the demo, and thrown on.
 */
export function failureWords(error: unknown, siteName: string): string {
  if (!MnetError.is(error)) throw error;
  switch (error.code) {
    case "MNET_REMOTE_FAULT": {
      const { faultCode } = error;
      const meaning = ENROLMENT_FAULTS.get(faultCode) ?? faultMeaning(faultCode) ?? "it does not say why";
      return `${siteName} refuses (fault ${faultCode}): ${meaning}.`;
    }
    case "MNET_CALL_NOT_SUBSCRIBED":
      return `Remote enrolment with ${siteName} is not switched on here.`;
    case "MNET_TRANSPORT_UNREACHABLE":
    case "MNET_TRANSPORT_TIMEOUT":
    case "MNET_TRANSPORT_STATUS":
      return `${siteName} does not answer now. Try again later.`;
    case "MNET_ENROLMENT_COURSE_UNKNOWN":
      return `${siteName} does not offer this course any more.`;
    default:
      return `${error.message} (${error.code})`;
  }
}
