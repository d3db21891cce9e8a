import { describe, expect, test } from "vitest";
import { crawlBesideTrap, crawlBlogs, trapKinds } from "./traps.ts";

// The share follows from the size of the good site; what a trap costs does not: 20 requests are 1 % of 2,000 pages.
const wastedMax = 20;

describe("a site without end beside a good one, through all services", { timeout: 600_000 }, () => {
  test.each(trapKinds)("takes no page from it and few requests: %s", async (kind) => {
    const { goodPages, goodHad, trapRequests, wastedShare, refusedBy, skippedBy } = await crawlBesideTrap(
      kind,
      1200,
    );
    expect(goodHad).toBe(goodPages);
    expect(wastedShare * (goodHad + trapRequests)).toBeLessThanOrEqual(wastedMax + 0.5);
    const reasons = [...Object.keys(refusedBy), ...Object.keys(skippedBy)];
    expect(reasons.length).toBeGreaterThan(0);
    for (const reason of reasons) expect(reason).toMatch(/^(trap_|too_long)/);
  });

  test("is not what blogs on hosts of one domain are taken for, though some lead only to others", async () => {
    expect(await crawlBlogs(300)).toBe(300);
  });
});
