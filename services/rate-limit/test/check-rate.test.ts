import { jobSchema, topics } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkRate, takeTokens } from "../src/core/check-rate.ts";
import type { Domain, RateLimitState } from "../src/core/domains.ts";
import { newPace, type Politeness } from "../src/core/pace.ts";
import { defaultPaceOptions as options } from "../src/options.ts";
import { rateLimitStep, type RateLimitRecord } from "../src/step.ts";
import { dueOf } from "./records.ts";

const domainOf = (out = 0): Domain => ({
  name: "a.example",
  pace: newPace(),
  waiting: new Map(),
  out: new Map(Array.from({ length: out }, (_, index) => [String(index), 0])),
  lives: new Map(),
  told: "",
});
const politeness = (fields: Partial<Politeness>): Politeness => ({
  delayMs: 0,
  concurrencyPerHost: 1,
  delayMaxMs: 60_000,
  intervalMs: 0,
  ...fields,
});

describe("asking for the rate of a domain", () => {
  test("grants as many at once as are asked for and free, and says what each waits for", () => {
    const wide = politeness({ concurrencyPerHost: 10, intervalMs: 100 });
    expect(checkRate(domainOf(), 4, wide, 1000, options)).toMatchObject({ granted: 4, intervalMs: 100 });
    expect(checkRate(domainOf(7), 4, wide, 1000, options)).toMatchObject({ granted: 3, refusal: null });
    expect(checkRate(domainOf(10), 4, wide, 1000, options)).toMatchObject({ granted: 0, refusal: "out" });
    const domain = domainOf();
    takeTokens(domain, 20, 1000, wide);
    expect(checkRate(domain, 1, wide, 1000, options)).toEqual({
      granted: 0,
      startAtMs: 3000,
      intervalMs: 100,
      source: "cap",
      refusal: "early",
    });
  });

  test("never gives more tokens for any minute than the cap has, whatever is asked for and when", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.array(fc.record({ afterMs: fc.nat(20_000), batch: fc.integer({ min: 1, max: 50 }) }), {
          maxLength: 60,
        }),
        (perMinute, asks) => {
          const domain = domainOf();
          const paced = politeness({ concurrencyPerHost: 64, intervalMs: 60_000 / perMinute });
          const startsMs: number[] = [];
          let nowMs = 1_000_000;
          for (const { afterMs, batch } of asks) {
            nowMs += afterMs;
            const { granted, startAtMs, intervalMs } = checkRate(domain, batch, paced, nowMs, options);
            const fromMs = Math.max(startAtMs, nowMs);
            for (let index = 0; index < granted; index += 1) startsMs.push(fromMs + index * intervalMs);
            takeTokens(domain, granted, fromMs, paced);
          }
          for (const [index, startMs] of startsMs.entries()) {
            const before = startsMs[index - perMinute];
            if (before !== undefined) expect(startMs - before).toBeGreaterThanOrEqual(60_000 - 0.001);
          }
        },
      ),
    );
  });
});

test.each([
  [{}, 1],
  [{ concurrencyPerHost: 3 }, 3],
])(
  "a host of which nothing is known is asked once at a time, or as often as its job says",
  (politeness, most) => {
    const job = jobSchema.parse({ id: "default", politeness });
    const driver: StepDriver<RateLimitState, RateLimitRecord> = new StepDriver({
      step: rateLimitStep(),
      tables: { [topics.jobs.name]: [["default", job]] },
    });
    for (let n = 0; n < 10; n += 1)
      driver.feed(topics.due.name, "a.example", dueOf("a.example", `r${n}`, driver.nowMs));
    driver.advance(60_000);
    expect(driver.sent(topics.permits.name)).toHaveLength(most);
  },
);
