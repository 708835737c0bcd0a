import { defineConfig } from "vitest/config";
import shared from "./vitest.config.ts";

/** Tests on real database servers, which they start themselves: `npm run test:stores`. */
export default defineConfig({
  ...shared,
  test: {
    ...shared.test,
    include: ["test/servers/**/*.test.ts"],
    exclude: [],
    // Each file starts servers of its own.
    maxWorkers: 1,
    globalSetup: ["test/servers/global-setup.ts"],
    reporters: ["default", "./test/servers/engine-table-reporter.ts"],
    testTimeout: 60_000,
    slowTestThreshold: 10_000,
  },
});
