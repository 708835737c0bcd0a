// What the package keeps behind its client and server; its published types have only these two.
declare module "xmlrpc/lib/serializer.js" {
  const serializer: { serializeMethodResponse(value: unknown): string };
  export default serializer;
}
declare module "xmlrpc/lib/deserializer.js" {
  import type { Readable } from "node:stream";
  export default class Deserializer {
    deserializeMethodResponse(stream: Readable, callback: (error: Error | null, value: unknown) => void): void;
  }
}
