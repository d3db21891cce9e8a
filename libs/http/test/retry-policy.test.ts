import * as fc from "fast-check";
import { fetchFailures, type FetchCategory, type FetchFailure } from "@sluice/records";
import { expect, test } from "vitest";
import { categoryOf, retryDelayMs, retryRuleOf, retryRules, shouldRetry } from "../src/index.ts";
import { failure, statusAnswer } from "./answers.ts";

test("names every outcome", () => {
  const of = (status: number): FetchCategory => categoryOf(statusAnswer(status));
  expect([200, 204, 206].map(of)).toEqual(["ok", "ok", "ok"]);
  expect([301, 304, 308].map(of)).toEqual(["redirect", "redirect", "redirect"]);
  expect([400, 404, 429, 451].map(of)).toEqual(["http_4xx", "http_4xx", "http_429", "http_4xx"]);
  expect([500, 503, 599, 700].map(of)).toEqual(["http_5xx", "http_5xx", "http_5xx", "http_5xx"]);
  for (const category of fetchFailures) expect(categoryOf(failure(category))).toBe(category);
});

test("tries again exactly the statuses that may differ next time", () => {
  const retried = Array.from({ length: 500 }, (_, n) => n + 100).filter(
    (status) => retryRuleOf(statusAnswer(status)).retry,
  );
  expect(retried).toEqual([408, 425, 429, 500, 502, 503, 504]);
});

test("tries again what a network may do better, not what would come out the same", () => {
  const attempts = (category: FetchFailure): number =>
    [1, 2, 3, 4].find((attempt) => !shouldRetry(failure(category), attempt)) ?? 5;
  expect(Object.fromEntries(fetchFailures.map((category) => [category, attempts(category)]))).toEqual({
    dns: 3,
    connect: 3,
    tls: 2,
    timeout_connect: 3,
    timeout_headers: 3,
    timeout_body: 3,
    timeout_total: 2,
    reset: 3,
    protocol: 2,
    too_large: 1,
    decode: 1,
    address_refused: 1,
    cancelled: 1,
    unknown: 2,
  });
  expect(shouldRetry(statusAnswer(503), 5, 6)).toBe(true);
  expect(shouldRetry(statusAnswer(503), 1, 1)).toBe(false);
});

const retriedCategories = (Object.keys(retryRules) as FetchCategory[]).filter(
  (name) => retryRules[name].retry,
);

test("waits between half and all of a doubling delay, never above its limit, the same each time it is asked", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...retriedCategories),
      fc.integer({ min: 1, max: 2_000 }),
      fc.string(),
      (name, attempt, seed) => {
        const { baseDelayMs, delayMaxMs } = retryRules[name];
        const fullMs = Math.min(delayMaxMs, baseDelayMs * 2 ** (attempt - 1));
        const delayMs = retryDelayMs(name, attempt, seed);
        expect(delayMs).toBeGreaterThanOrEqual(Math.floor(fullMs / 2));
        expect(delayMs).toBeLessThanOrEqual(fullMs);
        expect(retryDelayMs(name, attempt, seed)).toBe(delayMs);
      },
    ),
  );
});

test("spreads the URLs of one host evenly over the delay", () => {
  const tenths = Array.from({ length: 10 }, () => 0);
  for (let url = 0; url < 10_000; url += 1) {
    const share = retryDelayMs("connect", 1, `https://a.test/${url}`) / retryRules.connect.baseDelayMs;
    const tenth = Math.min(9, Math.floor((share - 0.5) * 20));
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(150);
});
