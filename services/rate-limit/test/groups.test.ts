/** Host names that share a domain share its clock; each lives or is given up by itself. */
import { topics, type Host, type Outcome, type Permit } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { expect, test } from "vitest";
import type { RateLimitState } from "../src/core/domains.ts";
import { defaultPaceOptions as options } from "../src/options.ts";
import { rateLimitStep, type RateLimitRecord } from "../src/step.ts";
import { answeredAt, dueOf } from "./records.ts";

const domain = "site.example";

class RateLimit {
  readonly driver: StepDriver<RateLimitState, RateLimitRecord> = new StepDriver({
    step: rateLimitStep(),
    nowMs: 1_000_000,
  });
  #count = 0;

  /** What becomes of a URL of the host: its permit with the host's answer, or the refusal. */
  ask(host: string, category: string): string {
    const { driver } = this;
    this.#count += 1;
    const due = dueOf(host, `r${this.#count}`, driver.nowMs, { leaseUntilMs: driver.nowMs + 3_600_000 });
    driver.takeSent();
    driver.feed(topics.due.name, domain, due);
    const before = driver.nowMs;
    for (let tries = 0; tries < 1000; tries += 1) {
      for (const { topic, value } of driver.takeSent()) {
        if (topic === topics.outcomes.name) return (value as Outcome).category;
        if (topic !== topics.permits.name) continue;
        this.#answer(value as Permit, host, category);
        return "permit";
      }
      driver.advance(1000);
    }
    throw new Error(`nothing became of it since ${before}`);
  }

  told(): Host | undefined {
    return this.driver.sent(topics.hosts.name).at(-1) as Host | undefined;
  }

  #answer(permit: Permit, host: string, category: string): void {
    const ok = category === "ok";
    const kind = ok ? "settled" : "retry";
    const outcome = answeredAt(permit, this.driver.nowMs, { host, kind, category, ok });
    this.driver.feed(topics.outcomes.name, domain, outcome);
  }
}

test("one that fails for long is given up although others answer, which are asked as before; it is forgiven with them", () => {
  const limit = new RateLimit();
  const stepMs = options.deadAfterMs / options.deadAfterFailures;
  for (let round = 0; round <= options.deadAfterFailures; round += 1) {
    expect(limit.ask("old.site.example", "connect")).toBe("permit");
    expect(limit.ask("www.site.example", "ok")).toBe("permit");
    limit.driver.advance(stepMs);
  }
  limit.driver.commit();
  limit.driver.restartFromCommit();
  expect(limit.ask("old.site.example", "connect")).toBe("host_unreachable");
  expect(limit.ask("www.site.example", "ok")).toBe("permit");
  expect(limit.ask("old.site.example", "connect")).toBe("host_unreachable");
  // One probe a back-off, whatever the others do.
  limit.driver.advance(options.backOffMaxMs);
  expect(limit.ask("old.site.example", "connect")).toBe("permit");
  expect(limit.ask("old.site.example", "connect")).toBe("host_unreachable");
  expect(limit.driver.state.domain(domain).lives.size).toBe(1);
  limit.driver.table(topics.policies.name, domain, { forgetFailuresBeforeMs: limit.driver.nowMs });
  expect(limit.driver.state.domain(domain).lives.size).toBe(0);
  expect(limit.ask("old.site.example", "ok")).toBe("permit");
});

test("crawl.hosts names those that were given up by themselves, and no more are remembered than the limit", () => {
  const limit = new RateLimit();
  for (let round = 0; round <= options.deadAfterFailures; round += 1) {
    limit.ask("old.site.example", "connect");
    limit.ask("www.site.example", "ok");
    limit.driver.advance(options.deadAfterMs / options.deadAfterFailures);
  }
  limit.ask("www.site.example", "ok");
  expect(limit.driver.state.domain(domain).lives.has("old.site.example")).toBe(true);
  expect(limit.told()).toMatchObject({ domain, givenUp: false, givenUpHosts: ["old.site.example"] });
  for (let number = 0; number < options.failingHostsMax; number += 1) {
    limit.ask(`h${number}.site.example`, "connect");
    limit.ask("www.site.example", "ok");
  }
  const { lives } = limit.driver.state.domain(domain);
  expect(lives.size).toBe(options.failingHostsMax);
  expect(lives.has("old.site.example")).toBe(false);
});
