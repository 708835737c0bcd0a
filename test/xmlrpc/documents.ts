import { readdirSync, readFileSync } from "node:fs";
import { MnetError, type MnetErrorCode } from "../../src/core/errors.ts";
import { decode, type DecodeOptions } from "../../src/xmlrpc/decode.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";

export const EPI = '<?xml version="1.0" encoding="utf-8"?>';
export const PXR_CALL = '<?xml version="1.0" encoding="utf-8" ?>';
export const BARE = '<?xml version="1.0"?>';

export function bytes(text: string, encoding: BufferEncoding = "utf8"): Uint8Array {
  return Buffer.from(text, encoding);
}

export function text(document: Uint8Array): string {
  return Buffer.from(document).toString("utf8");
}

/** The same document in a form that is not known: with an attribute that means nothing, so that a parser reads it. */
export function unknownForm(document: Uint8Array): Uint8Array {
  return bytes(text(document).replace(/<(methodCall|methodResponse)>/, '<$1 xmlns="urn:x">'));
}

/** A response around the inside of a `<value>`. */
export function response(inside: string, declaration = BARE): string {
  return `${declaration}<methodResponse><params><param><value>${inside}</value></param></params></methodResponse>`;
}

/** What the inside of a `<value>` means. */
export function valueOf(inside: string, declaration = BARE, options?: DecodeOptions): XmlRpcValue {
  const document = decode(bytes(response(inside, declaration)), options);
  if (document.kind !== "result") throw new Error(`expected a result, got a ${document.kind}`);
  return document.value;
}

/** The code of the error that the function throws; anything but an error of the library goes through. */
export function codeOf(action: () => unknown): MnetErrorCode | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (!MnetError.is(error)) throw error;
    return error.code;
  }
}

/** The inputs with which the action does anything else than fail with the code. Expect none. */
export function otherOutcomes(
  code: MnetErrorCode,
  inputs: readonly string[],
  action: (input: string) => unknown,
): readonly string[] {
  return inputs.filter((input) => codeOf(() => action(input)) !== code);
}

const FIXTURES = new URL("../../fixtures/", import.meta.url);
export const RECORDED_FOLDERS = [
  "mahara-23.04",
  "moodle-3.11",
  "moodle-4.2-https",
  "moodle-4.5",
  "moodle-4.5-register",
];

/** A document that a real site has sent. */
export interface Recorded {
  readonly name: string;
  readonly folder: string;
  readonly document: Uint8Array;
}

export function recordedIn(folder: string): Recorded[] {
  const files = readdirSync(new URL(`${folder}/`, FIXTURES)).filter((file) => file !== "keys.json");
  return files.flatMap((file) => {
    const exchange = JSON.parse(readFileSync(new URL(`${folder}/${file}`, FIXTURES), "utf8")) as Record<
      "request" | "response",
      { readonly xmlrpcBase64?: string | null } | null
    >;
    return (["request", "response"] as const).flatMap((side) => {
      const base64 = exchange[side]?.xmlrpcBase64;
      if (!base64) return [];
      return [{ name: `${folder}/${file} ${side}`, folder, document: Buffer.from(base64, "base64") }];
    });
  });
}
