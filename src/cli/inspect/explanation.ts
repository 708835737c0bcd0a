import type { Fingerprint } from "../../core/ids.ts";
import type { MnetErrorCode } from "../../core/errors.ts";
import type { Dialect } from "../../xmlrpc/dialect.ts";

// The names of all fields are those of `mnet inspect --json`, which docs/cli.md promises.

/** What a check is about, in the order in which they are made. */
export type CheckName =
  "form" | "encrypted" | "opened" | "signed" | "sender" | "signature" | "digest" | "algorithms" | "clock" | "document";

/** One thing that was looked at. */
export interface Check {
  readonly name: CheckName;
  /** `warning`: odd, and no reason for a host to refuse. `skipped`: could not be looked at. */
  readonly outcome: "passed" | "failed" | "warning" | "skipped";
  /** What a host would say of it. */
  readonly code?: MnetErrorCode;
  /** What was found. */
  readonly detail: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** A key, as people compare it. */
export interface KeyDescription {
  readonly fingerprint: Fingerprint;
  readonly modulusBits: number;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** Where the person gave it: the name of a file, and of an entry in a key list. */
  readonly origin: string;
}

/** The outer envelope. Nobody vouches for what it says. */
export interface EncryptedLayer {
  readonly sender: string;
  readonly ciphertextBytes: number;
  readonly wrappedKeyBytes: number;
  /** URIs, as declared; `null` if not. They decide nothing. */
  readonly algorithms: { readonly cipher: string | null; readonly keyTransport: string | null };
  readonly openedWith?: KeyDescription;
}

/** The inner envelope. The signature is about the document alone: not about sender, timestamp and digest. */
export interface SignedLayer {
  readonly sender: string;
  /** ISO 8601. */
  readonly timestamp: string;
  /** How long before the moment of comparison the message was signed; negative if after it. Absent without such a moment. */
  readonly ageSeconds?: number;
  readonly signatureBytes: number;
  readonly digest: "matches" | "differs" | "absent";
  /** URIs, as declared; `null` if not. They decide nothing. */
  readonly algorithms: {
    readonly signature: string | null;
    readonly digest: string | null;
    readonly canonicalization: string | null;
  };
  /** The sender's key that made the signature. */
  readonly verifiedWith?: KeyDescription;
}

/** A certificate that travels in the document: in a key exchange, and in fault 7025. */
export interface CarriedCertificate {
  readonly fingerprint: Fingerprint;
  readonly modulusBits: number;
  readonly notBefore: string;
  readonly notAfter: string;
  /** The site that it should belong to. */
  readonly wwwroot?: string;
  /** Whether its subject names that site. */
  readonly belongs?: boolean;
}

/** The XML-RPC document. */
export interface DocumentLayer {
  readonly bytes: number;
  /** `false`: anybody may have written it. */
  readonly verified: boolean;
  readonly kind: "call" | "result" | "fault";
  /** How the sender's software writes text; `null` if the document does not tell. */
  readonly dialect: Dialect | null;
  /** Of a call. */
  readonly method?: string;
  /** Of a call. */
  readonly params?: number;
  /** Of a fault. */
  readonly faultCode?: number;
  /** What the code means among MNet's own. */
  readonly faultMeaning?: string;
  readonly certificate?: CarriedCertificate;
  /** The document itself, if it was asked for. */
  readonly payload?: string;
}

/** What a message is, layer by layer, and what is wrong with it. */
export interface Explanation {
  /** Authentic, and nothing failed. */
  readonly ok: boolean;
  /** The document is what its sender signed, and was encrypted to one of the keys given. */
  readonly verified: boolean;
  readonly kind: "encrypted" | "signed" | "xml-rpc" | "unknown";
  readonly bytes: number;
  readonly encrypted?: EncryptedLayer;
  readonly signed?: SignedLayer;
  readonly document?: DocumentLayer;
  readonly checks: readonly Check[];
}
