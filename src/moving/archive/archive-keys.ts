import { createHmac, hkdfSync, randomBytes } from "node:crypto";
import { ArchiveError, ConfigError } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import {
  decryptWithKey,
  deriveKey,
  encryptWithKey,
  isAffordable,
  SALT_BYTES,
  type ScryptCost,
} from "../../crypto/passphrase.ts";
import type { Header } from "./archive-format.ts";

/** Those of a site's keys have the same. */
const MINIMUM_PASSPHRASE_LENGTH = 12;
const CHECK = Buffer.from("mnet-archive", "latin1");

/** What protects one archive: secrets in it are encrypted, and all of it is authenticated. */
export class ArchiveKeys {
  readonly #encryption: Buffer;
  readonly #authentication: Buffer;

  private constructor(master: Buffer) {
    this.#encryption = Buffer.from(hkdfSync("sha256", master, "", "mnet archive: encryption", 32));
    this.#authentication = Buffer.from(hkdfSync("sha256", master, "", "mnet archive: authentication", 32));
  }

  /** For a new archive: the keys, and what its first line says of them. */
  static async create(
    passphrase: Secret,
    cost: ScryptCost,
  ): Promise<{ readonly keys: ArchiveKeys; readonly header: Pick<Header, "scrypt" | "check"> }> {
    if ([...passphrase.reveal()].length < MINIMUM_PASSPHRASE_LENGTH) {
      throw new ConfigError(
        "MNET_CONFIG_INVALID",
        `The passphrase of an archive must have at least ${MINIMUM_PASSPHRASE_LENGTH} characters.`,
        { option: "passphrase" },
      );
    }
    const salt = randomBytes(SALT_BYTES);
    const keys = new ArchiveKeys(await deriveKey(passphrase.reveal(), salt, cost));
    const check = keys.encrypt(CHECK, "check");
    return { keys, header: { scrypt: { ...cost, salt: salt.toString("base64") }, check } };
  }

  /** For an archive with this first line. Throws `MNET_ARCHIVE_PASSPHRASE_WRONG`, `MNET_ARCHIVE_MALFORMED`. */
  static async open(passphrase: Secret, { scrypt, check }: Header): Promise<ArchiveKeys> {
    if (!isAffordable(scrypt)) {
      throw new ArchiveError("MNET_ARCHIVE_MALFORMED", "The archive asks for more memory than any should.", {
        line: 1,
      });
    }
    const salt = Buffer.from(scrypt.salt, "base64");
    const keys = new ArchiveKeys(await deriveKey(passphrase.reveal(), salt, scrypt));
    if (keys.decrypt(check, "check")?.equals(CHECK) === true) return keys;
    throw new ArchiveError("MNET_ARCHIVE_PASSPHRASE_WRONG", "The archive was made with another passphrase.");
  }

  /** Base64. `context` says what it is, and must be the same again for `decrypt`. */
  encrypt(plain: Uint8Array, context: string): string {
    return encryptWithKey(this.#encryption, plain, Buffer.from(context, "utf8")).toString("base64");
  }

  decrypt(box: string, context: string): Buffer | undefined {
    return decryptWithKey(this.#encryption, Buffer.from(box, "base64"), Buffer.from(context, "utf8"));
  }

  /** For every byte before the last line. */
  hmac(): ReturnType<typeof createHmac> {
    return createHmac("sha256", this.#authentication);
  }
}
