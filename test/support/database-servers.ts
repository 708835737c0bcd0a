import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import pg from "pg";
import { createClient } from "redis";

/** A database server, as its administrator has it. */
export interface Administration {
  readonly port: number;
  /** Makes an empty database for one test and returns its URL. `name` is safe in identifiers. For Redis: that of the server. */
  database(name: string): Promise<string>;
  /** Runs statements in one database, as the administrator. */
  administer(name: string, ...statements: readonly string[]): Promise<void>;
}

/** A private one on a free port of 127.0.0.1, with its data in a folder of its own. */
export interface DatabaseServer extends Administration {
  /** Stops it as a crash of the machine would, and keeps its data. */
  crash(): Promise<void>;
  /** Starts it again. */
  restart(): Promise<void>;
  /** Sends it a signal, such as SIGSTOP. */
  signal(name: NodeJS.Signals): void;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

export type ServerName = "postgresql" | "mariadb" | "redis";

export const SERVERS: readonly ServerName[] = ["postgresql", "mariadb", "redis"];

const ADMINISTRATOR = { user: "administrator", password: "administrators-secret" };

/** Why a server cannot be started here; `undefined` where it can. */
export function missingServer(name: ServerName): string | undefined {
  const needed = {
    postgresql: ["initdb", "postgres"],
    mariadb: ["mariadb-install-db", "mariadbd"],
    redis: ["redis-server"],
  };
  const missing = needed[name].find((binary) => findBinary(binary) === undefined);
  return missing === undefined
    ? undefined
    : `${missing} is absent; Debian's package is ${name === "postgresql" ? name : `${name}-server`}`;
}

/**
 * Starts one. Throws where `missingServer` tells why.
 *
 * @param options `durable`: whether what is committed is on the disk; slower. Default `false`.
 */
export async function startServer(name: ServerName, { durable = false } = {}): Promise<DatabaseServer> {
  return { postgresql: startPostgres, mariadb: startMariadb, redis: startRedis }[name](durable);
}

/** Debian puts servers where no PATH leads. */
function findBinary(name: string): string | undefined {
  const versions = existsSync("/usr/lib/postgresql")
    ? readdirSync("/usr/lib/postgresql").sort((a, b) => Number(b) - Number(a))
    : [];
  const folders = [
    ...(process.env["PATH"] ?? "").split(":"),
    ...versions.map((version) => `/usr/lib/postgresql/${version}/bin`),
    "/usr/sbin",
    "/usr/local/sbin",
  ];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** Database servers refuse to be run by root. */
function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (userInfo().uid !== 0) return {};
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+)/m.exec(readFileSync("/etc/passwd", "utf8")) ?? [];
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) };
}

class ServerProcess {
  readonly folder: string;
  readonly port: number;
  readonly #user = unprivileged();
  #child: ChildProcess | undefined;
  #command: readonly string[] = [];

  constructor(name: ServerName, port: number) {
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), `mnet-${name}-`));
    this.own(this.folder);
    // A test that is interrupted leaves nothing behind.
    process.once("exit", () => {
      this.#child?.kill("SIGKILL");
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  own(path: string): void {
    if (this.#user.uid !== undefined && this.#user.gid !== undefined) chownSync(path, this.#user.uid, this.#user.gid);
  }

  file(name: string, content: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    this.own(path);
    return path;
  }

  directory(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { mode: 0o700 });
    this.own(path);
    return path;
  }

  /** Runs a command to its end. */
  prepare(binary: string, ...args: readonly string[]): void {
    const { status, stdout, stderr, error } = spawnSync(requireBinary(binary), args, {
      ...this.#user,
      cwd: this.folder,
      env: { ...process.env, HOME: this.folder },
      encoding: "utf8",
    });
    if (error) throw error;
    if (status !== 0) throw new Error(`${binary} failed:\n${stdout}\n${stderr}`);
  }

  start(binary: string, ...args: readonly string[]): void {
    this.#command = [binary, ...args];
    const child = spawn(requireBinary(binary), args, {
      ...this.#user,
      cwd: this.folder,
      env: { ...process.env, HOME: this.folder },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.log = "";
    const keep = (chunk: Buffer): void => {
      this.log = (this.log + chunk.toString()).slice(-4000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
  }

  restart(): void {
    const [binary = "", ...args] = this.#command;
    this.start(binary, ...args);
  }

  /** What it said last. */
  log = "";

  /** Tries until it works. */
  async ready(attempt: () => Promise<unknown>): Promise<void> {
    for (const end = performance.now() + 30_000; ;) {
      try {
        await attempt();
        return;
      } catch (error) {
        if (this.#child?.exitCode !== null || performance.now() > end) {
          throw new Error(`The server does not start:\n${this.log}`, { cause: error });
        }
        await setTimeout(50);
      }
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

function requireBinary(name: string): string {
  const found = findBinary(name);
  if (found === undefined) throw new Error(`${name} is absent.`);
  return found;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** The server on a port of 127.0.0.1 that `startServer` has started, here or in another process. */
export function administration(name: ServerName, port: number): Administration {
  return { postgresql: postgresOn, mariadb: mariadbOn, redis: redisOn }[name](port);
}

async function startPostgres(durable: boolean): Promise<DatabaseServer> {
  const server = new ServerProcess("postgresql", await freePort());
  const passwordFile = server.file("password", `${ADMINISTRATOR.password}\n`);
  const data = join(server.folder, "data");
  server.prepare(
    "initdb",
    "-D",
    data,
    "-U",
    ADMINISTRATOR.user,
    "-E",
    "UTF8",
    "--locale=C.UTF-8",
    "--no-sync",
    "-A",
    "scram-sha-256",
    `--pwfile=${passwordFile}`,
  );
  const settings = {
    listen_addresses: "127.0.0.1",
    port: server.port,
    unix_socket_directories: server.folder,
    max_connections: 250,
    fsync: durable,
    full_page_writes: durable,
  };
  server.start(
    "postgres",
    "-D",
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  );
  const control = postgresOn(server.port);
  await server.ready(() => control.administer("postgres", "select 1"));
  await control.administer("postgres", "create role mnet login password 'secret'");
  // At SIGQUIT all connections are cut, and the next start recovers from the log; SIGKILL would leave its children behind.
  return controlled(server, control, "SIGQUIT");
}

async function startMariadb(durable: boolean): Promise<DatabaseServer> {
  const server = new ServerProcess("mariadb", await freePort());
  const data = server.directory("data");
  server.prepare(
    "mariadb-install-db",
    "--no-defaults",
    `--datadir=${data}`,
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    "--skip-name-resolve",
  );
  const grants = server.file(
    "administrator.sql",
    `create or replace user ${ADMINISTRATOR.user}@'127.0.0.1' identified by '${ADMINISTRATOR.password}';\n` +
      `grant all privileges on *.* to ${ADMINISTRATOR.user}@'127.0.0.1' with grant option;\n`,
  );
  server.start(
    "mariadbd",
    "--no-defaults",
    `--datadir=${data}`,
    `--socket=${join(server.folder, "socket")}`,
    `--port=${server.port}`,
    `--init-file=${grants}`,
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--max-connections=300",
    "--innodb-buffer-pool-size=256M",
    `--innodb-flush-log-at-trx-commit=${durable ? 1 : 0}`,
  );
  const control = mariadbOn(server.port);
  await server.ready(() => control.administer("", "select 1"));
  await control.administer("", "create user mnet@'127.0.0.1' identified by 'secret'");
  return controlled(server, control, "SIGKILL");
}

async function startRedis(durable: boolean): Promise<DatabaseServer> {
  const server = new ServerProcess("redis", await freePort());
  const data = server.directory("data");
  const settings = {
    port: server.port,
    bind: "127.0.0.1",
    dir: data,
    save: "",
    appendonly: "yes",
    appendfsync: durable ? "always" : "no",
  };
  server.start("redis-server", ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]));
  const control = redisOn(server.port);
  await server.ready(() => control.administer("", "PING"));
  return controlled(server, control, "SIGKILL", "PING");
}

function controlled(
  server: ServerProcess,
  control: Administration,
  crash: NodeJS.Signals,
  probe = "select 1",
): DatabaseServer {
  return {
    ...control,
    signal: (name) => server.signal(name),
    crash: () => server.stop(crash),
    async restart() {
      server.restart();
      await server.ready(() => control.administer("", probe));
    },
    async remove() {
      // Whoever was told to stop does not hear anything else.
      server.signal("SIGCONT");
      await server.stop(crash);
      server.removeFolder();
    },
  };
}

function postgresOn(port: number): Administration {
  const administer: Administration["administer"] = async (name, ...statements) => {
    const client = new pg.Client({ host: "127.0.0.1", port, ...ADMINISTRATOR, database: name || "postgres" });
    client.on("error", () => undefined);
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };
  return {
    port,
    administer,
    async database(name) {
      await administer("", `create database "${name}" owner mnet`);
      return `postgres://mnet:secret@127.0.0.1:${port}/${name}`;
    },
  };
}

function mariadbOn(port: number): Administration {
  const administer: Administration["administer"] = async (name, ...statements) => {
    const connection = await createConnection({
      host: "127.0.0.1",
      port,
      ...ADMINISTRATOR,
      ...(name && { database: name }),
    });
    try {
      for (const statement of statements) await connection.query(statement);
    } finally {
      await connection.end();
    }
  };
  return {
    port,
    administer,
    async database(name) {
      await administer(
        "",
        // As a server has them that nobody has set up: what our tables have is up to us.
        `create database \`${name}\` character set latin1 collate latin1_swedish_ci`,
        `grant all privileges on \`${name}\`.* to mnet@'127.0.0.1'`,
      );
      return `mysql://mnet:secret@127.0.0.1:${port}/${name}`;
    },
  };
}

function redisOn(port: number): Administration {
  const url = `redis://127.0.0.1:${port}`;
  return {
    port,
    database: async () => url,
    async administer(_name, ...statements) {
      const client = createClient({ url, socket: { reconnectStrategy: false } });
      client.on("error", () => undefined);
      await client.connect();
      try {
        for (const statement of statements) await client.sendCommand(statement.split(" "));
      } finally {
        client.destroy();
      }
    },
  };
}
