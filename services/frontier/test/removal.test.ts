import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { topics } from "@sluice/records";
import { diskStores } from "@sluice/runtime";
import { describe, expect, test } from "vitest";
import { JobBench } from "./job-bench.ts";

const fast = { politeness: { delayMs: 0 } };

function remove(bench: JobBench): void {
  bench.driver.table(topics.jobs.name, "j", undefined);
  bench.settle();
  bench.driver.advance(1000);
  bench.settle();
}

/** What is left of a job: nothing, in memory, on the disk and in topics. */
function expectGone(bench: JobBench): void {
  const { state } = bench.driver;
  bench.driver.commit();
  expect([state.views.size, state.owners.size, state.dropping.size, state.hosts.size]).toEqual([0, 0, 0, 0]);
  expect([state.readRuns.size, state.forgetting.size]).toEqual([0, 0]);
  expect(state.entries.first("", 10)).toEqual([]);
  expect(bench.removed).toEqual(
    expect.arrayContaining([
      [topics.counters.name, "j/0"],
      [topics.counters.name, "j"],
      [topics.grants.name, "j/0"],
    ]),
  );
}

describe("a job whose record is removed", () => {
  test("leaves nothing behind, whatever waits, is out, failed or was had", () => {
    const bench = new JobBench({ politeness: { delayMs: 1000 } });
    bench.links("a.example", 1200);
    for (let number = 0; number < 50; number += 1)
      bench.answer(
        number % 3 === 0
          ? { ok: true }
          : number % 3 === 1
            ? { category: "dns" }
            : { kind: "deferred", detail: "breaker", dueAtMs: bench.driver.nowMs + 90_000 },
      );
    remove(bench);
    expectGone(bench);
    // An answer to what was out finds nobody, and brings nothing back.
    bench.answer({ ok: true });
    expectGone(bench);
  });

  test("leaves nothing behind after its end, nor where what failed was kept for a further run", () => {
    const bench = new JobBench(fast);
    bench.links("a.example", 40);
    while (bench.out.length > 0) bench.answer({ category: "dns" });
    bench.job({ ...fast, open: false });
    bench.driver.advance(5000);
    bench.settle();
    expect(bench.status).toMatchObject({ state: "ended", failed: 40 });
    remove(bench);
    expectGone(bench);
  });

  test("while its task ran nowhere is gone ten minutes after the task was taken up, and no sooner", () => {
    const bench = new JobBench(fast);
    bench.links("a.example", 5);
    while (bench.out.length > 0) bench.answer({ category: "dns" });
    bench.job({ ...fast, open: false });
    bench.driver.advance(5000);
    bench.settle();
    bench.driver.commit();
    bench.driver.tables[topics.jobs.name]?.delete("j");
    bench.driver.restartFromCommit();
    bench.settle();
    bench.driver.advance(590_000);
    bench.settle();
    expect(bench.driver.state.views.size).toBe(1);
    bench.driver.advance(20_000);
    bench.settle();
    bench.driver.advance(1000);
    bench.settle();
    expectGone(bench);
  });

  test("and submitted again at once keeps what the new one has of budgets, however much there is to forget", () => {
    const limits = { perDomain: { pagesMax: 1 } };
    const bench = new JobBench({ ...fast, limits });
    const domains = Array.from({ length: 450 }, (_, number) => `d${String(number).padStart(3, "0")}.example`);
    for (const domain of domains) bench.links(domain, 1);
    while (bench.out.length > 0) bench.answer({ ok: true });
    bench.driver.table(topics.jobs.name, "j", undefined);
    bench.job({ ...fast, limits, run: 2, submittedAtMs: 1 });
    for (const domain of domains) bench.links(domain, 2, 2);
    for (let turn = 0; turn < 10; turn += 1) {
      bench.driver.advance(1000);
      bench.settle();
    }
    const asked = new Map<string, number>();
    while (bench.out.length > 0) {
      const { url, run } = bench.answer({ ok: true });
      expect(run).toBe(2);
      asked.set(new URL(url).host, (asked.get(new URL(url).host) ?? 0) + 1);
    }
    expect([...asked]).toEqual(domains.map((domain) => [domain, 1]));
    expect(bench.driver.state.entries.first("s|", 1000)).toHaveLength(450);
  });

  describe("and of which this task sees only that a later run is there", () => {
    const limits = { perDomain: { pagesMax: 1 } };
    const domains = Array.from({ length: 450 }, (_, number) => `d${String(number).padStart(3, "0")}.example`);
    const shared = (bench: JobBench): number => bench.driver.state.entries.first("s|", 1000).length;
    const nextRun = (): JobBench => {
      const bench = new JobBench({ ...fast, limits });
      for (const domain of domains) bench.links(domain, 1);
      while (bench.out.length > 0) bench.answer({ ok: true });
      expect(shared(bench)).toBe(450);
      bench.driver.commit();
      bench.job({ ...fast, limits, run: 2, submittedAtMs: 1 });
      return bench;
    };

    test("leaves nothing of shared budgets behind, though that run finds none of their domains", () => {
      const bench = nextRun();
      bench.driver.advance(1000);
      bench.settle();
      expect(shared(bench)).toBe(0);
      const unsaid = bench.removed.filter(([topic]) => topic === topics.grants.name).map(([, key]) => key);
      expect(unsaid).toEqual(expect.arrayContaining(domains.map((domain) => `j/0/d/${domain}`)));
    });

    const tellLate = (bench: JobBench): void => {
      const about = {
        kind: "budget",
        job: "j",
        run: 1,
        task: 0,
        domain: "d001.example",
        unit: "pages",
      } as const;
      const units = { max: 1, used: 1, returned: 0, wanted: 1 };
      bench.driver.feed(topics.counters.name, "j/0/d/d001.example", { ...about, ...units });
      expect(bench.driver.unfinished).toEqual([]);
    };

    test("leaves nothing behind of what is told of it late", () => {
      const bench = nextRun();
      tellLate(bench);
      expect(shared(bench)).toBe(0);
    });

    test("leaves nothing of them behind, though the task crashed before all was gone", () => {
      const bench = nextRun();
      const jobs = bench.driver.tables[topics.jobs.name];
      const present = jobs?.get("j");
      // As if it had crashed: the run is known, and there is something of the one before.
      jobs?.set("j", { ...(present as object), run: 1 });
      tellLate(bench);
      jobs?.set("j", present);
      expect(shared(bench)).toBe(1);
      bench.driver.commit();
      bench.driver.restartFromCommit();
      bench.driver.advance(1000);
      expect(shared(bench)).toBe(0);
    });
  });

  test("gives its room on the disk back, and a second one of its size takes no more", () => {
    const dir = mkdtempSync(join(tmpdir(), "sluice-removal-"));
    const stores = diskStores({ dir, instance: "f", nowMs: () => 1_000, onEvent: () => undefined });
    const store = stores.open(0, 1_000);
    const fileBytes = (): number => statSync(join(dir, "f", "task-0.db")).size;
    const job = { ...fast, scope: { traps: "follow" } };
    const bench = new JobBench(job);
    /** As after transactions and a checkpoint. */
    const checkpoint = (): void => {
      const { entries } = bench.driver;
      const gone = [...store.keys("")].filter((key) => !entries.has(key)).map((key) => [key, null] as const);
      const there = [...entries].map(([key, value]) => [key, JSON.stringify(value)] as const);
      store.apply([...gone, ...there], 1);
      store.checkpoint(1_000);
    };
    const sizes = [1, 2].map(() => {
      bench.links(`host.example/${"long-".repeat(200)}`, 6_000);
      checkpoint();
      const full = fileBytes();
      remove(bench);
      for (let turn = 0; turn < 40; turn += 1) {
        bench.driver.advance(1000);
        bench.settle();
      }
      checkpoint();
      const after = fileBytes();
      bench.job(job);
      return { full, after };
    });
    stores.close();
    rmSync(dir, { recursive: true });
    const [first, second] = sizes;
    expect(first?.full).toBeGreaterThan(16_000_000);
    expect(first?.after).toBeLessThan(1_000_000);
    expect(second?.after).toBeLessThan(1_000_000);
    expect(second?.full).toBeLessThanOrEqual((first?.full ?? 0) * 1.02);
  });

  test("begins anew under the same id", () => {
    const bench = new JobBench(fast);
    bench.links("a.example", 5);
    while (bench.out.length > 0) bench.answer({ ok: true });
    remove(bench);
    bench.job(fast);
    bench.links("a.example", 5);
    expect(bench.out).toHaveLength(5);
    expect(bench.status).toMatchObject({ run: 1, admitted: 5, done: 0 });
  });
});
