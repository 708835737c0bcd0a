import { expect, it } from "vitest";
import { crashBulkRun } from "../support/bulk-crash.ts";

it(
  "SEC-036 a bulk run that is killed again and again ends as one that is not, and sends little twice",
  { timeout: 240_000 },
  async () => {
    const report = await crashBulkRun({ rows: 180, kills: 3, concurrency: 4 });
    expect(report.kills).toBe(3);
    expect(report.killedState).toEqual(report.cleanState);
    expect(report.killedState.length).toBeGreaterThan(100);
    expect([...report.killedOutcomes.keys()].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 180 }, (_, index) => index + 1),
    );
    expect(report.killedOutcomes).toEqual(report.cleanOutcomes);
    const results = new Set(report.cleanOutcomes.values());
    expect(results).toEqual(
      new Set(["done", "no-change", "MNET_ENROLMENT_COURSE_UNKNOWN", "MNET_ENROLMENT_PERSON_UNSUITABLE"]),
    );
    expect(report.sentAgain).toBeGreaterThanOrEqual(0);
    expect(report.sentAgain).toBeLessThanOrEqual(report.kills * report.inFlight);
  },
);
