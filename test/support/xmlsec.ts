import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why a test of xmlsec1 is skipped. */
export const XMLSEC_ABSENT = "xmlsec1 or openssl is absent";

type Content = string | Uint8Array;

/**
 * Runs a program on files, which the arguments call by their names; `out` is the one that it writes.
 *
 * @returns what it wrote, and whether it was content. Throws if it cannot be run at all.
 */
function run(
  program: string,
  args: readonly string[],
  files: Readonly<Record<string, Content>>,
): { readonly ok: boolean; readonly out: Buffer; readonly said: string } {
  const folder = mkdtempSync(join(tmpdir(), "mnet-xmlsec-"));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    writeFileSync(join(folder, "out"), "");
    const { status, stdout, stderr, error } = spawnSync(program, args, {
      cwd: folder,
      encoding: "utf8",
      timeout: 20_000,
    });
    if (error) throw error;
    return { ok: status === 0, out: readFileSync(join(folder, "out")), said: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Debian's xmlsec1, with the id of our messages made known to it. */
export function xmlsec(
  command: "verify" | "sign" | "encrypt" | "decrypt",
  options: readonly string[],
  files: Readonly<Record<string, Content>> & { readonly in: Content },
): ReturnType<typeof run> {
  const ids = ["1", "2"].flatMap((version) => ["--id-attr:Id", `urn:x-mnet:secure:${version}:message`]);
  const usesIds = command === "verify" || command === "sign";
  return run("xmlsec1", [`--${command}`, ...(usesIds ? ids : []), ...options, "--output", "out", "in"], files);
}

const OAEP = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"].flatMap((option) => [
  "-pkeyopt",
  option,
]);

/** RSA-OAEP with SHA-256 for both, by OpenSSL's own command. Throws what it complains of. */
export function opensslOaep(direction: "encrypt" | "decrypt", keyPem: string, input: Uint8Array): Buffer {
  const key = direction === "encrypt" ? ["-pubin", "-inkey", "key"] : ["-inkey", "key"];
  const { ok, out, said } = run("openssl", ["pkeyutl", `-${direction}`, ...key, ...OAEP, "-in", "in", "-out", "out"], {
    key: keyPem,
    in: input,
  });
  if (!ok) throw new Error(said);
  return out;
}

const PSS = [
  "-sha256",
  "-sigopt",
  "rsa_padding_mode:pss",
  "-sigopt",
  "rsa_pss_saltlen:32",
  "-sigopt",
  "rsa_mgf1_md:sha256",
];

/** RSA-PSS with SHA-256 and a salt of 32 bytes, by OpenSSL's own command. */
export function opensslPssSign(privateKeyPem: string, data: Content): Buffer {
  const { ok, out, said } = run("openssl", ["dgst", ...PSS, "-sign", "key", "-out", "out", "in"], {
    key: privateKeyPem,
    in: data,
  });
  if (!ok) throw new Error(said);
  return out;
}

/** Whether OpenSSL's own command takes a signature of RSA-PSS. */
export function opensslPssVerify(publicKeyPem: string, data: Content, signature: Uint8Array): boolean {
  const { ok, said } = run("openssl", ["dgst", ...PSS, "-verify", "key", "-signature", "signature", "in"], {
    key: publicKeyPem,
    signature,
    in: data,
  });
  if (!/Verified OK|Verification failure/.test(said)) throw new Error(said);
  return ok;
}

/** Why a test of OpenSSL's command is skipped. */
export const OPENSSL_ABSENT = "openssl is absent";

const isPresent = (program: string, version: string): boolean => !spawnSync(program, [version]).error;

/** Whether it is here. */
export const opensslIsPresent = isPresent("openssl", "version");

/** Whether both are here. */
export const xmlsecIsPresent = opensslIsPresent && isPresent("xmlsec1", "--version");
