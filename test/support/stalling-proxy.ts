import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** Passes connections on to a port of this machine, and lets some of them hang. */
export interface StallingProxy {
  readonly port: number;
  /** Nothing comes back any more over the connections that are open now; later ones work. */
  stall(): void;
  /** They go on. */
  goOn(): void;
  close(): Promise<void>;
}

/** Starts one on a free port. */
export async function startStallingProxy(to: number): Promise<StallingProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        pairs.delete(pair);
        for (const each of pair) each.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  let stalled: Socket[] = [];
  return {
    port: (server.address() as AddressInfo).port,
    stall() {
      stalled = [...pairs].map(([near, far]) => {
        far.unpipe(near);
        return far;
      });
    },
    goOn() {
      for (const [near, far] of pairs) if (stalled.includes(far)) far.pipe(near);
    },
    async close() {
      for (const [near] of pairs) near.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
