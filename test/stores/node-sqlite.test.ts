import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore } from "../../src/stores/open-store.ts";
import { hasNodeSqlite } from "../support/node-sqlite.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mnet-node-sqlite-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

if (!hasNodeSqlite) {
  describe("a runtime without node:sqlite", () => {
    test("says so, and makes no file", async () => {
      const store = openStore(`node-sqlite:${join(directory, "mnet.db")}`);
      await expect(store.open()).rejects.toMatchObject({ code: "MNET_STORE_DRIVER_MISSING", retryable: false });
      expect(readdirSync(directory)).toEqual([]);
    });
  });
} else {
  describe("a runtime with node:sqlite", () => {
    test("makes a file for its owner only", async () => {
      const file = join(directory, "mnet.db");
      const store = openStore(`node-sqlite:${file}`);
      await store.open();
      expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
      await store.close();
    });

    test("refuses a file that the other driver has opened in this process, as does the other", async () => {
      for (const [first, second] of [
        ["sqlite", "node-sqlite"],
        ["node-sqlite", "sqlite"],
      ] as const) {
        const file = join(directory, `${first}.db`);
        const store = openStore(`${first}:${file}`);
        await store.open();
        symlinkSync(file, `${file}.link`);
        const other = openStore(`${second}:${file}.link`);
        await expect(other.open()).rejects.toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: false });
        await store.close();
        await expect(other.open()).rejects.toMatchObject({ code: "MNET_STORE_UNAVAILABLE" });
      }
    });
  });
}
