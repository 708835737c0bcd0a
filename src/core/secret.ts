import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { ConfigError } from "./errors.ts";

const HIDDEN = "[secret]";

/**
 * A value that no log, `JSON.stringify` or `console.log` shows.
 * `reveal()` is the only way out, so a reviewer can search for it.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** Reads an environment variable. Throws `MNET_CONFIG_MISSING` when it is unset or empty. */
  static fromEnv(name: string): Secret {
    const value = process.env[name];
    if (!value) {
      throw new ConfigError("MNET_CONFIG_MISSING", `The environment variable ${name} is not set.`, { option: name });
    }
    return new Secret(value);
  }

  /**
   * Reads a file as systemd, Docker and Kubernetes give secrets; one line end at its end does not count. Throws
   * `MNET_CONFIG_MISSING` when it cannot be read or is empty.
   */
  static fromFile(path: string): Secret {
    let value = "";
    let cause: unknown;
    try {
      value = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    } catch (error) {
      cause = error;
    }
    if (value !== "") return new Secret(value);
    const why = cause === undefined ? "is empty" : "cannot be read";
    throw new ConfigError("MNET_CONFIG_MISSING", `The file ${path} ${why}.`, { option: path, cause });
  }

  /** The value itself. */
  reveal(): string {
    return this.#value;
  }

  /** A placeholder. */
  toJSON(): string {
    return HIDDEN;
  }

  /** A placeholder. */
  toString(): string {
    return HIDDEN;
  }

  /** @internal */
  [inspect.custom](): string {
    return HIDDEN;
  }
}
