import { XmlRpcError } from "../core/errors.ts";
import { BARE_DECLARATION, type Dialect } from "./dialect.ts";
import { DocumentWriter } from "./document-writer.ts";

const MAXIMUM_CODE = 2 ** 31 - 1;

/**
 * Encodes a fault exactly as a Moodle server writes it by hand, indentation included: a Moodle client that gets it
 * unencrypted recognises it by the white space after `<fault>` (spec 5.5).
 *
 * @param faultCode a positive 32-bit integer: code 0 is a fatal error in a Moodle 4 client (MNET-057).
 * @param options.dialect the requester's. Default `"pxr"`: raw UTF-8. `"epi"` gets a reference to each byte of a
 *   non-ASCII character, because it would store anything else as invalid UTF-8 (spec 5.2).
 * @throws XmlRpcError `MNET_XMLRPC_UNENCODABLE` for any other code.
 * @example
 * encodeFault(7012, "Unable to locate function, or function prohibited for RPC.");
 */
export function encodeFault(
  faultCode: number,
  faultString: string,
  options: { readonly dialect?: Dialect | undefined } = {},
): Uint8Array {
  if (!Number.isInteger(faultCode) || faultCode < 1 || faultCode > MAXIMUM_CODE) {
    throw new XmlRpcError("MNET_XMLRPC_UNENCODABLE", "A fault code must be a positive 32-bit integer.");
  }
  const writer = new DocumentWriter(options.dialect === "epi" ? "bytes" : "raw");
  writer.ascii(`${BARE_DECLARATION}\n`);
  writeFault(writer, faultCode, faultString);
  return writer.finish();
}

/** Writes the `methodResponse` element of a fault. */
export function writeFault(writer: DocumentWriter, faultCode: number, faultString: string): void {
  writer.ascii(`<methodResponse>
   <fault>
      <value>
         <struct>
            <member>
               <name>faultCode</name>
               <value><int>${faultCode}</int></value>
            </member>
            <member>
               <name>faultString</name>
               <value><string>`);
  writer.text(faultString);
  writer.ascii(`</string></value>
            </member>
         </struct>
      </value>
   </fault>
</methodResponse>`);
}
