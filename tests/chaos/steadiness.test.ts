import { describe, expect, test } from "vitest";
import { assert, double, integer, property } from "fast-check";
import { levelSlope, longestPause, metricValue, percentile, type Reading } from "./steadiness.ts";

const hourMs = 3_600_000;

/** Two hours, one reading in five seconds: a level that rises, under a sawtooth of the garbage collector. */
function sawtooth(mbPerHour: number, toothMb: number, periodMs: number): readonly Reading[] {
  return Array.from({ length: 1440 }, (_, index) => {
    const atMs = 1_700_000_000_000 + index * 5000;
    const hours = (index * 5000) / hourMs;
    return { atMs, mb: 80 + mbPerHour * hours + (toothMb * ((index * 5000) % periodMs)) / periodMs };
  });
}

describe("the slope of memory", () => {
  test("is that of what is held, whatever the collector does above it", () => {
    assert(
      property(
        double({ min: -5, max: 20, noNaN: true }),
        double({ min: 0, max: 40, noNaN: true }),
        integer({ min: 6_000, max: 120_000 }),
        (mbPerHour, toothMb, periodMs) => {
          const slope = levelSlope(sawtooth(mbPerHour, toothMb, periodMs), 24);
          // A window has at least two teeth; the last may be cut.
          const blur = (toothMb * 5000) / periodMs + Math.abs(mbPerHour) * 0.1;
          expect(Math.abs((slope?.mbPerHour ?? Number.NaN) - mbPerHour)).toBeLessThanOrEqual(blur + 0.01);
        },
      ),
    );
  });

  test("tells a leak of one megabyte an hour from none", () => {
    expect(levelSlope(sawtooth(0, 20, 60_000), 24)?.mbPerHour).toBeCloseTo(0, 1);
    expect(levelSlope(sawtooth(1.5, 20, 60_000), 24)?.mbPerHour).toBeGreaterThan(1);
  });

  test("does not depend on when within a window the collector let memory fall", () => {
    const seldomLow = sawtooth(0, 0, 60_000).map((each, index) => ({
      ...each,
      // One reading in sixty, later and later, and the deeper the sooner after the fall it was made.
      mb: each.mb - (index % 60 === 0 ? 20 + ((index * 7) % 13) : 0),
    }));
    expect(levelSlope(seldomLow, 24)).toEqual({ mbPerHour: 0, errorMbPerHour: 0 });
  });

  test("comes with how much of it may be chance", () => {
    expect(levelSlope(sawtooth(2, 0, 60_000), 24)?.errorMbPerHour).toBeLessThan(0.01);
    const noisy = sawtooth(2, 0, 60_000).map((each, index) => ({
      ...each,
      mb: each.mb + ((index / 60) % 3),
    }));
    expect(levelSlope(noisy, 24)?.errorMbPerHour).toBeGreaterThan(0.1);
  });

  test("is unknown where there are too few readings for a line", () => {
    expect(levelSlope([], 10)).toBeNull();
    expect(levelSlope([{ atMs: 1, mb: 5 }], 10)).toBeNull();
    expect(levelSlope(sawtooth(1, 0, 60_000), 2)).toBeNull();
  });
});

describe("the longest pause", () => {
  test("is looked for only where there was work", () => {
    const progress = [1_000, 2_000, 40_000, 41_000];
    const spans = [
      { fromMs: 0, toMs: 3_000 },
      { fromMs: 39_000, toMs: 44_500 },
    ];
    expect(longestPause(progress, spans)).toBe(3_500);
  });

  test("counts the time before the first progress and all of a span without any", () => {
    expect(longestPause([9_000], [{ fromMs: 0, toMs: 10_000 }])).toBe(9_000);
    expect(longestPause([], [{ fromMs: 5, toMs: 10 }])).toBe(5);
    expect(longestPause([1, 2], [])).toBe(0);
  });
});

test("a percentile is the value at its nearest rank", () => {
  const numbers = Array.from({ length: 20 }, (_, index) => 20 - index);
  expect(percentile(numbers, 0.95)).toBe(19);
  expect(percentile(numbers, 0.5)).toBe(10);
  expect(percentile([7], 0.95)).toBe(7);
  expect(percentile([], 0.95)).toBeNaN();
});

test("a metric is read by its name and a label", () => {
  const text = [
    "# HELP sluice_loop_seconds x",
    'sluice_loop_seconds{quantile="0.5"} 0.001',
    'sluice_loop_seconds{quantile="0.99",service="a"} 0.042 1700000000',
    'sluice_loop_seconds_more{quantile="0.99"} 9',
  ].join("\n");
  expect(metricValue(text, "sluice_loop_seconds", 'quantile="0.99"')).toBe(0.042);
  expect(metricValue(text, "sluice_loop_seconds", 'quantile="1"')).toBeNull();
});
