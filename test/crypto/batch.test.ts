import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packOperations, packResults, unpackOperations, unpackResults } from "../../src/crypto/batch.ts";

const bytes = fc.uint8Array({ maxLength: 600 });
const operation = fc.record({
  kind: fc.constantFrom("decrypt" as const, "sign" as const),
  key: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  data: bytes,
});

describe("operations and results as bytes", () => {
  it("come out as they went in", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 20 }), (operations) => {
        expect(unpackOperations(packOperations(operations))).toEqual(operations);
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.option(bytes, { nil: undefined }), { maxLength: 20 }), (results) => {
        expect(unpackResults(packResults(results), results.length)).toEqual(results);
      }),
    );
  });

  it("have memory of their own, whatever their data are a part of", () => {
    const pool = Buffer.alloc(8192, 7);
    const packed = packOperations([{ kind: "sign", key: 1, data: pool.subarray(100, 120) }]);
    expect(packed.buffer.byteLength).toBe(packed.length);
    expect(packed.length).toBeLessThan(50);
    expect(packResults([pool.subarray(0, 10)]).buffer.byteLength).toBeLessThan(50);
  });

  it("tell a result without bytes from one that failed", () => {
    expect(unpackResults(packResults([new Uint8Array(), undefined]), 2)).toEqual([new Uint8Array(), undefined]);
  });
});
