import { MnetError } from "../../core/errors.ts";
import type { Fingerprint } from "../../core/ids.ts";
import { Certificate } from "../../crypto/certificate.ts";
import { KeyPair } from "../../crypto/key-pair.ts";
import { UsageError } from "../usage-error.ts";

/** A key that the person gave: a certificate, and the private key that belongs to it if that was given, too. */
export interface GivenKey {
  /** Where it came from: the name of the file, and in a key list the name of the entry. */
  readonly origin: string;
  readonly certificate: Certificate;
  /** Present if it can open messages. */
  readonly pair?: KeyPair;
  /** Whose it is, where a key list says so. */
  readonly wwwroot?: string;
}

/** A file that may hold keys. */
export interface KeyFile {
  readonly name: string;
  readonly text: string;
}

/** A PEM block, and whose it is where a key list says so. */
interface Found {
  readonly origin: string;
  readonly wwwroot: string | undefined;
  readonly certificates: readonly string[];
  readonly privateKeys: readonly string[];
}

/**
 * The keys in files: PEM with certificates and private keys in any number and combination, or a key list, which is a JSON
 * object of `{ wwwroot?, certificate?, privateKey? }` by name, as `fixtures/<set>/keys.json`. A certificate and its
 * private key may come from different files.
 *
 * Throws `UsageError`, which names the file and never shows what is in it.
 */
export function readKeyFiles(files: readonly KeyFile[]): readonly GivenKey[] {
  const found = files.flatMap(blocksOf);
  const privateKeys = found.flatMap(({ origin, privateKeys: pems }) => pems.map((pem) => ({ origin, pem })));
  const used = new Set<string>();
  const keys = new Map<Fingerprint, GivenKey>();
  for (const { origin, wwwroot, certificates } of found) {
    for (const text of certificates) {
      const certificate = parseCertificate(text, origin);
      // Nothing says which private key belongs to which certificate, so they are tried, the nearest first.
      const isNear = (key: { readonly origin: string }): boolean => key.origin === origin;
      const candidates = [...privateKeys.filter(isNear), ...privateKeys.filter((key) => !isNear(key))];
      let pair = keys.get(certificate.fingerprint)?.pair;
      for (const { pem } of pair ? [] : candidates) {
        pair = pairOf(certificate, pem);
        if (!pair) continue;
        used.add(pem);
        break;
      }
      keys.set(certificate.fingerprint, {
        origin,
        certificate,
        ...(pair && { pair }),
        ...(wwwroot !== undefined && { wwwroot }),
      });
    }
  }
  const belongs = (pem: string): boolean => [...keys.values()].some(({ certificate }) => pairOf(certificate, pem));
  const orphan = privateKeys.find(({ pem }) => !used.has(pem) && !belongs(pem));
  if (orphan) {
    throw new UsageError(
      `The private key in ${orphan.origin} cannot be read, or none of the certificates given belongs to it; give its certificate with --keys, too.`,
    );
  }
  return [...keys.values()];
}

function blocksOf({ name, text }: KeyFile): readonly Found[] {
  const found = text.trimStart().startsWith("{") ? entriesOf(name, text) : [pemBlocksOf(text, name, undefined)];
  if (found.every(({ certificates, privateKeys }) => certificates.length + privateKeys.length === 0)) {
    throw new UsageError(
      `There is no certificate and no private key in ${name}; PEM or a key list in JSON is expected.`,
    );
  }
  return found;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN ((?:RSA |ENCRYPTED )?PRIVATE KEY)-----[^-]*(?:-[^-]+)*-----END \1-----/g;

function pemBlocksOf(text: string, origin: string, wwwroot: string | undefined): Found {
  const privateKeys = text.match(PRIVATE_KEY) ?? [];
  if (privateKeys.some((pem) => pem.includes("ENCRYPTED"))) {
    throw new UsageError(`The private key in ${origin} is encrypted; decrypt it first, for example with openssl pkey.`);
  }
  return { origin, wwwroot, certificates: text.match(CERTIFICATE) ?? [], privateKeys };
}

function entriesOf(name: string, text: string): readonly Found[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    // The parser's message would quote what is in the file.
    throw new UsageError(`${name} begins like a key list, but it is not JSON.`);
  }
  return Object.entries(list as Record<string, unknown>).map(([id, entry]) => {
    const { wwwroot, certificate, privateKey } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    const pems = [certificate, privateKey].filter((pem) => typeof pem === "string");
    return pemBlocksOf(pems.join("\n"), `${name} (${id})`, typeof wwwroot === "string" ? wwwroot : undefined);
  });
}

function parseCertificate(pem: string, origin: string): Certificate {
  try {
    // A diagnosis takes every key that a real site has.
    return Certificate.parse(pem, { minimumBits: 1024 });
  } catch (error) {
    if (!MnetError.is(error)) throw error;
    throw new UsageError(`${origin}: ${error.message}`);
  }
}

function pairOf({ pem }: Certificate, privateKey: string): KeyPair | undefined {
  try {
    return KeyPair.parse({ certificate: pem, privateKey });
  } catch (error) {
    if (!MnetError.is(error)) throw error;
    return undefined;
  }
}
