/** Records of a job that one task reads later, or earlier, than what other tasks tell of its next run. */
import { jobSchema, topics, type BudgetCounters, type Job } from "@sluice/records";
import { describe, expect, test } from "vitest";
import { defaultFrontierOptions } from "../src/options.ts";
import { BudgetBench } from "./budget-bench.ts";
import { JobBench } from "./job-bench.ts";

const limits = { perDomain: { pagesMax: 1 } };
const recordOf = (run: number): Job =>
  jobSchema.parse({ id: "j", run, submittedAtMs: run, open: true, scope: { kind: "any" }, limits });

/** From the owner of the job, another task. */
function tellOf(bench: BudgetBench, run: number): void {
  const word = { job: "j", run, task: 0, granted: 0, halt: null, recall: false, wave: 1 };
  bench.driver.feed(topics.grants.name, "j/0", word);
  bench.settle();
}

function tellWanted(bench: BudgetBench, run: number): void {
  const told: BudgetCounters = {
    kind: "budget",
    job: "j",
    run,
    task: 1,
    domain: "d.example",
    unit: "pages",
    max: 1,
    used: 0,
    returned: 0,
    wanted: 1,
  };
  bench.driver.feed(topics.counters.name, "j/1/d/d.example", told);
  bench.settle();
}

function record(bench: BudgetBench, run: number | null): void {
  bench.driver.table(topics.jobs.name, "j", run === null ? undefined : recordOf(run));
  bench.settle();
}

const runsOfBudgets = (bench: BudgetBench): readonly unknown[] =>
  bench.driver.state.entries.first("s|", 10).map(([, stored]) => (stored as { run: number }).run);

describe("a removal that is read after the word of the next run", () => {
  test("takes nothing of that run away", () => {
    const bench = new BudgetBench(limits);
    record(bench, 1);
    tellOf(bench, 2);
    record(bench, null);
    record(bench, 2);
    bench.driver.advance(2 * defaultFrontierOptions.orphanMs);
    bench.settle();
    expect(bench.driver.state.views.get("j")).toMatchObject({ run: 2, wave: 1 });
  });

  test("leaves what that run wants of budgets, and takes what the removed one had", () => {
    const bench = new BudgetBench(limits);
    record(bench, 1);
    tellWanted(bench, 1);
    expect(runsOfBudgets(bench)).toEqual([1]);
    tellOf(bench, 2);
    tellWanted(bench, 2);
    expect(runsOfBudgets(bench)).toEqual([2]);
    record(bench, null);
    bench.driver.advance(1000);
    expect(runsOfBudgets(bench)).toEqual([2]);
  });

  test("is no end of that run, however long its record does not come", () => {
    const bench = new BudgetBench(limits);
    record(bench, 1);
    record(bench, null);
    tellOf(bench, 2);
    tellWanted(bench, 2);
    bench.driver.commit();
    bench.driver.restartFromCommit();
    bench.driver.advance(2 * defaultFrontierOptions.orphanMs);
    expect(bench.driver.state.views.get("j")?.run).toBe(2);
    expect(runsOfBudgets(bench)).toEqual([2]);
  });
});

test("an owner whose state is ahead of the table stays the owner of its run, whatever was removed before", () => {
  const bench = new JobBench({ run: 2 });
  bench.links("a.example", 1);
  bench.driver.commit();
  bench.driver.tables[topics.jobs.name]?.set("j", recordOf(1));
  bench.driver.restartFromCommit();
  bench.driver.table(topics.jobs.name, "j", undefined);
  expect(bench.driver.state.owners.get("j")).toMatchObject({ run: 2, ended: false });
  expect(bench.driver.state.views.get("j")).toMatchObject({ run: 2 });
});

test("of a former run nothing is left of budgets, though the word of the next came before its record", () => {
  const bench = new BudgetBench(limits);
  record(bench, 1);
  tellWanted(bench, 1);
  tellOf(bench, 2);
  record(bench, 2);
  bench.driver.advance(1000);
  expect(runsOfBudgets(bench)).toEqual([]);
});

test("a late word of a former run makes the task begin the present one, and a crash finds it begun", () => {
  const bench = new BudgetBench(limits);
  bench.find("https://d.example/");
  const tables = bench.driver.tables[topics.jobs.name];
  // The change of the table is behind the word.
  tables?.set("j", recordOf(2));
  tellOf(bench, 1);
  bench.driver.commit();
  bench.driver.restartFromCommit();
  bench.settle();
  expect(bench.driver.entries.get("j|j")).toMatchObject({ run: 2 });
  expect(bench.driver.state.views.get("j")).toMatchObject({ run: 2, waiting: 0 });
});
