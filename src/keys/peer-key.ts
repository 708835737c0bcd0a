import type { PeerKey } from "../core/peer-snapshot.ts";
import type { Certificate } from "../crypto/certificate.ts";

/** A certificate as a plain object, for people and programs. */
export function peerKey(certificate: Certificate): PeerKey {
  const { fingerprint, pem, notBefore, notAfter, modulusBits } = certificate;
  return { fingerprint, certificate: pem, notBefore, notAfter, modulusBits };
}
