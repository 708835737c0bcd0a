import process from "node:process";
import { Option, type Command } from "commander";
import { Secret } from "../../core/secret.ts";
import { Certificate } from "../../crypto/certificate.ts";
import type { KeyOptions } from "../../host/host-options.ts";
import { startHost, type HostWith } from "../../host/host.ts";
import type { Service } from "../../host/service.ts";
import type { Store } from "../../host/store.ts";
import type { WrappingOptions } from "../../keys/key-wrapping.ts";
import { systemMethods } from "../../services/system/system-methods.ts";
import { openStore } from "../../stores/open-store.ts";
import { UsageError } from "../usage-error.ts";

/** How a command finds the data of a site. */
export interface StoreOptions {
  readonly store: string;
  readonly tablePrefix?: string;
}

/** How a command reads the private keys in the store. */
export interface KeyFileOptions {
  readonly keyFile?: string;
  readonly oldKeyFile?: string;
}

/** How a command finds the site that it works on. */
export interface SiteOptions extends StoreOptions, KeyFileOptions {
  readonly wwwroot?: string;
  readonly siteName?: string;
  readonly allowAddress?: readonly string[];
}

/** Adds the options that name the store. */
export function withStoreOptions(command: Command): Command {
  return command
    .addOption(new Option("--store <url>", "where the site keeps its data").env("MNET_STORE").default("sqlite:mnet.db"))
    .addOption(
      new Option("--table-prefix <name>", "what its tables begin with (default: mnet_)").env("MNET_TABLE_PREFIX"),
    );
}

/** The store that the options name. Nothing is opened yet. */
export const openSiteStore = ({ store, tablePrefix }: StoreOptions): Store => openStore(store, { tablePrefix });

/** Adds the options that tell how private keys are encrypted in the store. */
export function withKeyOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--key-file <file>", "passphrase of the private keys in the store (or: MNET_KEY)").env(
        "MNET_KEY_FILE",
      ),
    )
    .addOption(
      new Option("--old-key-file <file>", "the one before, to change it (or: MNET_OLD_KEY)").env("MNET_OLD_KEY_FILE"),
    );
}

/** Adds the options that name the site. */
export function withSiteOptions(command: Command): Command {
  return withKeyOptions(withStoreOptions(command))
    .addOption(new Option("--wwwroot <url>", "the site's own wwwroot (default: that of its key)").env("MNET_WWWROOT"))
    .addOption(new Option("--site-name <name>", "the site's own name, for a new store").env("MNET_NAME"))
    .addOption(
      new Option("--allow-address <cidr...>", "networks that may be private, such as 10.0.0.0/8").env(
        "MNET_ALLOW_ADDRESSES",
      ),
    );
}

/**
 * Opens the site's store and works on it as one more process of the site. It answers nobody: if a peer asks back, the
 * site's server has to be up.
 */
export async function withSite<T, const S extends readonly Service[] = readonly []>(
  options: SiteOptions,
  work: (host: HostWith<S>) => Promise<T>,
  services?: S,
): Promise<T> {
  const store = openSiteStore(options);
  const current = await openedKey(store);
  const wwwroot = options.wwwroot ?? current?.site;
  if (wwwroot === undefined) {
    await store.close();
    throw new UsageError("This store is new: name the site's own address with --wwwroot.");
  }
  const host = (await startHost(
    {
      wwwroot,
      // Peers take the name from the page of the running site; a command shows none.
      name: options.siteName ?? `Site at ${new URL(wwwroot).host}`,
      store,
      keys: { ...(current && policyOf(current)), ...encryptionOf(options) },
      network: { allowAddresses: addressesOf(options) },
      maintenance: "manual",
      services: services ?? [],
    },
    systemMethods,
    // The boxes that are ticked here are for the services of the application, which only its own process knows.
    // What is stored otherwise is left so: the site's processes may not all know the key yet.
    { knowsEveryService: true, rewrapsKeys: false },
  )) as HostWith<S>;
  try {
    return await work(host);
  } finally {
    await host.close();
  }
}

/** Opens the store. A site's key says whose it is, and how the site makes its keys. */
async function openedKey(store: Store): Promise<Certificate | undefined> {
  try {
    await store.open();
    const current = (await store.keys.list("shared")).find(({ state }) => state === "current");
    return current && Certificate.parse(current.certificate, { minimumBits: 1024 });
  } catch (error) {
    // Connections that stay would keep the process.
    await store.close();
    throw error;
  }
}

/**
 * Keys that are made here are as the site's own process would make them. How many it archives is not known here, so that
 * none is dropped which it may want.
 */
const policyOf = ({ notBefore, notAfter, modulusBits }: Certificate): KeyOptions => ({
  lifetimeMs: Math.max(notAfter.getTime() - notBefore.getTime(), DAY_MS),
  modulusBits: Math.min(Math.max(modulusBits, 2048), 4096),
  generations: 7,
});
const DAY_MS = 24 * 60 * 60 * 1000;

/** How the private keys in the store are encrypted. A passphrase is no option: every user of the machine sees those. */
export function encryptionOf({ keyFile, oldKeyFile }: KeyFileOptions): WrappingOptions {
  const now = secretOf(keyFile, "MNET_KEY");
  const before = secretOf(oldKeyFile, "MNET_OLD_KEY");
  return { encryptWith: now, decryptAlsoWith: before && [before] };
}

/** `undefined` where neither is given. */
export function secretOf(file: string | undefined, variable: string): Secret | undefined {
  if (file !== undefined) return Secret.fromFile(file);
  return process.env[variable] ? Secret.fromEnv(variable) : undefined;
}

const addressesOf = ({ allowAddress = [] }: SiteOptions): string[] => allowAddress.flatMap((value) => value.split(","));

/** A peer as a person names it: by id or by wwwroot. */
export const peerKeyOf = (text: string): string | number => (/^[1-9][0-9]*$/.test(text) ? Number(text) : text);

/** Reads `a=b` pairs. */
export function readPairs(pairs: readonly string[]): readonly (readonly [name: string, value: string])[] {
  return pairs.map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new UsageError(`Write NAME=VALUE, not ${JSON.stringify(pair)}.`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
}
