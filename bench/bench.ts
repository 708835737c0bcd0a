/**
 * Is a call as fast as it is meant to be (docs/performance.md)?
 *
 * `npm run bench` measures everything and prints a table; it exits with 1 if a figure is out of its bound. Run it on a
 * machine that does nothing else.
 *
 *     npm run bench -- --quick               a few seconds for each suite
 *     npm run bench -- --only http,overload  only some suites
 *     npm run bench -- --json                one JSON document on standard output, progress on standard error
 *     npm run bench -- --json results.json   the same to a file
 *     npm run bench -- --list                what there is, with the benches that have commands of their own
 */
import { runCompiled } from "./support/compiled.ts";

process.exitCode = await runCompiled("bench", process.argv.slice(2));
