import { hostOf, policySchema, topics, type Outcome, type Policy, type PolicyBudgets } from "@sluice/records";
import { answerTo } from "@sluice/records/testing";
import { describe, expect, test } from "vitest";
import { JobBench } from "./job-bench.ts";

const fast = { politeness: { delayMs: 0 } };
const done: Partial<Outcome> = { ok: true };

const policyWith = (budgets: PolicyBudgets): Policy => policySchema.parse({ budgets });

function set(bench: JobBench, pattern: string, budgets: PolicyBudgets | null): void {
  const policy = budgets === null ? undefined : policyWith(budgets);
  bench.driver.table(topics.policies.name, pattern, policy);
  settle(bench);
}

/** Also what is done a piece a step. */
function settle(bench: JobBench): void {
  bench.settle();
  bench.driver.advance(0);
  bench.settle();
}

function answerAll(bench: JobBench): number {
  let results = 0;
  for (; bench.out.length > 0; results += 1) {
    bench.answer(done);
    settle(bench);
  }
  return results;
}

const refusals = (bench: JobBench): readonly string[] =>
  bench.events.flatMap((event) =>
    event.type === "url_failed" ? [`${hostOf(event.url)} ${event.category}: ${event.detail}`] : [],
  );

describe("a budget of a policy", () => {
  test("is a ceiling for each host of its pattern, and for no other", () => {
    const bench = new JobBench(fast);
    set(bench, ".a.example", { perHost: { pagesMax: 3 } });
    for (const host of ["a.example", "www.a.example", "b.example"]) bench.links(host, 7);
    expect(answerAll(bench)).toBe(3 + 3 + 7);
    expect(refusals(bench)).toEqual([
      ...Array.from({ length: 4 }, () => "a.example host_pages: 3 pages of a.example, by a policy"),
      ...Array.from({ length: 4 }, () => "www.a.example host_pages: 3 pages of www.a.example, by a policy"),
    ]);
    expect(bench.status).toMatchObject({ skippedBy: { host_pages: 8 } });
  });

  test.each([
    ["the job's where that is less", 2, 5, 2, "2 pages of a.example"],
    ["the policy's where that is less", 5, 2, 2, "2 pages of a.example, by a policy"],
  ])("and one of the job: what counts is %s", (_, ofJob, ofPolicy, had, detail) => {
    const bench = new JobBench({ ...fast, limits: { perHost: { pagesMax: ofJob } } });
    set(bench, "*", { perHost: { pagesMax: ofPolicy } });
    bench.links("a.example", 7);
    expect(answerAll(bench)).toBe(had);
    expect(new Set(refusals(bench))).toEqual(new Set([`a.example host_pages: ${detail}`]));
  });

  test("for paths goes by the prefix, whatever else is said of paths later, and with the job's own by the lesser", () => {
    const limits = { perPath: [{ prefix: "/1", pagesMax: 9 }] };
    const bench = new JobBench({ ...fast, limits });
    const askedBelow = (prefix: string): number =>
      new Set(bench.out.flatMap(({ url }) => (new URL(url).pathname.startsWith(prefix) ? [url] : []))).size;
    const below = (prefix: string, pagesMax: number) => ({ prefix, pagesMax });
    set(bench, "a.example", { perPath: [below("/2", 3), below("/1", 4)] });
    // 11 below each of both: 2, 20 to 29; 1, 10 to 19.
    bench.links("a.example", 30);
    expect(["/1", "/2", "/"].map(askedBelow)).toEqual([4, 3, 8 + 4 + 3]);
    set(bench, "a.example", { perPath: [below("/1", 5), below("/0", 1), below("/2", 6)] });
    expect(["/1", "/2", "/"].map(askedBelow)).toEqual([5, 6, 8 + 5 + 6]);
    set(bench, "a.example", null);
    expect(["/1", "/2", "/"].map(askedBelow)).toEqual([9, 11, 8 + 9 + 11]);
    answerAll(bench);
    expect(bench.status).toMatchObject({ done: 28, skippedBy: { path_pages: 2 } });
  });

  test("that is raised lets go what waits for a unit, and what is found from then on", () => {
    const bench = new JobBench(fast);
    set(bench, "a.example", { perHost: { pagesMax: 2 } });
    bench.links("a.example", 6);
    expect(bench.out).toHaveLength(2);
    expect(bench.waitingBy).toEqual({ budget: 4 });
    set(bench, "a.example", { perHost: { pagesMax: 5 } });
    expect(bench.out).toHaveLength(5);
    set(bench, "a.example", null);
    expect(bench.out).toHaveLength(6);
    bench.links("a.example", 9);
    expect(answerAll(bench)).toBe(9);
    expect(refusals(bench)).toEqual([]);
  });

  test("that is lowered below what is used up lets nothing more go, and what waits is given up", () => {
    const bench = new JobBench(fast);
    set(bench, "a.example", { perHost: { pagesMax: 8 } });
    bench.links("a.example", 12);
    expect(bench.out).toHaveLength(8);
    for (let answers = 0; answers < 3; answers += 1) bench.answer(done);
    set(bench, "a.example", { perHost: { pagesMax: 2 } });
    expect(refusals(bench)).toHaveLength(4);
    bench.links("a.example", 20);
    expect(answerAll(bench)).toBe(5);
    expect(bench.status).toMatchObject({ done: 8, skipped: 4, refusedBy: { host_pages: 8 }, waiting: 0 });
  });

  test.each([
    ["nothing at all", {}],
    ["pages in all", { limits: { maxPages: 1000 } }],
  ])(
    "counts what is released while it is set, of a job that limits %s: what was out before neither uses it up nor frees it",
    (_, limits) => {
      const bench = new JobBench({ ...fast, ...limits });
      bench.links("a.example", 3);
      expect(bench.out).toHaveLength(3);
      set(bench, "a.example", { perHost: { pagesMax: 2 } });
      bench.links("a.example", 8);
      expect(bench.out).toHaveLength(5);
      for (let answers = 0; answers < 3; answers += 1)
        bench.answer(answers === 0 ? done : { kind: "refused", category: "robots" });
      expect(bench.out).toHaveLength(2);
      expect(answerAll(bench)).toBe(2);
      expect(bench.status).toMatchObject({ done: 3, skippedBy: { host_pages: 3, robots: 2 } });
    },
  );

  test("that is taken back and set again goes on where it was, also over a restart and a retry", () => {
    const bench = new JobBench(fast);
    set(bench, "a.example", { perHost: { pagesMax: 4 } });
    bench.links("a.example", 3);
    const due = bench.answer({ kind: "retry", category: "timeout", dueAtMs: bench.driver.nowMs + 1000 });
    set(bench, "a.example", null);
    bench.driver.restart();
    bench.answer(done);
    bench.driver.advance(1000);
    bench.settle();
    expect(bench.out.map(({ url }) => url)).toContain(due.url);
    // Its unit comes back while nobody asks for one.
    while (bench.out.length > 0)
      bench.answer(bench.out[0]?.url === due.url ? { kind: "refused", category: "robots" } : done);
    set(bench, "a.example", { perHost: { pagesMax: 4 } });
    bench.links("a.example", 9);
    expect(answerAll(bench)).toBe(2);
  });

  test("that changed while the task was nowhere holds when it is taken up, without a word of its own", () => {
    const bench = new JobBench({ ...fast, limits: { perDomain: { pagesMax: 3 } } });
    bench.links("a.example", 9);
    expect(bench.out).toHaveLength(3);
    bench.driver.commit();
    const policy = policyWith({ perDomain: { pagesMax: 1 }, perHost: { pagesMax: 2 } });
    bench.driver.tables[topics.policies.name] = new Map([[".a.example", policy]]);
    bench.driver.restartFromCommit();
    settle(bench);
    bench.answer(done);
    settle(bench);
    bench.answer({ kind: "refused", category: "robots" });
    settle(bench);
    expect(bench.out).toHaveLength(1);
    expect(bench.status?.skippedBy).toEqual({ robots: 1, domain_pages: 6 });
  });

  describe("of a domain", () => {
    const slow = { politeness: { delayMs: 10_000 } };
    const host = "a.d.example";
    const say = (bench: JobBench, pagesMax: number | null): void =>
      set(bench, ".d.example", pagesMax === null ? null : { perDomain: { pagesMax } });
    /** The task has read it, and not yet what follows from it for what it was granted. */
    const sayToTask = (bench: JobBench, pagesMax: number): void =>
      bench.driver.table(topics.policies.name, ".d.example", policyWith({ perDomain: { pagesMax } }));

    test("that is lowered counts from the policy on, also before what was granted is reckoned anew", () => {
      const bench = new JobBench(slow);
      say(bench, 10);
      bench.links(host, 9);
      expect(bench.out).toHaveLength(3);
      sayToTask(bench, 3);
      for (const due of bench.out) bench.driver.feed(topics.outcomes.name, host, answerTo(due, done));
      expect(bench.driver.takeSent().filter(({ topic }) => topic === topics.due.name)).toEqual([]);
    });

    test.each([
      ["at once", []],
      ["after it was taken back", [null]],
      ["after it was raised", [20]],
    ] as const)("that is lowered %s takes back what nobody has used yet", (_, first) => {
      const bench = new JobBench(slow);
      say(bench, 10);
      bench.links(host, 9);
      expect(bench.out).toHaveLength(3);
      for (const pagesMax of first) say(bench, pagesMax);
      say(bench, 4);
      expect(answerAll(bench)).toBe(4);
      expect(bench.status).toMatchObject({ done: 4, skippedBy: { domain_pages: 5 }, waiting: 0 });
    });

    test("that is raised once it is used up lets go what is found from then on", () => {
      const bench = new JobBench(fast);
      say(bench, 2);
      bench.links(host, 2);
      expect(answerAll(bench)).toBe(2);
      bench.links(host, 3);
      expect(bench.status?.refusedBy).toEqual({ domain_pages: 1 });
      sayToTask(bench, 4);
      bench.links(host, 7);
      settle(bench);
      expect(answerAll(bench)).toBe(2);
      expect(bench.status).toMatchObject({ done: 4, skippedBy: { domain_pages: 3 } });
    });

    test("that was raised while the task was nowhere lets go what waits", () => {
      const bench = new JobBench(fast);
      say(bench, 2);
      bench.links(host, 6);
      expect(bench.out).toHaveLength(2);
      bench.driver.commit();
      const policy = policyWith({ perDomain: { pagesMax: 5 } });
      bench.driver.tables[topics.policies.name] = new Map([[".d.example", policy]]);
      bench.driver.restartFromCommit();
      settle(bench);
      expect(bench.out).toHaveLength(5);
    });
  });

  test("that is taken back holds nothing any more: what waits does so for politeness", () => {
    const bench = new JobBench({ politeness: { delayMs: 10_000 }, limits: { maxPages: 100 } });
    set(bench, "a.example", { perHost: { pagesMax: 1 } });
    bench.links("a.example", 9);
    expect(bench.waitingBy).toEqual({ budget: 8 });
    set(bench, "a.example", null);
    bench.answer(done);
    settle(bench);
    expect(bench.out.length).toBeGreaterThan(1);
    expect(bench.waitingBy).toEqual({ politeness: 9 - 1 - bench.out.length });
  });

  test("does not count a page that failed and is asked for again while it is not set", () => {
    const bench = new JobBench(fast);
    set(bench, "a.example", { perHost: { pagesMax: 4 } });
    bench.links("a.example", 1);
    bench.answer({ category: "dns" });
    set(bench, "a.example", null);
    bench.job({ ...fast, retry: { asked: { dns: { times: 1, atMs: 1 } }, continues: null } });
    settle(bench);
    expect(answerAll(bench)).toBe(1);
    set(bench, "a.example", { perHost: { pagesMax: 4 } });
    bench.links("a.example", 9);
    expect(answerAll(bench)).toBe(3);
  });

  test("costs a job no look where no policy has one", () => {
    const bench = new JobBench(fast);
    bench.driver.table(topics.policies.name, "*", policySchema.parse({ delayMs: 0 }));
    expect(bench.driver.state.ceilings.some).toBe(false);
    set(bench, "*", { perHost: { pagesMax: 1 } });
    expect(bench.driver.state.ceilings.some).toBe(true);
  });
});
