/**
 * Where does the time of a call go?
 *
 * `npm run bench:flame [FILE [CALLS]]` profiles complete inbound calls in memory, in one thread, and draws a flame graph:
 * `docs/performance/flame.svg` by default.
 */
import { runCompiled } from "./support/compiled.ts";

process.exitCode = await runCompiled("flame", process.argv.slice(2));
