import { readFileSync } from "node:fs";
import { defineConfig } from "tsdown";

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, { default: string }> };

/** One entry for each subpath of package.json, and one for each file that is started rather than imported. */
const entry = Object.fromEntries(
  [
    ...Object.values(manifest.exports).map((target) => target.default),
    "./dist/cli/main.js",
    "./dist/crypto/crypto-worker.js",
    "./dist/envelope/envelope-worker.js",
  ].map((target) => {
    const name = target.slice("./dist/".length, -".js".length);
    return [name, `src/${name}.ts`];
  }),
);

export default defineConfig({
  entry,
  format: "esm",
  platform: "node",
  target: "node20.19",
  fixedExtension: false, // .js and .d.ts
  unbundle: true, // dist has the folders of src: stack traces name files that a reader knows
  sourcemap: true,
  inputOptions: { checks: { pluginTimings: false } }, // making declarations takes most of the time; that is no news
  dts: { tsconfig: "tsconfig.build.json", sourcemap: false }, // the sources are not published; the .js.map hold them
  tsconfig: "tsconfig.build.json",
});
