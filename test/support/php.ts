import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why a test of PHP is skipped. */
export const PHP_ABSENT = "php with the legacy provider is absent";

// RC4 is in OpenSSL 3's legacy provider only, which a site's administrator has to activate like this.
const OPENSSL_CONF = `openssl_conf = init
[init]
providers = providers
[providers]
default = default_provider
legacy = legacy_provider
[default_provider]
activate = 1
[legacy_provider]
activate = 1
`;

/**
 * Runs a PHP program with RC4 at hand. The program finds `input` in `$in` and leaves its result in `$out`; both are
 * JSON on the way. Throws what PHP complained of.
 */
export function runPhp(program: string, input: unknown): unknown {
  const folder = mkdtempSync(join(tmpdir(), "mnet-php-"));
  try {
    writeFileSync(join(folder, "openssl.cnf"), OPENSSL_CONF);
    writeFileSync(
      join(folder, "main.php"),
      `<?php
set_error_handler(function ($n, $message) { fwrite(STDERR, $message); exit(1); });
$in = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
${program}
echo json_encode($out, JSON_THROW_ON_ERROR);`,
    );
    const { status, stdout, stderr, error } = spawnSync("php", [join(folder, "main.php")], {
      input: JSON.stringify(input),
      encoding: "utf8",
      env: { ...process.env, OPENSSL_CONF: join(folder, "openssl.cnf") },
      maxBuffer: 64 * 1024 * 1024,
    });
    if (error) throw error;
    if (status !== 0) throw new Error(`php: ${stderr || stdout}`);
    return JSON.parse(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether there is a PHP here with openssl and RC4. */
export const phpIsPresent = ((): boolean => {
  try {
    return (
      runPhp("$out = in_array('rc4', array_map('strtolower', openssl_get_cipher_methods()), true);", null) === true
    );
  } catch {
    return false;
  }
})();
