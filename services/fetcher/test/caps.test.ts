import { jobSchema, policySchema, topics } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { MinuteCount } from "../src/core/minute-count.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { pageAnswer, permitOf, robotsAnswer } from "./answers.ts";

const startMs = 1_000_000_000_000;

test("of 1,200 a minute 960 are used: never more in any minute, and no fewer while there is work; robots.txt counts", () => {
  const policy = policySchema.parse({ delayMs: 0, concurrency: 8, requestsPerMinuteMax: 1200 });
  const driver = new StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>({
    step: fetcherStep(),
    nowMs: startMs,
    tables: {
      [topics.jobs.name]: [["j", jobSchema.parse({ id: "j", politeness: { delayMs: 0 } })]],
      [topics.policies.name]: [["a.example", policy]],
    },
  });
  const startsMs: number[] = [];
  const waits: FetchCall["wait"][] = [];
  const seen = new Set<string>();
  let fed = 0;
  while (driver.nowMs < startMs + 180_000) {
    // Permits never run short, and ask for no wait by themselves: what holds is the fetcher's own word.
    for (; fed < startsMs.length + 20; fed += 1) {
      const permit = permitOf(`https://a.example/${fed}`, driver.nowMs, { job: "j" });
      driver.feed(topics.permits.name, "a.example", { ...permit, delayMs: 0, concurrency: 8 });
    }
    for (const { callId, request } of driver.calls.values()) {
      if (!seen.has(callId)) {
        seen.add(callId);
        startsMs.push(driver.nowMs);
        waits.push(request.wait);
      }
      const { nowMs } = driver;
      driver.settle(
        callId,
        request.kind === "robots" ? robotsAnswer(nowMs, "404", [], {}) : pageAnswer(nowMs, "200", {}),
      );
    }
    const wakeMs = driver.nextWakeMs() ?? driver.nowMs + 1;
    driver.advance(Math.max(0, wakeMs - driver.nowMs));
  }
  let first = 0;
  let most = 0;
  for (const [index, atMs] of startsMs.entries()) {
    while ((startsMs[first] ?? 0) <= atMs - 60_000) first += 1;
    most = Math.max(most, index - first + 1);
  }
  expect(most).toBe(960);
  expect(waits.at(-1)).toMatchObject({ waitSource: "cap", waitMs: 62.5, perMinuteMax: 960, concurrency: 8 });
  // Counted to the second, so a part of a second more than the minute may be in it.
  expect(waits.at(-1)?.perMinute).toBeGreaterThan(940);
  expect(waits.at(-1)?.perMinute).toBeLessThanOrEqual(960);
});

test("a count of the last minute forgets what is older, also after a long pause", () => {
  const count = new MinuteCount();
  expect(count.count(5000)).toBe(0);
  for (let second = 0; second < 90; second += 1) count.add(second * 1000);
  expect(count.count(89_000)).toBe(60);
  expect(count.count(119_000)).toBe(30);
  expect(count.count(1_000_000)).toBe(0);
  count.add(1_000_000);
  expect(count.count(1_000_500)).toBe(1);
});
