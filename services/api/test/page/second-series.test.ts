import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backOffMaxMs, backOffMs } from "../../page/back-off.ts";
import {
  advance,
  count,
  emptySeries,
  hold,
  rateOf,
  seriesSeconds,
  smoothed,
  type SecondSeries,
} from "../../page/second-series.ts";

describe("figures by second", () => {
  it("counts exactly what lies in the last minute, in whatever order it comes", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200_000), { minLength: 1, maxLength: 80 }), (times) => {
        const first = times[0] ?? 0;
        // Nothing is known of the time before the first event.
        const late = times.filter((atMs) => atMs >= Math.floor(first / 1000) * 1000);
        const series = late.reduce<SecondSeries>(count, emptySeries);
        const end = Math.floor(Math.max(...late) / 1000);
        expect(series.endSecond).toBe(end);
        const kept = late.filter((atMs, index) => {
          const endThen = Math.floor(Math.max(...late.slice(0, index + 1)) / 1000);
          const second = Math.floor(atMs / 1000);
          return second > endThen - seriesSeconds && second > end - seriesSeconds;
        });
        expect(series.values.reduce((sum, value) => sum + value, 0)).toBe(kept.length);
        expect(series.values.length).toBeLessThanOrEqual(seriesSeconds);
      }),
    );
  });

  it("shows seconds in which nothing came as zero, and a depth as it last was", () => {
    expect(count(count(emptySeries, 1000), 4500).values).toEqual([1, 0, 0, 1]);
    expect(hold(hold(hold(emptySeries, 1000, 7), 1500, 8), 4000, 2).values).toEqual([8, 8, 8, 2]);
    expect(hold(hold(emptySeries, 4000, 2), 1000, 9).values).toEqual([2]);
  });

  it("gives the rate of whole seconds only, of the last ten", () => {
    expect(rateOf(emptySeries)).toBeNull();
    expect(rateOf(count(emptySeries, 1000))).toBeNull();
    const steady = Array.from({ length: 40 }, (_, index) => 1000 + index * 500);
    expect(rateOf(steady.reduce<SecondSeries>(count, emptySeries))).toBe(2);
    expect(rateOf(advance(steady.reduce<SecondSeries>(count, emptySeries), 25_000))).toBeCloseTo(1.2);
  });

  it("smooths over five seconds and no further", () => {
    expect(smoothed([5, 0, 0, 0, 0, 0, 10])).toEqual([5, 2.5, 5 / 3, 1.25, 1, 0, 2]);
  });
});

describe("the wait before the next try", () => {
  it("doubles up to its most, and half of it is chance", () => {
    expect([1, 2, 3, 4].map((failures) => backOffMs(failures, 1000, 0))).toEqual([500, 1000, 2000, 4000]);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 100, max: 60_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (failures, baseMs, random) => {
          const waitMs = backOffMs(failures, baseMs, random);
          const mostMs = Math.min(backOffMaxMs, baseMs * 2 ** (failures - 1));
          expect(waitMs).toBeGreaterThanOrEqual(Math.floor(mostMs / 2));
          expect(waitMs).toBeLessThanOrEqual(mostMs);
        },
      ),
    );
  });
});
