import { describe, expect, test } from "vitest";
import { crawlBesideTrap, traps } from "./traps.ts";

// The share follows from the size of the good site; what a trap costs does not.
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
