import type { GeneratedKeyPair } from "../../src/keys/generate-key-pair.ts";
import type { LoadCommands, Target } from "../programs/load-generator.ts";
import type { ServerCommands, ServerOptions } from "../programs/server.ts";
import { Program } from "./processes.ts";
import { CALLERS, makeKey, RPC_PATH } from "./sites.ts";

/** A server in a process of its own, and in another one those who call it. */
export class HttpServer {
  readonly server: Program<ServerCommands>;
  readonly load: Program<LoadCommands>;
  /** Where it is, and who calls it. */
  readonly target: Omit<Target, "documents">;

  private constructor(server: Program<ServerCommands>, load: Program<LoadCommands>, target: Omit<Target, "documents">) {
    this.server = server;
    this.load = load;
    this.target = target;
  }

  static async start(options: ServerOptions & { readonly documents?: readonly Uint8Array[] }): Promise<HttpServer> {
    const { documents, ...serverOptions } = options;
    const server = new Program<ServerCommands>("server", { nodeFlags: ["--expose-gc"] });
    const load = new Program<LoadCommands>("load-generator");
    const key: GeneratedKeyPair = await makeKey("https://callers.example");
    const { port, certificate } = await server.ask("start", serverOptions);
    for (const wwwroot of CALLERS) await server.ask("know", { wwwroot, certificate: key.certificate });
    const target = {
      url: `http://127.0.0.1:${port}${RPC_PATH}`,
      senders: CALLERS,
      key,
      recipient: certificate,
      isOurs: true,
    };
    if (documents) await load.ask("aim", { ...target, documents });
    return new HttpServer(server, load, target);
  }

  /** Opens so many connections, and lets every address call once, so that the server knows them. */
  async connect(connections: number): Promise<void> {
    await this.load.ask("connect", connections);
    await this.load.ask("prepare", 64);
    await this.load.ask("introduce");
  }

  async stop(): Promise<void> {
    await this.load.stop();
    await this.server.stop();
  }
}
