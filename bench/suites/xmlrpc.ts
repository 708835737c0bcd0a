import { deepStrictEqual } from "node:assert/strict";
import { Readable } from "node:stream";
import { Deserializer as FoxgloveDeserializer, serializeMethodResponse } from "@foxglove/xmlrpc";
import NpmDeserializer from "xmlrpc/lib/deserializer.js";
import npmSerializer from "xmlrpc/lib/serializer.js";
import { decodeResponse } from "../../src/xmlrpc/decode.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import type { XmlRpcStruct } from "../../src/xmlrpc/value.ts";
import { listOf, REALISTIC } from "../support/documents.ts";
import { interleave, timeOfAsync, type Round } from "../support/interleave.ts";
import { ratios } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";
import { sizeName } from "../support/units.ts";

const KB = 1024;
const ROUND_MS = 25;
const WARM_UP_MS = 500;

/** Documents to values and back, beside the two codecs of npm that people use. */
export const xmlrpc: Suite = {
  name: "xmlrpc",
  title: "XML-RPC: documents to values and back, beside npm xmlrpc and @foxglove/xmlrpc",
  async run(bench) {
    for (const size of [2 * KB, 100 * KB]) {
      for (const [kind, item] of Object.entries(REALISTIC)) {
        // Strings as they come out of a database, each in one piece; those that were put together a moment ago are not.
        const value = copyOf(listOf(item, size, (some) => encodeResult(some)));
        const document = Buffer.from(encodeResult(value));
        await requireAgreement(value, document);
        const { rounds, warmUp } = { rounds: bench.either(20, 6), warmUp: bench.either(6, 3) };

        const decoding = await takeTurns(
          {
            ours: () => decodeResponse(document),
            npm: () => npmDecode(document),
            foxglove: () => foxgloveDecode(document),
          },
          { rounds, warmUp },
        );
        const encoding = await takeTurns(
          {
            ours: () => encodeResult(value),
            npm: () => npmEncode(value),
            foxglove: () => foxgloveEncode(value),
          },
          { rounds, warmUp },
        );
        const [name, what] = [sizeName(size).replace(" ", "").toLowerCase(), `${sizeName(size)}, ${kind}s`];
        for (const [verb, costs] of Object.entries({ decode: decoding, encode: encoding })) {
          const id = `xmlrpc.${verb}-${kind}-${name}`;
          const title = `${verb === "decode" ? "Decode" : "Encode"} ${what}`;
          bench.add(id, `${title}: npm xmlrpc / ours`, ratios(costs.npm, costs.ours), {
            unit: "×",
            bound: { atLeast: 4 },
          });
          bench.add(`${id}-foxglove`, `${title}: @foxglove/xmlrpc / ours`, ratios(costs.foxglove, costs.ours), {
            unit: "×",
          });
          const rates = costs.ours.map((ms) => document.length / KB / KB / (ms / 1000));
          bench.add(`${id}-rate`, title, rates, { unit: "MB/s" });
        }
      }
    }
  },
};

/** Each for some time first, so that the compiler has done with it: what a server does all day is asked for. */
async function takeTurns<Name extends string>(
  codecs: Readonly<Record<Name, () => unknown>>,
  { rounds, warmUp }: { readonly rounds: number; readonly warmUp: number },
): Promise<Record<Name, number[]>> {
  const turns = {} as Record<Name, Round>;
  for (const name of Object.keys(codecs) as Name[]) {
    const run = codecs[name];
    const once = async (): Promise<unknown> => run();
    const started = performance.now();
    let count = 0;
    for (; performance.now() - started < WARM_UP_MS; count += 1) await once();
    const times = Math.max(1, Math.round((count / WARM_UP_MS) * ROUND_MS));
    turns[name] = () => timeOfAsync(times, once);
  }
  return interleave(turns, { rounds, warmUp });
}

/** A buffer holds UTF-8 and comes from a socket; turning it into text is part of decoding it. */
function npmDecode(document: Buffer): Promise<unknown> {
  return new Promise((resolve, reject) => {
    new NpmDeserializer().deserializeMethodResponse(
      Readable.from([document], { objectMode: false }),
      (error, value) => {
        if (error) reject(error);
        else resolve(value);
      },
    );
  });
}
const foxgloveDecode = (document: Buffer): Promise<unknown> =>
  new FoxgloveDeserializer().deserializeMethodResponse(document.toString("utf8"));

/** Bytes, as they go to a socket. */
const npmEncode = (value: readonly XmlRpcStruct[]): Buffer => Buffer.from(npmSerializer.serializeMethodResponse(value));
const foxgloveEncode = (value: readonly XmlRpcStruct[]): Buffer =>
  Buffer.from(serializeMethodResponse(value as Parameters<typeof serializeMethodResponse>[0]));

/** All read the same in a document; else they would not do the same work. */
async function requireAgreement(value: readonly XmlRpcStruct[], document: Buffer): Promise<void> {
  const ours = decodeResponse(document);
  // Ours have no prototype.
  deepStrictEqual(copyOf(ours.kind === "result" && ours.value), value);
  // The others write markup as CDATA, which no site of a Moodle Network does and ours refuses.
  for (const written of [document, npmEncode(value), foxgloveEncode(value)]) {
    deepStrictEqual(await npmDecode(written), value);
    deepStrictEqual(await foxgloveDecode(written), value);
  }
}

const copyOf = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
