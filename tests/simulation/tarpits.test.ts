import { expect, test } from "vitest";
import { crawlBeside } from "./tarpits.ts";

test(
  "hosts that never answer take no pace from as many that do, through all services",
  { timeout: 600_000 },
  async () => {
    // As many slots for as many hosts as a fetcher has for a thousand of each kind.
    const limits = { hosts: 100, delayMs: 10_000, callsMax: 7, slowCallsMax: 200 };
    const aloneSeconds = await crawlBeside({ ...limits, tarpits: 0 });
    const besideSeconds = await crawlBeside({ ...limits, tarpits: 100 });
    expect(aloneSeconds / besideSeconds).toBeGreaterThan(0.95);
  },
);
