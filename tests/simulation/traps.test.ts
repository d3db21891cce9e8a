import { describe, expect, test } from "vitest";
import { crawlBesideTrap, traps } from "./traps.ts";

// The share is of the size of the good site: bench/traps.ts has it for one of 10,000 pages.
const wastedMax = 100;

describe("a site without end beside a good one, through all services", { timeout: 600_000 }, () => {
  test.each(Object.keys(traps))("takes no page from it and few requests: %s", async (kind) => {
    const { goodPages, goodHad, trapRequests, refusedBy, skippedBy } = await crawlBesideTrap(kind, 600);
    expect(goodHad).toBe(goodPages);
    expect(trapRequests).toBeLessThanOrEqual(wastedMax);
    const reasons = [...Object.keys(refusedBy), ...Object.keys(skippedBy)];
    for (const reason of reasons) expect(reason).toMatch(/^(trap_|too_long)/);
  });
});
