import { performance } from "node:perf_hooks";
import { MnetError, type AnyMnetError } from "../../core/errors.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import { Certificate } from "../../crypto/certificate.ts";
import { KeyPair } from "../../crypto/key-pair.ts";
import { seal } from "../../envelope/seal.ts";
import { generateKeyPair } from "../../keys/generate-key-pair.ts";
import { rpcUrl } from "../../peer/application.ts";
import { siteTitle } from "../../peer/site-title.ts";
import type { ServiceFlag } from "../../peer/service-flags.ts";
import { decode } from "../../xmlrpc/decode.ts";
import { encodeCall } from "../../xmlrpc/encode.ts";
import { formatTable } from "../format-table.ts";
import { explain } from "../inspect/explain.ts";
import { greet, greeting, library, NO_COPY_FREE, records } from "./demo-services.ts";
import type { DemoSite } from "./demo-site.ts";
import { DemoFailure, type Narrator } from "./narrator.ts";
import type { WireExchange } from "./recording-transport.ts";
import { RoamingStory } from "./roaming-story.ts";

/** A site's certificate, by the beginning of its fingerprint, as people read it out. */
export const shortFingerprint = (fingerprint: string): string =>
  `${(fingerprint.slice(0, 16).match(/.{4}/g) ?? []).join(" ")} …`;

/** How many calls go in each direction at once. */
const CONCURRENT = 25;
const DAY_MS = 24 * 60 * 60 * 1000;

/** What two sites do with each other. Each step says what it found and throws `DemoFailure` if that is not as it should be. */
export class Story {
  readonly #alpha: DemoSite;
  readonly #beta: DemoSite;
  readonly #narrator: Narrator;
  /** A request that somebody on the way kept. */
  #overheard: Uint8Array | undefined;

  constructor(alpha: DemoSite, beta: DemoSite, narrator: Narrator) {
    this.#alpha = alpha;
    this.#beta = beta;
    this.#narrator = narrator;
  }

  /** Both sites are up: each shows its name and its key to everybody. */
  async showSites(): Promise<void> {
    const { tell, check } = this.#voice;
    for (const site of [this.#alpha, this.#beta]) {
      const { fingerprint, modulusBits } = await site.host.keys.current();
      tell(`${site.name} is ${site.wwwroot}, with a new ${modulusBits}-bit key ${shortFingerprint(fingerprint)}`);
      const page = await fetch(site.wwwroot);
      check(
        page.status === 200 && siteTitle(await page.text()) === site.name,
        `its home page has the title "${site.name}", which other sites take for its name`,
      );
      const shown = await (await fetch(publicKeyUrl(site))).text();
      check(Certificate.parse(shown).fingerprint === fingerprint, "its certificate can be read at /mnet/publickey.php");
    }
  }

  /** The handshake, both ways: the one moment of trust on first use. */
  async swapKeys(): Promise<void> {
    const { tell, check } = this.#voice;
    const [alpha, beta] = [this.#alpha, this.#beta];
    tell("Each administrator adds the other site by its address. The keys travel in clear, once.");
    const [toBeta, toAlpha] = await Promise.all([
      alpha.host.peers.add(beta.wwwroot),
      beta.host.peers.add(alpha.wwwroot),
    ]);
    for (const [site, other, peer] of [
      [alpha, beta, toBeta],
      [beta, alpha, toAlpha],
    ] as const) {
      const certificate = Certificate.parse(peer.key.certificate, { wwwroot: other.wwwroot });
      const { fingerprint } = await other.host.keys.current();
      check(
        certificate.fingerprint === fingerprint && peer.state === "active",
        `${site.name} pinned ${shortFingerprint(fingerprint)}; the certificate's subject names ${other.wwwroot} and nothing else`,
      );
      check(peer.name === other.name, `it calls the site "${peer.name}", after its home page`);
    }
    const again = await this.#refusalOf(alpha.host.peers.add(beta.wwwroot));
    check(again.code === "MNET_PEER_EXISTS", "asking again never replaces a pinned key (MNET_PEER_EXISTS)");
    tell("Real administrators compare the fingerprints by telephone before they go on.");
  }

  /** Boxes are ticked on both sides; each asks the other what it may do. */
  async tickBoxes(): Promise<void> {
    const { tell, check } = this.#voice;
    const boxes: readonly (readonly [service: string, alpha: ServiceFlag, beta: ServiceFlag])[] = [
      ["greeting", "both", "both"],
      ["library", "subscribe", "both"],
      ["records", "off", "subscribe"],
    ];
    await Promise.all([
      this.#alpha.host.peers.setServices(
        await this.#toBeta(),
        Object.fromEntries(boxes.map(([name, flag]) => [name, flag])),
      ),
      this.#beta.host.peers.setServices(
        await this.#toAlpha(),
        Object.fromEntries(boxes.map(([name, , flag]) => [name, flag])),
      ),
    ]);
    const rows = boxes.map(([name, alpha, beta]) => [name, boxText(alpha), boxText(beta)]);
    for (const line of formatTable([["service", this.#alpha.name, this.#beta.name], ...rows])) tell(`  ${line}`);

    const answer = await this.#alpha.host.call(await this.#toBeta(), "system/listServices");
    const row = (name: string, publish: string, subscribe: string): object => ({
      name,
      apiversion: "1",
      publish,
      subscribe,
    });
    check(
      isEqual(answer, [row("greeting", "1", "1"), row("library", "1", "1"), row("records", "0", "1")]),
      `${this.#beta.name} answers system/listServices with its column, and only to a site that it knows`,
    );
    const methods = await this.#beta.host.call(await this.#toAlpha(), "system/listMethods");
    check(
      isEqual(methods, ["greeting/hello"]),
      `${this.#alpha.name} lists one method for ${this.#beta.name}: greeting/hello`,
    );
  }

  /** One call, and a look into both messages with the sites' own keys. */
  async callBeta(): Promise<void> {
    const answer = await this.#alpha.host.call(await this.#toBeta(), greeting.methods.hello, { to: "Ada" });
    this.#narrator.tell(`${this.#alpha.name} calls greeting/hello({ to: "Ada" })`);
    this.#narrator.check(answer === greet(this.#beta.name, "Ada"), `the answer is "${answer}"`);
    await this.#lookInto(this.#alpha, this.#beta, lastOf(this.#alpha.recorded));
  }

  /** The other way, with characters that MNet sites used to damage. */
  async callAlpha(): Promise<void> {
    const to = "Zoë 張 & <Ægir>";
    const answer = await this.#beta.host.call(await this.#toAlpha(), greeting.methods.hello, { to });
    this.#narrator.tell(`${this.#beta.name} calls greeting/hello({ to: "${to}" })`);
    this.#narrator.check(answer === greet(this.#alpha.name, to), `the answer is "${answer}"`);
    const exchange = lastOf(this.#beta.recorded);
    await this.#lookInto(this.#beta, this.#alpha, exchange);
    this.#overheard = exchange.request;
  }

  /** A service of one's own: described once, typed and checked on both sides. */
  async useLibrary(): Promise<void> {
    const { tell, check } = this.#voice;
    const books = await this.#alpha.host.call(await this.#toBeta(), library.methods.search, {
      words: "sail",
      limit: 10,
    });
    tell(`${this.#alpha.name} searches the library of ${this.#beta.name} for "sail":`);
    for (const { title, copies, dueBack } of books) {
      tell(
        `  ${title} – ${copies > 0 ? `${copies} free` : `back on ${dueBack?.toISOString().slice(0, 10) ?? "some day"}`}`,
      );
    }
    check(
      books.length === 2 && books[1]?.dueBack instanceof Date && books[0]?.dueBack === undefined,
      "2 books, their numbers as numbers and their dates as dates",
    );
    const [wanted] = books;
    if (!wanted) throw new DemoFailure("The library is empty.");
    const { reservation, readyAt } = await this.#reserve(wanted.isbn);
    check(
      reservation === 1 && readyAt > new Date(),
      `reservation ${reservation} is ready on ${readyAt.toISOString().slice(0, 10)}`,
    );

    const refused = await this.#refusalOf(this.#reserve(wanted.isbn));
    check(
      refused.code === "MNET_REMOTE_FAULT" && refused.faultCode === NO_COPY_FREE && refused.authenticated,
      `a second one is refused by the library itself: ${refused.message}`,
    );
  }

  /** Their users, too. */
  roaming(): RoamingStory {
    return new RoamingStory(this.#alpha, this.#beta, this.#narrator);
  }

  /** Many calls, both ways, at the same time. */
  async callTogether(): Promise<void> {
    const { check } = this.#voice;
    const [toBeta, toAlpha] = [await this.#toBeta(), await this.#toAlpha()];
    const names = Array.from({ length: CONCURRENT }, (_, n) => `student ${n + 1}`);
    const started = performance.now();
    const answers = await Promise.all(
      names.flatMap((to) => [
        this.#alpha.host.call(toBeta, greeting.methods.hello, { to }),
        this.#beta.host.call(toAlpha, greeting.methods.hello, { to }),
      ]),
    );
    const perSecond = (answers.length / (performance.now() - started)) * 1000;
    check(
      isEqual(
        answers,
        names.flatMap((to) => [greet(this.#beta.name, to), greet(this.#alpha.name, to)]),
      ),
      `${answers.length} calls at once, ${CONCURRENT} each way: every one got its own answer`,
    );
    this.#narrator.tell(
      `${Math.round(perSecond)} calls a second, caller and responder in one process: 4 private RSA operations each`,
    );
  }

  /** Calls without permission. */
  async refuseUnpermitted(): Promise<void> {
    const { check } = this.#voice;
    const sent = this.#alpha.recorded.length;
    const ran = this.#served;
    const local = await this.#refusalOf(
      this.#alpha.host.call(await this.#toBeta(), records.methods.transcript, { username: "ada" }),
    );
    check(
      local.code === "MNET_CALL_NOT_SUBSCRIBED" && this.#alpha.recorded.length === sent,
      `${this.#alpha.name} has not subscribed to records: ${local.code}, and nothing was sent`,
    );
    const subscribedOnly = await this.#refusalOf(
      this.#beta.host.call(await this.#toAlpha(), library.methods.search, { words: "sail", limit: 1 }),
    );
    check(
      subscribedOnly.code === "MNET_REMOTE_FAULT" && subscribedOnly.faultCode === 707,
      `${this.#alpha.name} knows the library, but does not publish it: fault 707`,
    );
    const noBox = await this.#refusalOf(
      this.#beta.host.call(await this.#toAlpha(), records.methods.transcript, { username: "ada" }),
    );
    check(
      noBox.code === "MNET_REMOTE_FAULT" && noBox.faultCode === 7012,
      `${this.#alpha.name} has ticked no box for its records, so to others they do not exist: fault 7012`,
    );
    check(this.#served === ran, "no method ran for any of these");
  }

  /** Messages from somebody who is not a peer, or pretends to be one. */
  async refuseStrangers(): Promise<void> {
    const { tell, check } = this.#voice;
    const call = encodeCall("greeting/hello", ["Mallory"]);
    const ran = this.#served;
    tell(`Somebody else posts to ${rpcUrl(this.#alpha.host.wwwroot, "moodle").href}:`);

    const plain = decode(await this.#post(call));
    check(
      plain.kind === "fault" && plain.faultCode === 7021 && this.#lastRefusal() === "MNET_ENVELOPE_NOT_ENCRYPTED",
      "a call in clear: fault 7021, in clear",
    );

    const mallory = "https://mallory.example";
    const now = Date.now();
    const subject = { name: "Mallory", notBefore: new Date(now), notAfter: new Date(now + DAY_MS), modulusBits: 2048 };
    const key = KeyPair.parse(await generateKeyPair({ wwwroot: mallory, ...subject }));
    const recipient = Certificate.parse((await this.#alpha.host.keys.current()).certificate);
    const stranger = decode(await this.#post(await seal(call, { sender: mallory, key, recipient })));
    check(
      stranger.kind === "fault" &&
        stranger.faultCode === 7020 &&
        this.#lastRefusal() === "MNET_ENVELOPE_SIGNER_UNKNOWN",
      "a well-made message of a site that is not a peer: fault 7020",
    );

    const keys = [...(await this.#beta.keys()), ...(await this.#alpha.keys())];
    const repeated = explain(await this.#post(this.#overheard ?? call), keys);
    check(
      repeated.document?.faultCode === 7000 && this.#lastRefusal() === "MNET_ENVELOPE_REPLAYED",
      `a genuine request of ${this.#beta.name}, overheard and sent again: fault 7000`,
    );

    const forged = await this.#post(await seal(call, { sender: this.#beta.wwwroot, key, recipient }));
    const answer = explain(forged, keys);
    check(
      answer.document?.faultCode === 710 && this.#lastRefusal() === "MNET_ENVELOPE_SIGNATURE_INVALID",
      `a message in the name of ${this.#beta.name}, signed with another key: fault 710`,
    );
    check(
      answer.encrypted?.openedWith !== undefined && explain(forged, []).encrypted?.openedWith === undefined,
      `which is encrypted to ${this.#beta.name}, so that the forger cannot even read it`,
    );
    check(this.#served === ran, "no method ran for any of these");
  }

  /** A site that was stopped goes on where it was. */
  async restartAlpha(): Promise<void> {
    const { check } = this.#voice;
    const before = await this.#alpha.host.keys.current();
    await this.#alpha.stop();
    await this.#alpha.start();
    const { fingerprint } = await this.#alpha.host.keys.current();
    check(fingerprint === before.fingerprint, `${this.#alpha.name} has the same key as before, out of its SQLite file`);
    const answers = await Promise.all([
      this.#alpha.host.call(await this.#toBeta(), greeting.methods.hello, { to: "Grace" }),
      this.#beta.host.call(await this.#toAlpha(), greeting.methods.hello, { to: "Grace" }),
    ]);
    check(
      isEqual(answers, [greet(this.#beta.name, "Grace"), greet(this.#alpha.name, "Grace")]),
      "it knows its peer and its boxes, and calls go through both ways",
    );
  }

  // ── Helpers ───────────────────────────────────────────────────────────────

  get #voice(): { readonly tell: (text: string) => void; readonly check: (holds: boolean, what: string) => void } {
    const narrator = this.#narrator;
    return { tell: narrator.tell.bind(narrator), check: narrator.check.bind(narrator) };
  }

  /** How many methods have run on both sites. */
  get #served(): number {
    return this.#alpha.served.length + this.#beta.served.length;
  }

  #toBeta(): Promise<Peer> {
    return this.#alpha.host.peers.get(this.#beta.wwwroot);
  }

  #toAlpha(): Promise<Peer> {
    return this.#beta.host.peers.get(this.#alpha.wwwroot);
  }

  async #reserve(isbn: string): Promise<{ readonly reservation: number; readonly readyAt: Date }> {
    return this.#alpha.host.call(await this.#toBeta(), library.methods.reserve, { username: "ada", isbn });
  }

  /** Takes both messages of a call apart, independently of the hosts that made and took them. */
  async #lookInto(caller: DemoSite, responder: DemoSite, { request, response }: WireExchange): Promise<void> {
    const { check } = this.#voice;
    const [callers, responders] = await Promise.all([caller.keys(), responder.keys()]);
    const all = [...callers, ...responders];
    const now = new Date();
    for (const [what, body, signer, receiver, others, own] of [
      ["the request", request, caller, responder, callers, responders],
      ["the answer", response, responder, caller, responders, callers],
    ] as const) {
      const { ok, encrypted, signed } = explain(body, all, { now });
      const isForReceiver = own.some(
        ({ certificate }) => certificate.fingerprint === encrypted?.openedWith?.fingerprint,
      );
      const opensWithOthers = explain(body, others).encrypted?.openedWith !== undefined;
      check(
        ok && isForReceiver && !opensWithOthers,
        `${what}: ${body.length} bytes, encrypted; only ${receiver.name}'s private key opens it`,
      );
      const pinned = (await receiver.host.peers.get(signer.wwwroot)).key.fingerprint;
      check(
        signed?.verifiedWith?.fingerprint === pinned && signed.digest === "matches",
        `${what}: signed with the key that ${receiver.name} pinned for ${signer.name}, ${shortFingerprint(pinned)}`,
      );
      const ageSeconds = signed?.ageSeconds ?? Infinity;
      check(Math.abs(ageSeconds) <= 15, `${what}: clock off by ${Math.abs(ageSeconds)} s; 15 s are tolerated`);
    }
  }

  async #post(body: Uint8Array): Promise<Uint8Array> {
    const url = rpcUrl(this.#alpha.host.wwwroot, "moodle");
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "text/xml" },
      body: Buffer.from(body),
    });
    if (response.status !== 200) throw new DemoFailure(`The status is ${response.status}, not 200.`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Why Alpha refused the last request; what it told the stranger was less. */
  #lastRefusal(): string | undefined {
    const refusals = this.#alpha.events.filter((event) => event.type === "call.refused");
    return refusals.at(-1)?.code;
  }

  async #refusalOf(work: Promise<unknown>): Promise<AnyMnetError> {
    try {
      await work;
    } catch (error) {
      if (MnetError.is(error)) return error;
      throw error;
    }
    throw new DemoFailure("This should have been refused.");
  }
}

const publicKeyUrl = (site: DemoSite): string => `${site.wwwroot}/mnet/publickey.php`;

const BOXES = { both: "publish, subscribe", publish: "publish", subscribe: "subscribe", off: "–" } as const;
const boxText = (flag: ServiceFlag): string => BOXES[flag];

/** For values that came over the wire: strings, numbers, lists and structs. */
const isEqual = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right);

function lastOf<T>(list: readonly T[]): T {
  const last = list.at(-1);
  if (last === undefined) throw new DemoFailure("Nothing was sent.");
  return last;
}
