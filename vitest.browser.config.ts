import { defineConfig } from "vitest/config";
import config from "./vitest.config.ts";

/** The demo in a real browser: `npm run test:browser`. */
export default defineConfig({
  ...config,
  test: {
    ...config.test,
    include: ["test/browser/**/*.test.ts"],
    exclude: [],
    testTimeout: 60_000,
    // One browser at a time: a busy machine makes pages slow, and tests with it.
    fileParallelism: false,
  },
});
