import { basename, resolve } from "node:path";
import ts from "typescript";

/**
 * What the compiler says of programs that are in no file, with the project's own options; `mnet` is the source.
 *
 * @param programs by where they would be, such as `examples/program.ts`.
 */
export function problemsOf(programs: ReadonlyMap<string, string>): readonly string[] {
  const { config } = ts.readConfigFile("tsconfig.json", (file) => ts.sys.readFile(file));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, resolve("."));
  const files = new Map([...programs].map(([file, program]) => [resolve(file), program]));
  const host = ts.createCompilerHost(options);
  const original = { ...host };
  host.fileExists = (file) => files.has(resolve(file)) || original.fileExists(file);
  host.readFile = (file) => files.get(resolve(file)) ?? original.readFile(file);
  host.getSourceFile = (file, version, ...rest) => {
    const text = files.get(resolve(file));
    return text === undefined
      ? original.getSourceFile(file, version, ...rest)
      : ts.createSourceFile(file, text, version);
  };
  const program = ts.createProgram([...files.keys()], { ...options, noUnusedLocals: false }, host);
  return [...files.keys()].flatMap((file) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `${basename(file)}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
  });
}

/** The TypeScript of a page, block by block. */
export const programsIn = (page: string): readonly string[] =>
  [...page.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, program]) => program ?? "");
