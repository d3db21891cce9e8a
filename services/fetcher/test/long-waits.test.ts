import { outcomeSchema, topics, type Outcome, type Permit } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { defaultFetcherOptions } from "../src/options.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { jobOf, pageAnswer, permitOf, robotsAnswer } from "./answers.ts";

class Fetcher {
  readonly driver: StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome> = new StepDriver({
    step: fetcherStep(),
    tables: { [topics.jobs.name]: [["j", jobOf("j", { attempts: "2" })]] },
  });

  permit(attempt: number, delayMs: number): void {
    const value: Permit = {
      ...permitOf("https://d.example/", this.driver.nowMs, {
        job: "j",
        attempt: String(attempt),
        lease: "1000000",
      }),
      delayMs,
    };
    this.driver.feed(topics.permits.name, "d.example", value);
  }

  robots(status: string, fields: Readonly<Record<string, string>> = {}): void {
    this.driver.settle(
      [...this.driver.calls.keys()][0] ?? "",
      robotsAnswer(this.driver.nowMs, status, [], fields),
    );
  }

  page(status: string): void {
    this.driver.settle([...this.driver.calls.keys()][0] ?? "", pageAnswer(this.driver.nowMs, status, {}));
  }

  job(desired: string): void {
    this.driver.table(topics.jobs.name, "j", jobOf("j", { attempts: "2", desired }));
  }

  get asked(): readonly string[] {
    return [...this.driver.calls.values()].map(({ request }) => request.kind);
  }

  get outcomes(): readonly Outcome[] {
    return this.driver.sent(topics.outcomes.name).map((value) => outcomeSchema.parse(value));
  }
}

test("a robots.txt that asks for a long wait each time costs a URL its tries, so that its job ends", () => {
  const fetcher = new Fetcher();
  fetcher.permit(1, 0);
  fetcher.robots("503", { retryAfter: "600" });
  const untilMs = fetcher.driver.nowMs + 600_000;
  expect(fetcher.outcomes).toMatchObject([
    { kind: "retry", category: "http_5xx", dueAtMs: untilMs, requests: 1 },
  ]);
  fetcher.driver.advance(600_000);
  fetcher.permit(2, 0);
  fetcher.robots("503", { retryAfter: "600" });
  expect(fetcher.outcomes[1]).toMatchObject({ kind: "refused", category: "robots_unreachable" });
  fetcher.driver.end();
});

test("robots.txt is not asked for again and again where the delay is longer than it holds", () => {
  const fetcher = new Fetcher();
  const delayMs = defaultFetcherOptions.robotsTtlMs;
  fetcher.permit(1, delayMs);
  fetcher.driver.advance(delayMs);
  expect(fetcher.asked).toEqual(["robots"]);
  fetcher.robots("404");
  fetcher.driver.advance(delayMs);
  expect(fetcher.asked).toEqual(["page"]);
});

test("robots.txt is asked for again where nobody has asked the host for anything in the meantime", () => {
  const fetcher = new Fetcher();
  fetcher.permit(1, 1000);
  fetcher.driver.advance(1000);
  fetcher.robots("200");
  fetcher.driver.advance(1000);
  fetcher.page("reset");
  fetcher.driver.advance(defaultFetcherOptions.robotsTtlMs);
  fetcher.permit(2, 1000);
  expect(fetcher.asked).toEqual(["robots"]);
  fetcher.robots("200");
  fetcher.job("paused");
  fetcher.driver.advance(defaultFetcherOptions.robotsTtlMs + 1000);
  fetcher.job("running");
  fetcher.permit(2, 1000);
  expect(fetcher.asked).toEqual(["robots"]);
});
