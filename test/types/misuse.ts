// What must not compile, each for the reason beside it. Checked against the source by `npm run typecheck` and against
// the built package by `npm run test:types`; nothing here runs.
import { createServer } from "node:http";
import { createHost, defineService, MnetError, Secret, t, type Infer, type PeerRef, type Wwwroot } from "mnet";
import { open, VerifiedMessage, type OpenOptions } from "mnet/envelope";
import { nodeHandler } from "mnet/node";
import { memoryStore } from "mnet/stores";

declare const peer: PeerRef;
declare const opening: OpenOptions;
const site = { wwwroot: "https://a.example", name: "A", store: memoryStore() };

// ── Hosts and peers ─────────────────────────────────────────────────────────

const host = await createHost(site);
createServer(nodeHandler(host));
await host.fetch(new Request(site.wwwroot));
// @ts-expect-error no such service was given
host.enrolment;
// @ts-expect-error a number is not a peer
await host.call({ id: 3 }, "x/y");
// @ts-expect-error a site's identity comes from a host or a peer
export const wwwroot: Wwwroot = "https://a.example";

// ── Parameters ──────────────────────────────────────────────────────────────

const point = t.struct({ x: t.int(), label: t.string().optional() });
export const right: Infer<typeof point> = { x: 1 };
// @ts-expect-error x is missing
export const wrong: Infer<typeof point> = { label: "here" };

const geo = defineService({
  name: "geo",
  methods: { ping: { returns: t.value() }, area: { params: { of: point }, returns: t.double() } },
});
await host.call(peer, geo.methods.ping, {});
export const area: number = await host.call(peer, geo.methods.area, { of: right });
// @ts-expect-error not any
export const text: string = await host.call(peer, geo.methods.area, { of: right });

// ── What is verified, and what is secret ────────────────────────────────────

const read = (message: VerifiedMessage) => message.document;
read(await open(new Uint8Array(), opening));
// @ts-expect-error nobody but open() makes one
read({ document: new Uint8Array(), sender: site.wwwroot });
// @ts-expect-error its constructor is private
new VerifiedMessage();
// @ts-expect-error a secret is not a string
export const password: string = new Secret("x");

// ── Errors ──────────────────────────────────────────────────────────────────

export function narrows(error: unknown): unknown {
  if (!MnetError.is(error)) return error;
  // @ts-expect-error not every error has one
  error.faultCode;
  return error.code === "MNET_REMOTE_FAULT" ? error.faultCode : error.code === "MNET_KEY_HELD" ? error.fingerprint : 0;
}
