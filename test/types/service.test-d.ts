// Checked by `tsc -p .`; nothing here runs. Each line that must not compile says why.
import { expectTypeOf } from "vitest";
import type { Peer, PeerRef } from "../../src/core/peer-snapshot.ts";
import { defineService } from "../../src/host/define-service.ts";
import { Fault } from "../../src/host/fault.ts";
import type { Method } from "../../src/host/method.ts";
import type { Extensions, Service } from "../../src/host/service.ts";
import { t, type Infer, type WireType } from "../../src/host/wire-type.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";

interface Host {
  readonly name: string;
  call<P, R>(peer: PeerRef, method: Method<P, R>, params: P): Promise<R>;
  call(peer: PeerRef, method: string, params?: readonly XmlRpcValue[]): Promise<XmlRpcValue>;
}
declare function createHost<const S extends readonly Service[] = readonly []>(options: {
  readonly services?: S | undefined;
}): Promise<Host & Extensions<S[number]>>;
declare const peer: Peer;
declare const bare: Host;

// ── Wire types ──────────────────────────────────────────────────────────────

expectTypeOf<Infer<ReturnType<typeof t.string>>>().toEqualTypeOf<string>();
expectTypeOf<Infer<ReturnType<typeof t.int>>>().toEqualTypeOf<number>();
expectTypeOf<Infer<ReturnType<typeof t.double>>>().toEqualTypeOf<number>();
expectTypeOf<Infer<ReturnType<typeof t.boolean>>>().toEqualTypeOf<boolean>();
expectTypeOf<Infer<ReturnType<typeof t.time>>>().toEqualTypeOf<Date>();
expectTypeOf<Infer<ReturnType<typeof t.bytes>>>().toEqualTypeOf<Uint8Array>();
expectTypeOf<Infer<ReturnType<typeof t.value>>>().toEqualTypeOf<XmlRpcValue>();
const names = t.list(t.string());
expectTypeOf(names).toEqualTypeOf<WireType<readonly string[]>>();
expectTypeOf(t.list(t.int().optional())).toEqualTypeOf<WireType<readonly (number | undefined)[]>>();
expectTypeOf(t.string().describe("words").optional()).toEqualTypeOf<WireType<string | undefined>>();

const point = t.struct({ x: t.int(), label: t.string().optional() });
export const right: Infer<typeof point> = { x: 1 };
export const labelled: Infer<typeof point> = { x: 1, label: undefined };
// @ts-expect-error x is missing
export const wrong: Infer<typeof point> = { label: "here" };
// @ts-expect-error what a peer said is read, not written
right.x = 2;
export type Nested = Infer<typeof nested>;
export const nested = t.struct({ at: point, all: t.list(point) });
expectTypeOf<Nested["at"]["x"]>().toEqualTypeOf<number>();
expectTypeOf<Nested["all"][number]["label"]>().toEqualTypeOf<string | undefined>();

// @ts-expect-error a wire type is made by t
export const byHand: WireType<string> = { name: "string", describe: () => byHand, optional: () => byHand };
// @ts-expect-error there is no such option
t.string({ max: 3 });
// @ts-expect-error fields are wire types
t.struct({ x: "int" });

// ── Own services, as in the programs of api.md 2.1 and 2.5 ──────────────────

const greeting = defineService({
  name: "greeting",
  methods: { hello: { params: { to: t.string() }, returns: t.string() } },
});
export const greets: Service = greeting.implement({ hello: ({ to }) => `Hello ${to}` });
expectTypeOf<Parameters<typeof greeting.implement>[0]["hello"]>()
  .parameter(0)
  .branded.toEqualTypeOf<{ readonly to: string }>();

const book = t.struct({
  isbn: t.string({ maxLength: 13 }),
  title: t.string(),
  copies: t.int({ min: 0 }),
  dueBack: t.time().optional(),
});
type Book = Infer<typeof book>;
expectTypeOf<Book["dueBack"]>().toEqualTypeOf<Date | undefined>();

const library = defineService({
  name: "library",
  methods: {
    search: {
      help: "Books whose title contains the words, best first.",
      params: { words: t.string().describe("What to look for"), limit: t.int({ min: 1, max: 100 }) },
      returns: t.list(book),
    },
    reserve: {
      help: "Reserves a copy for a user of the calling site.",
      params: { username: t.string(), isbn: t.string() },
      returns: t.struct({ reservation: t.int(), readyAt: t.time() }),
    },
  },
});

declare function findBooks(
  words: string,
  options: { limit: number; forSite: string; signal: AbortSignal },
): Promise<Book[]>;
declare function reserveCopy(
  site: number,
  username: string,
  isbn: string,
): Promise<{ reservation: number; readyAt: Date } | undefined>;

const college = await createHost({
  services: [
    library.implement({
      async search({ words, limit }, call) {
        expectTypeOf(words).toEqualTypeOf<string>();
        expectTypeOf(limit).toEqualTypeOf<number>();
        expectTypeOf(call.peer).toEqualTypeOf<Peer>();
        return findBooks(words, { limit, forSite: call.peer.wwwroot, signal: call.signal });
      },
      async reserve({ username, isbn }, { peer: caller }) {
        const reservation = await reserveCopy(caller.id, username, isbn);
        if (!reservation) throw new Fault(9001, "No copy of that book is free");
        return reservation;
      },
    }),
  ],
});
expectTypeOf(college.name).toEqualTypeOf<string>();

library.implement({
  // @ts-expect-error not what the method returns
  search: () => "nothing",
  reserve: () => ({ reservation: 1, readyAt: new Date() }),
});
// @ts-expect-error a handler is missing
library.implement({ search: () => [] });

const school = await createHost({ services: [library] });
const books = await school.call(peer, library.methods.search, { words: "sailing", limit: 10 });
expectTypeOf(books).toEqualTypeOf<readonly Book[]>();
const { readyAt } = await school.call(peer, library.methods.reserve, { username: "ada", isbn: "x" });
expectTypeOf(readyAt).toEqualTypeOf<Date>();
expectTypeOf(await school.call(peer, "library/search", ["sailing", 10])).toEqualTypeOf<XmlRpcValue>();
// @ts-expect-error a parameter is missing
await school.call(peer, library.methods.search, { words: "sailing" });
// @ts-expect-error the type is wrong
await school.call(peer, library.methods.search, { words: 7, limit: 10 });
// @ts-expect-error this host has no single sign-on
school.sso;
// @ts-expect-error there is no such method
library.methods.lend;

const geo = defineService({
  name: "geo",
  methods: {
    ping: { returns: t.value() },
    area: { params: { of: point }, returns: t.double() },
    near: { params: { of: point, within: t.int().optional() }, returns: names },
  },
});
await bare.call(peer, geo.methods.ping, {});
export const area: number = await bare.call(peer, geo.methods.area, { of: right });
// @ts-expect-error the result is not any
export const text: string = await bare.call(peer, geo.methods.area, { of: right });
expectTypeOf(await bare.call(peer, geo.methods.area, { of: right })).not.toBeAny();
expectTypeOf(geo.methods.area).not.toBeAny();
await bare.call(peer, geo.methods.near, { of: right });
await bare.call(peer, geo.methods.near, { of: right, within: undefined });
// @ts-expect-error the type of an optional parameter is checked as well
await bare.call(peer, geo.methods.near, { of: right, within: "1" });
// @ts-expect-error a number is not a peer
await bare.call({ id: 3 }, "x/y");

// @ts-expect-error a service is made by defineService
export const service: Service = { name: "mine" };
// @ts-expect-error a method says what it returns
defineService({ name: "a", methods: { hello: {} } });

// ── What services add to a host ─────────────────────────────────────────────

declare const one: Service<{ readonly one: string }>;
declare const two: Service<{ readonly two: number }>;
const both = await createHost({ services: [one, two, greeting] });
expectTypeOf(both.one).toEqualTypeOf<string>();
expectTypeOf(both.two).toEqualTypeOf<number>();
const none = await createHost({});
// @ts-expect-error no such service was given
none.one;
