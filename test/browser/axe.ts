import axe from "axe-core";
import type { Page } from "playwright-core";
import { expect } from "vitest";

interface Findings {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
  readonly passes: readonly unknown[];
}

/** What axe-core finds wrong with a page: WCAG 2.2 A and AA, and its best practices. */
export async function violations(page: Page): Promise<readonly string[]> {
  // Evaluated past the page's own policy, which forbids scripts.
  await page.evaluate(axe.source);
  const found = await page.evaluate<Findings>(
    `axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })`,
  );
  expect(found.passes.length).toBeGreaterThan(10);
  return found.violations.map(({ id, help, nodes }) => `${page.url()} ${id}: ${help}: ${nodes[0]?.html ?? ""}`);
}
