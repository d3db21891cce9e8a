import { jobSchema, topics } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import { defaultFrontierOptions } from "../src/options.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";
import type { FrontierState } from "../src/core/state.ts";
import { linksTo } from "./records.ts";

const { lateJobMs, unknownJobMs } = defaultFrontierOptions;
const job = jobSchema.parse({ id: "j" });
const url = "https://a.example/";
type Driver = StepDriver<FrontierState, FrontierRecord>;
const start = (): Driver => new StepDriver({ step: frontierStep(), tables: { [topics.jobs.name]: [] } });
const feedLink = (driver: Driver): void =>
  void driver.feed(topics.links.name, "a.example", linksTo("j", [url]).link);

describe("links that another task announced for a job that this one has not read of", () => {
  test("wait for it far longer than seeds from outside, for without them the job never ends", () => {
    const driver = start();
    feedLink(driver);
    driver.feed(topics.seeds.name, "", { url, job: "j" });
    driver.advance(unknownJobMs);
    expect(driver.rejected.map(({ reason }) => reason)).toEqual(["job: no job j"]);
    driver.advance(lateJobMs - unknownJobMs - 1);
    driver.table(topics.jobs.name, "j", job);
    expect(driver.unfinished).toEqual([]);
    expect(driver.rejected).toHaveLength(1);
    expect(driver.state.views.get("j")?.tally).toMatchObject({ received: 1, admitted: 1 });
  });

  test("are dead letters at last", () => {
    const driver = start();
    feedLink(driver);
    driver.advance(lateJobMs);
    expect(driver.unfinished).toEqual([]);
    expect(driver.rejected.map(({ reason }) => reason)).toEqual(["job: no run 1 of j"]);
  });

  test("don't hold up the topic for long where the task has seen the job go", () => {
    const driver = start();
    driver.table(topics.jobs.name, "j", job);
    feedLink(driver);
    driver.table(topics.jobs.name, "j", undefined);
    feedLink(driver);
    driver.advance(unknownJobMs);
    expect(driver.unfinished).toEqual([]);
    expect(driver.rejected.map(({ reason }) => reason)).toEqual(["job: no run 1 of j"]);
  });

  test("wait as long again for a job that is back under the id of one that went", () => {
    const driver = start();
    driver.table(topics.jobs.name, "j", job);
    feedLink(driver);
    driver.table(topics.jobs.name, "j", undefined);
    driver.table(topics.jobs.name, "j", { ...job, run: 2 });
    driver.feed(topics.links.name, "a.example", { ...linksTo("j", [url]).link, run: 3 });
    driver.advance(lateJobMs - 1);
    driver.table(topics.jobs.name, "j", { ...job, run: 3 });
    expect([driver.unfinished, driver.rejected]).toEqual([[], []]);
  });
});
