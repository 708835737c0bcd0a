import { it } from "vitest";
import { inspectRecorded } from "../../../src/cli/recorded/inspect-recorded.ts";
it("x", async () => {
  for (const set of ["moodle-4.5", "moodle-4.5-register", "moodle-4.2-https", "moodle-3.11", "mahara-23.04"]) {
    const r = await inspectRecorded(new URL(`../../../fixtures/${set}`, import.meta.url).pathname);
    console.log(set, r.passed, r.failed);
    for (const e of r.exchanges) if (e.verdict !== "passed") console.log(e.verdict, e.name, "|", e.recorded, "|", e.ours, "|", e.id, e.details.join("; "));
  }
}, 60000);
