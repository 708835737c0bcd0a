import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A server on 127.0.0.1 that closes, with all its connections, at the end of the block. */
export interface HttpSite extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  readonly server: Server;
}

/** Starts a server on a free port. */
export async function httpSite(
  listener: RequestListener,
  server: Server = createHttpServer(listener),
): Promise<HttpSite> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port on which nobody listens. */
export async function freePort(): Promise<number> {
  await using site = await httpSite(() => undefined);
  return site.port;
}
