// What must not compile, each for the reason beside it. Checked against the source by `npm run typecheck` and against
// the built package by `npm run test:types`; nothing here runs.
import { createServer } from "node:http";
import express, { type Request as ExpressRequest, type Response as ExpressResponse } from "express";
import { createHost, defineService, MnetError, Secret, sso, t, type Infer, type PeerRef, type Wwwroot } from "mnet";
import type { Accounts, Browser, BrowserSessions, FetchExchange, UntrustedHtml } from "mnet";
import { open, VerifiedMessage, type OpenOptions } from "mnet/envelope";
import { nodeHandler, type NodeExchange } from "mnet/node";
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

// ── Single sign-on: sessions go only with the server that has them ──────────

declare const accounts: Accounts;
declare const anySessions: BrowserSessions;
declare const expressSessions: BrowserSessions<NodeExchange<ExpressRequest, ExpressResponse>>;
declare const contextSessions: BrowserSessions<FetchExchange<{ get(key: string): unknown }>>;
declare const anyBrowser: Browser;

const anywhere = await createHost({ ...site, services: [sso({ accounts, sessions: anySessions })] });
createServer(nodeHandler(anywhere));
await anywhere.fetch(new Request(site.wwwroot));

const onExpress = await createHost({ ...site, services: [sso({ accounts, sessions: expressSessions })] });
express().use(nodeHandler(onExpress));
// @ts-expect-error a bare server makes no Express requests
createServer(nodeHandler(onExpress));
// @ts-expect-error nor does fetch
await onExpress.fetch(new Request(site.wwwroot));
// @ts-expect-error nor has every browser one
await onExpress.sso.jumpUrl(anyBrowser, peer);

const withContext = await createHost({ ...site, services: [sso({ accounts, sessions: contextSessions })] });
await withContext.fetch(new Request(site.wwwroot), { context: { get: (key) => key } });
// @ts-expect-error not the context that the sessions want
await withContext.fetch(new Request(site.wwwroot), { context: {} });
// @ts-expect-error none at all
await withContext.fetch(new Request(site.wwwroot));
// @ts-expect-error a node server has no context
createServer(nodeHandler(withContext));
// @ts-expect-error this host has no single sign-on
host.sso;
// @ts-expect-error no accounts
sso({ sessions: anySessions });

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
declare const html: UntrustedHtml;
// @ts-expect-error hostile markup is not a string
export const markup: string = html;
// @ts-expect-error a secret is not a string
export const password: string = new Secret("x");

// ── Errors ──────────────────────────────────────────────────────────────────

export function narrows(error: unknown): unknown {
  if (!MnetError.is(error)) return error;
  // @ts-expect-error not every error has one
  error.faultCode;
  return error.code === "MNET_REMOTE_FAULT" ? error.faultCode : error.code === "MNET_KEY_HELD" ? error.fingerprint : 0;
}
