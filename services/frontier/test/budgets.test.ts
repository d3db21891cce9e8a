import { hostOf, jobSchema, topics, type Due, type Outcome } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { registrableDomain } from "@sluice/web";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultFrontierOptions } from "../src/options.ts";
import { frontierStep } from "../src/step.ts";
import { checkTask } from "./invariants.ts";
import { answerTo } from "@sluice/records/testing";
import { linksTo } from "./records.ts";
import { checkLimits, checkUsedUp, limitsOf, runToEnd, worldOf } from "./spending.ts";

/** More runs for a night: `SLUICE_TEST_RUNS=10000`. */
const runs = Number(process.env["SLUICE_TEST_RUNS"] ?? 40);
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
describe("budgets over several frontier tasks, random delivery and crashes", { timeout: 600_000 }, () => {
  test("are never exceeded, and used up to the last page where there are enough", () => {
    let cut = 0;
    let shared = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        const { random, web, cluster, start } = worldOf(seed);
        const limits = limitsOf(random);
        cluster.submit(
          jobSchema.parse({
            id: "job",
            seeds: start,
            scope: { kind: "any", traps: "follow" },
            limits,
            politeness: { delayMs: 10_000 },
          }),
        );
        let looked = 0;
        runToEnd(cluster, () => {
          if (cluster.due.length === looked) return;
          looked = cluster.due.length;
          checkLimits(limits, cluster);
        });
        checkLimits(limits, cluster);
        checkUsedUp(limits, web, cluster, start);
        const reasons = cluster.events.flatMap((event) =>
          event.type === "url_failed" ? [event.category] : [],
        );
        if (reasons.length > 0) cut += 1;
        if (reasons.some((reason) => reason.startsWith("domain_"))) shared += 1;
      }),
      { numRuns: runs },
    );
    // Without jobs that are cut the property would say nothing.
    expect(cut).toBeGreaterThan(runs / 4);
    expect(shared).toBeGreaterThan(runs / 20);
  });

  test("cost a step the same however many hosts wait for their units", () => {
    const looksOf = (hosts: number): readonly number[] => {
      const limits = { perDomain: { pagesMax: 20 } };
      const politeness = { delayMs: 0 };
      const scope = { kind: "any" as const };
      const job = jobSchema.parse({ id: "j", open: true, scope, limits, politeness });
      const driver = new StepDriver({
        step: frontierStep(),
        keepHistory: false,
        tables: { [topics.jobs.name]: [["j", job]] },
      });
      const out: Due[] = [];
      const take = (): void => {
        for (const { topic, key, value } of driver.takeSent()) {
          if (topic === topics.due.name) out.push(value as Due);
          else if (topic === topics.counters.name || topic === topics.grants.name)
            driver.feed(topic, key, value);
        }
      };
      const settle = (): void => {
        for (let round = 0; round < 5; round += 1) take();
      };
      for (let host = 0; host < hosts; host += 1) {
        const { domain, link } = linksTo("j", [`https://h${host}.d.example/`]);
        driver.feed(topics.links.name, domain, link);
        settle();
      }
      checkTask(driver.state);
      // Every way to a host is by this map, and a look at all of them goes through it.
      let looks = 0;
      const { hosts: queues } = driver.state;
      const get = queues.get.bind(queues);
      queues.get = (domain) => {
        looks += 1;
        return get(domain);
      };
      const answers: Partial<Outcome>[] = [
        { ok: true },
        { ok: false, kind: "refused", category: "robots" },
        { ok: false, kind: "retry", category: "timeout", dueAtMs: driver.nowMs + 1000 },
      ];
      return answers.map((fields) => {
        looks = 0;
        const due = out.shift();
        if (due === undefined) throw new Error("nothing is out");
        driver.feed(topics.outcomes.name, hostOf(due.url), answerTo(due, fields));
        settle();
        return looks;
      });
    };
    expect(looksOf(5000)).toEqual(looksOf(30));
  });

  describe("told to a task that does not know their job", () => {
    const job = jobSchema.parse({ id: "j", open: true, limits: { perDomain: { hostsMax: 2 } } });
    const told = {
      kind: "budget",
      job: "j",
      run: 1,
      task: 0,
      domain: "d.example",
      unit: "hosts",
      max: 2,
      used: 0,
      returned: 0,
      wanted: 1,
    } as const;
    const granted = (driver: { takeSent(): readonly { topic: string; value: unknown }[] }): unknown[] =>
      driver.takeSent().flatMap(({ topic, value }) => (topic === topics.grants.name ? [value] : []));

    test("wait for it: the task may have read of the job later than the one that asks", () => {
      const driver = new StepDriver({ step: frontierStep(), tables: { [topics.jobs.name]: [] } });
      driver.feed(topics.counters.name, "j/0/n/d.example", told);
      expect(driver.unfinished).toHaveLength(1);
      driver.table(topics.jobs.name, "j", job);
      expect(granted(driver)).toMatchObject([{ job: "j", task: 0, unit: "hosts", granted: 1 }]);
      expect(driver.unfinished).toEqual([]);
    });

    test("are let go after a while, for the job was removed: nothing is kept, and nothing is a dead letter", () => {
      const driver = new StepDriver({ step: frontierStep(), tables: { [topics.jobs.name]: [] } });
      driver.feed(topics.counters.name, "j/0/n/d.example", told);
      driver.advance(defaultFrontierOptions.lateJobMs);
      expect(driver.unfinished).toEqual([]);
      expect(driver.rejected).toEqual([]);
      expect(driver.state.entries.first("", 10)).toEqual([]);
      expect(granted(driver)).toEqual([]);
    });
  });

  test.each([
    ["in the next run, while what is left of the former one is cleared away", false],
    ["where the job was removed and submitted again at once, also by tasks that have not seen it go", true],
  ])("are counted anew %s", (_, isRemoved) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { web, cluster, start } = worldOf(seed);
        const job = jobSchema.parse({
          id: "job",
          seeds: start,
          scope: { kind: "any", traps: "follow" },
          limits: { perDomain: { pagesMax: 5, hostsMax: 2 } },
          politeness: { delayMs: 10_000 },
        });
        for (const run of [1, 2]) {
          const before = cluster.results.length;
          const dueBefore = cluster.due.length;
          if (isRemoved && run === 2) cluster.remove(job);
          cluster.submit({ ...job, run, submittedAtMs: run });
          for (let step = 0; cluster.terminal.length < run; step += 1) {
            if (step === 60_000) throw new Error(`run ${run} did not end`);
            if (!cluster.step() && cluster.terminal.length < run) cluster.settleAndWait();
          }
          const domains = Map.groupBy(cluster.results.slice(before), (url) => registrableDomain(hostOf(url)));
          const ofRun = { results: cluster.results.slice(before), due: cluster.due.slice(dueBefore) };
          checkUsedUp(job.limits, web, ofRun, start);
          for (const [domain, urls] of domains) {
            expect(urls.length, domain).toBeLessThanOrEqual(5);
            expect(new Set(urls.map(hostOf)).size, domain).toBeLessThanOrEqual(2);
          }
        }
        for (const topic of [topics.counters.name, topics.grants.name])
          for (const [key, values] of cluster.writtenTo(topic)) {
            const ofSecond = values.findIndex((value) => (value as { run?: number } | null)?.run === 2);
            if (ofSecond >= 0) expect(values.slice(ofSecond), `taken back: ${key}`).not.toContain(null);
          }
        // Of the former run nothing is left in the end.
        cluster.rest(defaultFrontierOptions.orphanMs);
        for (const driver of cluster.tasks)
          for (const [key, stored] of driver.state.entries.first("s|", 1000))
            expect(stored, key).toMatchObject({ run: 2 });
      }),
      { numRuns: runs },
    );
  });
});
