import { EnvelopeError } from "../core/errors.ts";
import { readPlaintext } from "./encrypted-message.ts";
import { readEnvelope } from "./open.ts";
import { writeEnvelope } from "./seal.ts";

// What envelope-thread.ts and envelope-worker.ts say to each other.

/** What the thread can do, by name. */
export const FUNCTIONS = { readEnvelope, readPlaintext, writeEnvelope } as const;

/** A function, and its packed arguments. */
export interface FunctionCall {
  readonly name: keyof typeof FUNCTIONS;
  readonly args: unknown;
}

/** What the function gave or threw. */
export type Outcome = { readonly result: unknown } | { readonly thrown: unknown };

/** Smaller ones may stand in Node's pool of buffers, and a part of it would take the whole pool along. */
const OWN_MEMORY = 64 * 1024;

/** A value that can be sent, and the memory that goes along with it rather than being copied on the way. */
export interface Packed {
  readonly value: unknown;
  readonly memory: readonly ArrayBuffer[];
}

/** Packs a value. Of what is large in it, the memory is given away or stays, and a copy goes along. */
export function pack(value: unknown, what: "memory" | "copy"): Packed {
  const memory = new Set<ArrayBuffer>();
  const packed = mapObjects(value, (object) => {
    if (object instanceof EnvelopeError) return { envelopeError: object.code, message: object.message };
    if (!(object instanceof Uint8Array)) return undefined;
    const isLarge = object.length >= OWN_MEMORY;
    const bytes = isLarge && what === "memory" ? object : new Uint8Array(object);
    if (isLarge) memory.add(bytes.buffer as ArrayBuffer);
    return bytes;
  });
  return { value: packed, memory: [...memory] };
}

/** What has been packed: buffers and errors are again of the classes that do not survive the way. */
export function unpack(packed: unknown): unknown {
  return mapObjects(packed, (object) => {
    if (object instanceof Uint8Array) return Buffer.from(object.buffer, object.byteOffset, object.byteLength);
    return isPackedError(object) ? new EnvelopeError(object.envelopeError, object.message) : undefined;
  });
}

const isPackedError = (
  object: object,
): object is { readonly envelopeError: EnvelopeError["code"]; readonly message: string } => "envelopeError" in object;

/** The value with some of the objects in it replaced, however deep they are. */
function mapObjects(value: unknown, replacementOf: (object: object) => object | undefined): unknown {
  if (typeof value !== "object" || value === null) return value;
  const replacement = replacementOf(value);
  if (replacement) return replacement;
  if (Array.isArray(value)) return value.map((part: unknown) => mapObjects(part, replacementOf));
  if (value instanceof Error) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, mapObjects(part, replacementOf)]));
}
