import { topics, type Permit } from "@sluice/records";
import { MemoryEntries } from "@sluice/topology";
import { StepDriver } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import { expireOut, loadState, type RateLimitState } from "../src/core/domains.ts";
import { defaultPaceOptions as options } from "../src/options.ts";
import { rateLimitStep, type RateLimitRecord } from "../src/step.ts";
import { dueOf } from "./records.ts";

const domain = "a.example";
const leaseMs = 60_000;

function driverAt(nowMs: number): StepDriver<RateLimitState, RateLimitRecord> {
  return new StepDriver({ step: rateLimitStep(), nowMs });
}

function due(driver: StepDriver<RateLimitState, RateLimitRecord>, id: string, forMs = leaseMs): void {
  const value = dueOf(domain, id, driver.nowMs, { leaseUntilMs: driver.nowMs + forMs });
  driver.feed(topics.due.name, domain, value);
}

const permits = (driver: StepDriver<RateLimitState, RateLimitRecord>): readonly string[] =>
  driver
    .takeSent()
    .filter(({ topic }) => topic === topics.permits.name)
    .map(({ value }) => (value as Permit).releaseId);

describe("a permit whose outcome is lost", () => {
  test("holds its place until none can come any more, over restarts, and not a moment less", () => {
    const driver = driverAt(1_000_000);
    due(driver, "1");
    expect(permits(driver)).toEqual(["1"]);
    driver.advance(leaseMs + options.outcomeMaxMs - 1000);
    due(driver, "2", 2 * options.outcomeMaxMs);
    expect(permits(driver)).toEqual([]);
    driver.commit();
    driver.restart();
    driver.advance(900);
    expect(permits(driver)).toEqual([]);
    driver.advance(200);
    expect(permits(driver)).toEqual(["2"]);
  });

  test("keeps no domain in memory for ever that has nothing else", () => {
    const driver = driverAt(1_000_000);
    due(driver, "1");
    driver.advance(leaseMs + options.outcomeMaxMs + 1000);
    expect(driver.state.domains.get(domain)?.out.size ?? 0).toBe(0);
    driver.advance(options.forgetAfterMs);
    expect(driver.state.domains.size).toBe(0);
    expect(driver.entries.size).toBe(0);
  });

  test("counts as if it had just gone out where an older version has written it", () => {
    const entries = new MemoryEntries<unknown>();
    entries.map.set(`d|${domain}`, { pace: {}, out: ["1"], told: "" });
    const state = loadState(entries);
    const found = state.domain(domain);
    expireOut(found, 1000, 5000);
    expireOut(found, 4000, 9000);
    expect([...found.out]).toEqual([["1", 5000]]);
    expireOut(found, 5001, 9000);
    expect(found.out.size).toBe(0);
  });
});
