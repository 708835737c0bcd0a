import { readFile } from "node:fs/promises";
import { transform } from "rolldown/utils";

/** Takes the types out. Ours is the part of TypeScript that needs no more than that. */
export async function load(url, context, next) {
  if (!url.endsWith(".ts")) return next(url, context);
  const source = await readFile(new URL(url), "utf8");
  const { code } = await transform(url, source, { lang: "ts", typescript: { onlyRemoveTypeImports: true } });
  return { format: "module", source: code, shortCircuit: true };
}
