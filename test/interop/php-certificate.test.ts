import { describe, expect, it } from "vitest";
import { Certificate } from "../../src/crypto/certificate.ts";
import { generateKeyPair } from "../../src/keys/generate-key-pair.ts";
import { PHP_ABSENT, phpIsPresent, runPhp } from "../support/php.ts";

/** The "check on store" of real peers (spec 2.6), in their own language and with their own library. */
const CHECKS = `
function moodle(string $pem, string $wwwroot): int {
    $credentials = openssl_x509_parse($pem);
    if ($credentials == false) return 3;
    $subject = $credentials['subject'];
    if (array_key_exists('subjectAltName', $subject) && $subject['subjectAltName'] != $wwwroot) return 5;
    if ($subject['CN'] !== substr($wwwroot, 0, 64)) return 4;
    return 0;
}
function moodle19(string $pem, string $wwwroot): int {
    $credentials = openssl_x509_parse($pem);
    if ($credentials == false) return 3;
    return $credentials['subject']['CN'] != $wwwroot ? 4 : 0;
}
function mahara(string $pem, string $wwwroot): int {
    $credentials = openssl_x509_parse($pem);
    if ($credentials == false) return 3;
    return $credentials['subject']['CN'] != substr($wwwroot, 0, 64) ? 4 : 0;
}
// The check on fetch: the name is a part of the URI that was asked.
function fetched(string $pem, string $wwwroot): bool {
    $subject = openssl_x509_parse($pem)['subject'];
    return strpos($wwwroot, $subject['subjectAltName'] ?? $subject['CN']) !== false;
}
// PARAM_PEM: lines of exactly 64 characters.
function cleaned(string $pem): string {
    $pem = trim($pem);
    return preg_match('/^-----BEGIN CERTIFICATE-----([\\\\s\\\\w\\\\/\\\\+=]+)-----END CERTIFICATE-----$/', $pem, $found) &&
        preg_match('/^(?:[\\\\w\\\\/\\\\+=]{64}\\\\n)*[\\\\w\\\\/\\\\+=]{1,64}$/', trim($found[1])) ? $pem : '';
}`;

interface Verdict {
  readonly moodle: number;
  readonly moodle19: number;
  readonly mahara: number;
  readonly fetched: boolean;
  readonly cleaned: boolean;
  readonly subject: Record<string, string>;
  readonly notAfter: number;
  readonly bits: number;
}
const askPhp = (pem: string, wwwroot: string): Verdict =>
  runPhp(
    `${CHECKS}
$pem = $in['pem'];
$parsed = openssl_x509_parse($pem);
$out = [
    'moodle' => moodle($pem, $in['wwwroot']),
    'moodle19' => moodle19($pem, $in['wwwroot']),
    'mahara' => mahara($pem, $in['wwwroot']),
    'fetched' => fetched($pem, $in['wwwroot']),
    'cleaned' => cleaned($pem) === trim($pem),
    'subject' => $parsed['subject'],
    'notAfter' => $parsed['validTo_time_t'],
    'bits' => openssl_pkey_get_details(openssl_pkey_get_public($pem))['bits'],
];`,
    { pem, wwwroot },
  ) as Verdict;

const NOT_AFTER = new Date("2026-12-19T00:00:00Z");
const make = async (wwwroot: string, name = "Example LMS"): Promise<string> =>
  (
    await generateKeyPair({
      wwwroot,
      name,
      modulusBits: 2048,
      notBefore: new Date("2026-11-21T00:00:00Z"),
      notAfter: NOT_AFTER,
    })
  ).certificate;

const long = (length: number): string => "https://long.example/".padEnd(length, "abcdefghij");

describe("certificates in PHP's eyes", () => {
  it.for<[what: string, wwwroot: string, name?: string]>([
    ["a short wwwroot", "https://a.example"],
    ["a path", "https://lms.example.edu/moodle"],
    ["a port", "http://moodle-a.test:8101"],
    ["63 characters", long(63)],
    ["64 characters", long(64)],
    ["65 characters", long(65)],
    ["255 characters", long(255)],
    ["a slash as the 64th character", `${long(63)}/moodle`],
    ["a slash as the 65th character", `${long(64)}/moodle`],
    ["a name that is not ASCII", "https://a.example", "Łódź 日本語 Ångström 😀"],
    ["a name of 200 characters", "https://a.example", "é".repeat(200)],
    ["a name with separators of names", "https://a.example", 'A, B + C = D / E \\ F ; "G" #H'],
    ["no name", "https://a.example", ""],
  ])(
    "MNET-012 %s: a stock Moodle and a stock Mahara accept the certificate",
    async ([, wwwroot, name = "Example LMS"], ctx) => {
      if (!phpIsPresent) ctx.skip(PHP_ABSENT);
      const pem = await make(wwwroot, name);
      const verdict = askPhp(pem, wwwroot);
      expect(verdict).toMatchObject({
        moodle: 0,
        mahara: 0,
        fetched: true,
        cleaned: true,
        notAfter: NOT_AFTER.getTime() / 1000,
        bits: 2048,
      });
      // Moodle 1.9 compares the whole wwwroot with the CN, so that it can know none of more than 64 characters.
      expect(verdict.moodle19).toBe(wwwroot.length <= 64 ? 0 : 4);
      expect(verdict.subject).toMatchObject({ OU: "Moodle", CN: wwwroot.slice(0, 64), subjectAltName: wwwroot });
      expect(verdict.subject["O"]).toBe([...name].slice(0, 64).join(""));
      expect(Certificate.parse(pem, { wwwroot }).pem).toBe(pem);
    },
  );

  it("MNET-015 MNET-016 they refuse it for another site, as we do", async (ctx) => {
    if (!phpIsPresent) ctx.skip(PHP_ABSENT);
    const pem = await make("https://a.example");
    expect(askPhp(pem, "https://b.example")).toMatchObject({ moodle: 5, moodle19: 4, mahara: 4, fetched: false });
    // The prefix passes the check on fetch only.
    expect(askPhp(pem, "https://a.example.evil.example")).toMatchObject({ moodle: 5, mahara: 4, fetched: true });
  });

  it("MNET-010 they refuse a CN from which the slash at the end was taken, which is why ours keeps it", async (ctx) => {
    if (!phpIsPresent) ctx.skip(PHP_ABSENT);
    const wwwroot = `${long(63)}/moodle`;
    // A certificate for the cut wwwroot has that CN.
    const verdict = askPhp(await make(wwwroot.slice(0, 63)), wwwroot);
    expect(verdict.subject["CN"]).toBe(wwwroot.slice(0, 63));
    expect(verdict.mahara).toBe(4);
  });
});
