import { ConfigError } from "../core/errors.ts";

/**
 * Thrown by a handler to answer with a fault. Anything else that it throws becomes fault 17 without a word of detail.
 *
 * The code is an integer from 1 to 2147483647; 1–999 and 5000–8999 are MNet's own (spec 7.4).
 * Any other throws `MNET_CONFIG_INVALID`. The text is sent to the peer, whose software may show it to people.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  /** Code on the wire. */
  readonly faultCode: number;
  /** Text on the wire. */
  readonly faultString: string;

  constructor(faultCode: number, faultString: string) {
    // Code 0 kills the client of Moodle 4.1 and later (spec 5.3), and faultCode is an <int>.
    if (!Number.isInteger(faultCode) || faultCode < 1 || faultCode > 0x7fffffff) {
      refuse("faultCode", "The code of a fault is an integer from 1 to 2147483647.");
    }
    if (new.target !== MnetFault && isReserved(faultCode)) {
      refuse("faultCode", `The fault code ${faultCode} is MNet's own; take one from 1000–4999 or from 9000.`);
    }
    if (typeof faultString !== "string") refuse("faultString", "The text of a fault is a string.");
    super(faultString);
    this.faultCode = faultCode;
    this.faultString = faultString;
  }
}

/** @internal A fault of MNet's own: the library's services may use every positive code. */
export function mnetFault(faultCode: number, faultString: string): Fault {
  return new MnetFault(faultCode, faultString);
}

class MnetFault extends Fault {}

function isReserved(code: number): boolean {
  return code <= 999 || (code >= 5000 && code <= 8999);
}

function refuse(option: string, message: string): never {
  throw new ConfigError("MNET_CONFIG_INVALID", message, { option });
}
