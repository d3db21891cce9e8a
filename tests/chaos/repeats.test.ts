import { expect, test } from "vitest";
import { repeatsOf } from "./repeats.ts";

const blow = { atMs: 1000, untilMs: 1000 };
const of = (starts: readonly number[], results: number, blows = [blow]) =>
  repeatsOf(new Map([["h/a", starts.map((startMs) => ({ startMs }))]]), new Map([["h/a", results]]), blows);

test("one request a result is none too many, of several jobs as well", () => {
  expect(of([10], 1, [])).toEqual({ made: 0, withoutCause: [] });
  expect(of([10, 20], 2, [])).toEqual({ made: 0, withoutCause: [] });
});

test("a request is made again where the one before was lost, and not where the loss came later or before", () => {
  expect(of([900, 2000], 1)).toEqual({ made: 1, withoutCause: [] });
  expect(of([100, 500], 1)).toEqual({ made: 1, withoutCause: ["h/a"] });
  expect(of([2000, 3000], 1)).toEqual({ made: 1, withoutCause: ["h/a"] });
  expect(of([900, 2000], 1, [])).toEqual({ made: 1, withoutCause: ["h/a"] });
});

test("one loss is no cause for two more requests, and none for a page without a result", () => {
  expect(of([900, 2000, 3000], 1)).toEqual({ made: 2, withoutCause: ["h/a"] });
  expect(of([900], 0)).toEqual({ made: 1, withoutCause: ["h/a"] });
});
