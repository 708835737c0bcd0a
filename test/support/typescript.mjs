// `node --import ./test/support/typescript.mjs program.ts` runs TypeScript on a Node that has none, in its threads as well.
import { register } from "node:module";

if (!process.features.typescript) register("./typescript-hooks.mjs", import.meta.url);
