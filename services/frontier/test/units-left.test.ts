/** What becomes of units that nothing could use any more: kept, they would be missing elsewhere for ever. */
import { topics } from "@sluice/records";
import { describe, expect, test } from "vitest";
import { BudgetBench } from "./budget-bench.ts";
import { JobBench } from "./job-bench.ts";

/** The only release that the task may have out is taken by a page of another domain. */
function fullTask(limits: object): BudgetBench {
  const bench = new BudgetBench(limits, { releasedMax: 1 });
  bench.find("https://other.example/");
  bench.grant("pages", "other.example", 1);
  expect(bench.released).toEqual(["https://other.example/"]);
  return bench;
}

const blocks = [{ reason: "no" }, { reason: "no", forget: true }];

describe("units of a budget", () => {
  test("that a woken URL can't use go to the next one that is held", () => {
    const perPath = [
      { prefix: "/a/", pagesMax: 2 },
      { prefix: "/a/b/", pagesMax: 1 },
    ];
    const bench = new JobBench({ politeness: { delayMs: 0 }, limits: { perPath } });
    bench.urls("https://a.example/a/b/1", "https://a.example/a/x");
    bench.urls("https://a.example/a/b/2", "https://a.example/a/y");
    expect(bench.out.map(({ url }) => url)).toEqual(["https://a.example/a/b/1", "https://a.example/a/x"]);
    bench.answer({ ok: true });
    // Its unit wakes /a/b/2, which is given up: there is nothing left for what is below /a/b/.
    bench.answer({ kind: "refused", category: "robots" });
    expect(bench.out.map(({ url }) => url)).toEqual(["https://a.example/a/y"]);
  });

  test.each(blocks)(
    "that URLs of a host have no use for once it is blocked go to other tasks: %j",
    (blocked) => {
      const bench = fullTask({ perDomain: { pagesMax: 5 } });
      bench.find("https://h1.d.example/1", "https://h1.d.example/2");
      bench.grant("pages", "d.example", 2, { recall: true });
      expect(bench.wants("pages", "d.example")?.returned ?? 0).toBe(0);
      bench.policy("h1.d.example", { blocked });
      bench.answer({ ok: true });
      expect(bench.waiting).toBe(0);
      expect(bench.wants("pages", "d.example")).toMatchObject({ returned: 2 });
    },
  );

  test("are not asked for by a gate behind which nothing is left", () => {
    const bench = new BudgetBench({ perDomain: { pagesMax: 5 } });
    bench.find("https://h1.d.example/");
    expect(bench.wants("pages", "d.example")).toMatchObject({ wanted: 1 });
    bench.policy("h1.d.example", { blocked: { reason: "no", forget: true } });
    expect(bench.waiting).toBe(0);
    for (const granted of [1, 2, 3]) bench.grant("pages", "d.example", granted, { recall: true });
    expect(bench.wants("pages", "d.example")).toMatchObject({ wanted: 1 });
  });

  test("that a host can't use for it lacks one of hosts by a new policy go to other tasks", () => {
    const bench = fullTask({ perDomain: { pagesMax: 5 } });
    bench.find("https://h1.d.example/1", "https://h1.d.example/2");
    bench.grant("pages", "d.example", 2, { recall: true });
    expect(bench.wants("pages", "d.example")?.returned ?? 0).toBe(0);
    bench.policy(".d.example", { budgets: { perDomain: { hostsMax: 1 } } });
    bench.answer({ ok: true });
    expect(bench.released).toEqual([]);
    expect(bench.wants("hosts", "d.example")).toMatchObject({ wanted: 1 });
    expect(bench.wants("pages", "d.example")).toMatchObject({ returned: 2 });
  });

  test("are waited for behind the gate of what a host lacks now: it is given up as soon as none of that is left", () => {
    const bench = new BudgetBench({ perDomain: { pagesMax: 5, hostsMax: 2 } });
    bench.find("https://h1.d.example/");
    bench.grant("hosts", "d.example", 1, { max: 2 });
    // There is a unit of hosts for one of the three; all wait for one of pages.
    bench.find("https://h2.d.example/", "https://h3.d.example/");
    expect(bench.released).toEqual([]);
    bench.grant("pages", "d.example", 1);
    expect(bench.released).toEqual(["https://h1.d.example/"]);
    expect(bench.wants("pages", "d.example")).toMatchObject({ wanted: 2 });
    bench.grant("pages", "d.example", 2, { recall: true });
    expect(bench.released).toEqual(["https://h1.d.example/"]);
    expect(bench.wants("pages", "d.example"), "what nothing can use").toMatchObject({
      wanted: 2,
      returned: 1,
    });
    bench.grant("hosts", "d.example", 1, { spent: true, max: 2 });
    expect(bench.waiting).toBe(0);
    for (const host of ["h2", "h3"]) expect(bench.driver.state.hosts.has(`${host}.d.example`)).toBe(false);
  });
});

test.each(blocks)(
  "page grants that were meant for a host go to other tasks once it is blocked: %j",
  (blocked) => {
    const bench = new BudgetBench({ maxPages: 5 });
    bench.find("https://h1.d.example/");
    expect(bench.tally).toMatchObject({ wanted: 1 });
    bench.driver.table("flow", "release", { group: "sink" });
    const word = { job: "j", run: 1, task: 0, halt: null, wave: 1 };
    bench.driver.feed(topics.grants.name, "j/0", { ...word, granted: 1, recall: true });
    bench.settle();
    expect(bench.tally).toMatchObject({ granted: 1, returned: 0 });
    bench.policy("h1.d.example", { blocked });
    bench.driver.table("flow", "release", undefined);
    bench.settle();
    expect(bench.waiting).toBe(0);
    expect(bench.tally).toMatchObject({ granted: 1, returned: 1 });
  },
);
