import { defineConfig } from "vitest/config";
import config from "./vitest.config.ts";

/** The tests that have to notice a changed line in src/envelope and src/crypto; run by stryker. */
export default defineConfig({
  ...config,
  test: {
    ...config.test,
    include: ["test/{envelope,crypto,keys,xml}/**/*.test.ts"],
    reporters: [],
  },
});
