import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = fileURLToPath(new URL("src/", import.meta.url));

export default defineConfig({
  resolve: {
    // Tests that import the package by name, such as those of the examples, get the source.
    // What is published is tested in test/package.
    alias: [
      { find: /^mnet$/, replacement: `${src}index.ts` },
      { find: /^mnet\/(.+)$/, replacement: `${src}$1.ts` },
    ],
  },
  test: {
    environment: "node",
    // One for each core; the default leaves one core to whoever watches.
    maxWorkers: availableParallelism(),
    include: ["test/**/*.test.ts"],
    // They want database servers or a browser: vitest.servers.config.ts, vitest.browser.config.ts.
    exclude: ["test/servers/**", "test/browser/**"],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: ["default", "./test/support/covered-ids-reporter.ts"],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      // They run in threads, which are not looked into; the tests of those who start them are their tests.
      exclude: ["src/crypto/crypto-worker.ts", "src/envelope/envelope-worker.ts"],
      reporter: ["text-summary", "html", "json-summary"],
      reportsDirectory: "coverage",
      thresholds: {
        "src/xmlrpc/**": { lines: 95 },
        "src/envelope/**": { lines: 95 },
        "src/secure/**": { lines: 95 },
        "src/keys/**": { lines: 95 },
        "src/crypto/**": { lines: 95 },
      },
    },
  },
});
