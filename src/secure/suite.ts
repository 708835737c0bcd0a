import type { SecureProfileName } from "../core/profile-name.ts";
import type { RsaScheme } from "../crypto/rsa.ts";

/** What one version of the secure profile fixes. Everything that is not here is not accepted (docs/secure-profile.md, 3). */
export interface Suite {
  readonly name: SecureProfileName;
  /** Of our own elements. It names the version within what is signed. */
  readonly namespace: string;
  readonly algorithms: {
    readonly canonicalization: string;
    readonly digest: string;
    readonly signature: string;
    readonly cipher: string;
    readonly keyTransport: string;
    readonly keyTransportDigest: string;
    readonly keyTransportMask: string;
  };
  /** How the signature is made with the site's RSA key. */
  readonly scheme: RsaScheme;
}

const COMMON = {
  canonicalization: "http://www.w3.org/2001/10/xml-exc-c14n#",
  digest: "http://www.w3.org/2001/04/xmlenc#sha256",
  cipher: "http://www.w3.org/2009/xmlenc11#aes256-gcm",
  keyTransport: "http://www.w3.org/2009/xmlenc11#rsa-oaep",
  keyTransportDigest: "http://www.w3.org/2001/04/xmlenc#sha256",
  keyTransportMask: "http://www.w3.org/2009/xmlenc11#mgf1sha256",
} as const;

const SECURE_1: Suite = {
  name: "secure/1",
  namespace: "urn:x-mnet:secure:1",
  algorithms: { ...COMMON, signature: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" },
  scheme: "pkcs1",
};

const SECURE_2: Suite = {
  name: "secure/2",
  namespace: "urn:x-mnet:secure:2",
  algorithms: { ...COMMON, signature: "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1" },
  scheme: "pss",
};

/** All versions, the one that we like best first. */
export const SUITES: readonly Suite[] = [SECURE_1, SECURE_2];

/** The version that is used where the peer has not said which ones it has. */
export const DEFAULT_SECURE_PROFILE: SecureProfileName = SECURE_1.name;

const BY_NAME: Readonly<Record<SecureProfileName, Suite>> = { "secure/1": SECURE_1, "secure/2": SECURE_2 };

/** The version of that name. */
export const suiteOf = (name: SecureProfileName): Suite => BY_NAME[name];

/** The first of our versions that is among the names which a peer offers. */
export function bestOf(offered: readonly unknown[]): SecureProfileName | undefined {
  return SUITES.find(({ name }) => offered.includes(name))?.name;
}

const XMLDSIG = "http://www.w3.org/2000/09/xmldsig#";
const XMLENC = "http://www.w3.org/2001/04/xmlenc#";
const XMLENC11 = "http://www.w3.org/2009/xmlenc11#";

/** Namespaces by what they are called in shapes: `m` is the version's own. */
export const NAMESPACE = { ds: XMLDSIG, xenc: XMLENC, xenc11: XMLENC11 } as const;

const PREFIXES = new Map(
  SUITES.map(({ namespace }) => [
    namespace,
    new Map([[namespace, "m"], ...Object.entries(NAMESPACE).map(([prefix, uri]): [string, string] => [uri, prefix])]),
  ]),
);

/** The namespaces that a message of this version may use, with the prefixes that shapes call them by. */
export const prefixesOf = ({ namespace }: Suite): ReadonlyMap<string, string> => PREFIXES.get(namespace) ?? new Map();
