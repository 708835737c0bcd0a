import { expect, it } from "vitest";
import * as xmlrpc from "../../src/xmlrpc.ts";

it("mnet/xmlrpc exports what its page lists", () => {
  expect(Object.keys(xmlrpc).sort()).toEqual([
    "MnetError",
    "XmlRpcDateTime",
    "XmlRpcDouble",
    "XmlRpcError",
    "decode",
    "encodeCall",
    "encodeFault",
    "encodeResult",
  ]);
});
