import type { Dialect } from "./dialect.ts";
import type { XmlRpcValue } from "./value.ts";

/**
 * A decoded document. `dialect` is what the XML declaration tells about the sender (spec 5.2), `undefined` if nothing,
 * or what the caller of `decode` said.
 */
export type XmlRpcDocument =
  | {
      readonly kind: "call";
      /** Exactly as it came. Its grammar is checked where it is dispatched. */
      readonly method: string;
      readonly params: readonly XmlRpcValue[];
      readonly dialect: Dialect | undefined;
    }
  | { readonly kind: "result"; readonly value: XmlRpcValue; readonly dialect: Dialect | undefined }
  | {
      readonly kind: "fault";
      /** Any integer: Mahara sends 0. */
      readonly faultCode: number;
      readonly faultString: string;
      readonly dialect: Dialect | undefined;
    };

/** A `methodCall`. */
export type XmlRpcCall = Extract<XmlRpcDocument, { kind: "call" }>;

/** A `methodResponse`: a result or a fault. */
export type XmlRpcResponse = Exclude<XmlRpcDocument, { kind: "call" }>;
