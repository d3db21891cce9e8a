import { topics, type Permit } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { jobOf, pageAnswer, permitOf, robotsAnswer } from "./answers.ts";

type Driver = StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>;

/** One host with two connections and no delay, in a process that has a slot for one request. */
function busyFetcher(): Driver {
  const driver: Driver = new StepDriver({
    step: fetcherStep(),
    startCalls: false,
    tables: { [topics.jobs.name]: [["j", jobOf("j", {})]] },
  });
  for (const path of ["a", "b"]) {
    const url = `https://d.example/${path}`;
    const permit: Permit = {
      ...permitOf(url, driver.nowMs, { job: "j", in: "0", lease: "100000", attempt: "1" }),
      delayMs: 0,
      concurrency: 2,
    };
    driver.feed(topics.permits.name, "d.example", permit);
  }
  const [robots] = driver.calls.keys();
  driver.start(robots ?? "");
  driver.settle(robots ?? "", robotsAnswer(driver.nowMs, "404", [], {}));
  return driver;
}

const urls = (driver: Driver): readonly string[] =>
  [...driver.calls.values()].map(({ request }) => request.url);

test("a request that waits for a slot does not begin once its host has asked to be left alone", () => {
  const driver = busyFetcher();
  expect(urls(driver)).toEqual(["https://d.example/a", "https://d.example/b"]);
  const [first = "", second = ""] = driver.calls.keys();
  driver.start(first);
  driver.settle(first, pageAnswer(driver.nowMs, "429", { retryAfter: "5" }));
  expect(driver.calls.get(second)?.aborted).toBe(true);
  driver.start(second);
  driver.settle(second, pageAnswer(driver.nowMs, "cancelled", {}));
  expect(urls(driver)).toEqual([]);
  driver.advance(4999);
  expect(urls(driver)).toEqual([]);
  driver.advance(1);
  expect(urls(driver)).toEqual(["https://d.example/b"]);
  const [again = ""] = driver.calls.keys();
  driver.start(again);
  driver.settle(again, pageAnswer(driver.nowMs, "200", {}));
  driver.end();
  expect(driver.sent(topics.results.name)).toHaveLength(1);
});
