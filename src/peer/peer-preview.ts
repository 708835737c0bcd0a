import type { ApplicationName, Peer, PeerKey } from "../core/peer-snapshot.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { Certificate } from "../crypto/certificate.ts";
import { likenessOf, shownHost } from "./confusable.ts";
import { daysUntil, isExpiring } from "./key-expiry.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { everyPeer, type PeerRecord, type PeerStore } from "./peer-store.ts";
import { canonicalWwwroot } from "./wwwroot.ts";

/** What a site showed of itself. Pass it to `peers.add`: exactly this certificate is pinned. */
export interface PeerPreview {
  /** The site's identity. */
  readonly wwwroot: string;
  /** The site's title. Text from outside: escape it. */
  readonly name: string;
  /** Its software, as found out or told. */
  readonly application: ApplicationName;
  /** Its certificate. Compare the fingerprint with the site's administrator. */
  readonly key: PeerKey;
  /** The peer that is there already, under this wwwroot or one that is refused beside it. */
  readonly existing?: Peer;
  /** Reasons to look twice, as sentences for an administrator. Empty: none. */
  readonly warnings: readonly string[];
}

/** What warnings are made of. */
export interface PreviewedSite {
  readonly wwwroot: Wwwroot;
  readonly certificate: Certificate;
  /** In effect for this site, `peerDefaults` included. */
  readonly settings: PeerSettings;
  /** No key swap was made: an administrator pasted the certificate. */
  readonly isPasted: boolean;
}

/** Ourselves, as far as a site may look like us. */
export interface Ourselves {
  readonly wwwroot: Wwwroot;
  readonly certificate: Certificate;
}

/** Reasons to look twice at a site before it is added, and the peer that it may be (SEC-085, MNET-018, H-26). */
export async function judgePreview(
  site: PreviewedSite,
  ourselves: Ourselves,
  store: PeerStore,
  now: number,
): Promise<{ readonly existing: PeerRecord | undefined; readonly warnings: readonly string[] }> {
  const { existing, warnings } = await compareWithPeers(site.wwwroot, store);
  if (likenessOf(site.wwwroot) === likenessOf(ourselves.wwwroot)) {
    warnings.push(`Its address looks like ours, ${ourselves.wwwroot}.`);
  }
  if (site.certificate.publicKey.equals(ourselves.certificate.publicKey)) {
    warnings.push("It has the same key as this host: one is a copy of the other, and each can act as both.");
  }
  return { existing, warnings: [...warnings, ...addressWarnings(site), ...keyWarnings(site, now)] };
}

async function compareWithPeers(
  wwwroot: Wwwroot,
  store: PeerStore,
): Promise<{ existing: PeerRecord | undefined; warnings: string[] }> {
  const canonical = canonicalWwwroot(wwwroot);
  const likeness = likenessOf(wwwroot);
  const warnings: string[] = [];
  let existing: PeerRecord | undefined;
  for await (const peer of everyPeer(store, {})) {
    if (peer.canonical === canonical) {
      existing = peer;
      warnings.push(
        peer.wwwroot === wwwroot
          ? `It is a peer already (${peer.state}).`
          : `It is a peer already (${peer.state}), as ${peer.wwwroot}: two spellings of one address.`,
      );
    } else if (likenessOf(peer.wwwroot) === likeness) {
      warnings.push(`Its address looks like that of the peer ${peer.wwwroot}; make sure that it is another site.`);
    }
  }
  for await (const peer of everyPeer(store, { state: "deleted" })) {
    if (peer.canonical === canonical) {
      warnings.push("It was a peer before and was removed; adding it brings it back under its old id.");
    }
  }
  return { existing, warnings };
}

function addressWarnings({ wwwroot, settings, isPasted }: PreviewedSite): string[] {
  const warnings: string[] = [];
  const shown = shownHost(wwwroot);
  if (shown !== undefined) warnings.push(`Browsers show its address as ${JSON.stringify(shown)}.`);
  if (wwwroot.startsWith("http:")) {
    warnings.push(
      "It has no https: anybody on the way can read who uses it, and could have shown us another certificate.",
    );
  } else if (settings.legacy?.tls !== undefined && settings.legacy.tls !== "verify" && !isPasted) {
    warnings.push(
      `Its TLS certificate was ${settings.legacy.tls === "none" ? "not checked" : "checked for its host name only"}, so anybody on the way could have shown us another certificate.`,
    );
  }
  return warnings;
}

function keyWarnings({ certificate: { notBefore, notAfter, modulusBits } }: PreviewedSite, now: number): string[] {
  const warnings: string[] = [];
  const daysLeft = daysUntil(notAfter, now);
  const day = notAfter.toISOString().slice(0, 10);
  if (daysLeft < 0) warnings.push(`Its key expired on ${day}; Moodles go on using one until they next sign something.`);
  else if (isExpiring(daysLeft))
    warnings.push(`Its key expires on ${day}, in ${daysLeft} ${daysLeft === 1 ? "day" : "days"}.`);
  if (notBefore.getTime() > now) {
    warnings.push(`Its key is valid from ${notBefore.toISOString().slice(0, 10)} on: its clock is wrong, or ours.`);
  }
  if (modulusBits < 2048) {
    warnings.push(`Its key has ${modulusBits} bits only, which legacy.smallKeys allows; it can be broken.`);
  }
  return warnings;
}
