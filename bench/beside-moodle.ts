/**
 * How fast is a Moodle on this machine, asked the same as this library?
 *
 *     npm run bench:beside-moodle -- --moodle http://moodle.test --wwwroot http://library.test:8200 --port 8200 \
 *       --join "COMMAND" --processes "php-fpm: pool www" --software "Moodle 4.5"
 *
 * A server of this library is started as `--wwwroot` on 127.0.0.1:`--port`; then `--join` is run, a shell command that
 * makes the Moodle add it as a peer (or the Moodle has it, and its key, already). The same load generator then calls both
 * over `--connections` (4), in turns: `--method` (`system/listServices`), signed and encrypted, each envelope sealed
 * beforehand. The Moodle's CPU is that of the processes whose command lines match the regular expression `--processes`;
 * whether its database is among them is your choice. `--json FILE` writes what `npm run bench:charts` reads.
 */
import { runCompiled } from "./support/compiled.ts";

process.exitCode = await runCompiled("beside-moodle", process.argv.slice(2));
