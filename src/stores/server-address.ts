import { resolve } from "node:path";
import { ConfigError } from "../core/errors.ts";

/** Where a database server is, and who wants to work in which database. */
export interface ServerAddress {
  readonly host: string;
  /** Default: that of the engine. */
  readonly port: number | undefined;
  /** A Unix socket in place of host and port: a file, and for PostgreSQL the directory that it is in. */
  readonly socket: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string;
  /** PostgreSQL: the schema that our tables are in. Default: the user's first. */
  readonly schema: string | undefined;
  /** Default none: the connection is in clear. */
  readonly tls: TlsOptions | undefined;
}

/** How a connection is encrypted. */
export interface TlsOptions {
  /** Whether the server has to prove that it is the one. */
  readonly isVerified: boolean;
  /** Of the authorities that are believed, in PEM form. Default: the system's. */
  readonly caFile: string | undefined;
}

const PARAMETERS = ["socket", "user", "schema", "sslmode", "sslrootcert"];

/**
 * Reads `SCHEME://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS`. Parameters: `sslmode` (`disable`, the default, `require`
 * or `verify-full`), `sslrootcert`, `socket`, `user` (where there is no host) and, for PostgreSQL, `schema`.
 *
 * Throws `MNET_CONFIG_INVALID`, which never shows the URL.
 */
export function parseServerAddress(text: string): ServerAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^[a-z]+:\/\//i.test(text)) throw wrongUrl("It must be SCHEME://USER:PASSWORD@HOST:PORT/DATABASE.");
  const database = decoded(url.pathname.slice(1));
  if (database === "" || database.includes("/")) throw wrongUrl("It must name one database: …/DATABASE.");
  if (url.hash !== "") throw wrongUrl("A # in it has to be written %23.");
  const parameter = parametersOf(url);
  const schema = parameter("schema");
  if (schema !== undefined && !/^[A-Za-z0-9_]{1,63}$/.test(schema)) {
    throw wrongUrl("The schema must be 1 to 63 letters, digits and underscores.");
  }
  if (schema !== undefined && !/^postgres(ql)?:$/.test(url.protocol)) throw wrongUrl("Only PostgreSQL has a schema.");
  const socket = parameter("socket");
  if (url.hostname === "" && socket === undefined) throw wrongUrl("It must name a host, or a socket.");
  return {
    // An IPv6 address stands in brackets.
    host: decoded(url.hostname).replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? undefined : Number(url.port),
    socket,
    user: decoded(url.username) || parameter("user"),
    password: decoded(url.password) || undefined,
    database,
    schema,
    tls: tlsOf(parameter("sslmode") ?? "disable", parameter("sslrootcert")),
  };
}

function parametersOf({ searchParams }: URL): (name: string) => string | undefined {
  for (const name of searchParams.keys()) {
    if (!PARAMETERS.includes(name)) throw wrongUrl(`Its parameters may be ${PARAMETERS.join(", ")}.`);
    if (searchParams.getAll(name).length > 1) throw wrongUrl(`It has ${name} twice.`);
  }
  return (name) => {
    const value = searchParams.get(name);
    if (value === "") throw wrongUrl(`Its ${name} is empty.`);
    return value ?? undefined;
  };
}

function tlsOf(mode: string, caFile: string | undefined): TlsOptions | undefined {
  switch (mode) {
    case "disable":
      if (caFile !== undefined) throw wrongUrl("An sslrootcert wants sslmode=verify-full.");
      return undefined;
    case "require":
      if (caFile !== undefined) throw wrongUrl("An sslrootcert wants sslmode=verify-full.");
      return { isVerified: false, caFile: undefined };
    case "verify-full":
      return { isVerified: true, caFile: caFile === undefined ? undefined : resolve(caFile) };
    default:
      throw wrongUrl("Its sslmode may be disable, require or verify-full.");
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrongUrl("A % in it has to be written %25.");
  }
}

/** The error about a store's URL. It must not show it, because there may be a password in it. */
export const wrongUrl = (why: string): ConfigError =>
  new ConfigError("MNET_CONFIG_INVALID", `The URL of the store cannot be used. ${why}`, { option: "url" });
