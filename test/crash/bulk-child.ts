// A site in a process of its own that works off a file of enrolments, and tells each outcome, until it is killed.
import { createReadStream, writeSync } from "node:fs";
import { createHost } from "../../src/create-host.ts";
import { enrolment } from "../../src/services/enrolment/enrolment.ts";
import { readEnrolmentCsv } from "../../src/services/enrolment/read-enrolment-csv.ts";
import { openStore } from "../../src/stores/open-store.ts";

const [file = "", wwwroot = "", csv = "", key = "", concurrency = "", ahead = "0"] = process.argv.slice(2);
const host = await createHost({
  wwwroot,
  name: "A site",
  store: openStore(`sqlite:${file}`),
  services: [enrolment()],
  network: { allowAddresses: ["127.0.0.0/8"] },
  maintenance: "manual",
  // What a process that was killed had claimed is free when its time is over: here it is.
  clock: {
    now: () => Date.now() + Number(ahead),
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  },
});
const rows = readEnrolmentCsv(createReadStream(csv));
for await (const { row, resumed } of host.enrolment.bulk(rows, { key, concurrency: Number(concurrency) })) {
  // At once, because a process that dies says nothing that is still on its way.
  if (!resumed) writeSync(1, `${row}\n`);
}
await host.close();
writeSync(1, '"end"\n');
