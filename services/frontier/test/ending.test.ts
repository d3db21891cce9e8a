/** Jobs with budgets come to their end whatever is done to them, over random tasks, orders of delivery and crashes. */
import { jobSchema, openOf, policySchema, type Job } from "@sluice/records";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Cluster } from "./cluster.ts";
import { checkTask } from "./invariants.ts";
import { checkUsedUp, limitsOf, worldOf, type World } from "./spending.ts";

/** More runs for a night: `SLUICE_TEST_RUNS=10000`. */
const runs = Number(process.env["SLUICE_TEST_RUNS"] ?? 40);
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const stepsMax = 60_000;
/** After so many steps nothing more is done to the job. */
const disturbedMax = 1500;

/** A job that is submitted anew with what has changed. */
class Submitted {
  job: Job;
  readonly #cluster: Cluster;

  constructor({ random, cluster, start }: World) {
    this.#cluster = cluster;
    this.job = jobSchema.parse({
      id: "job",
      seeds: start,
      scope: { kind: "any", traps: "follow" },
      limits: limitsOf(random),
      politeness: { delayMs: random.pick([0, 5000, 10_000]) },
    });
    cluster.submit(this.job);
  }

  set(fields: Partial<Job>): void {
    this.job = { ...this.job, ...fields, submittedAtMs: this.job.submittedAtMs + 1 };
    this.#cluster.submit(this.job);
  }
}

function runToEnd(cluster: Cluster, run: number, disturb: (step: number) => void): void {
  for (let step = 0; cluster.terminal.length < run; step += 1) {
    if (step === stepsMax) throw new Error(`run ${run} did not end`);
    const busy = cluster.step();
    disturb(step);
    if (step % 29 === 0) for (const driver of cluster.tasks) checkTask(driver.state);
    if (!busy && cluster.terminal.length < run) cluster.settleAndWait();
  }
  for (const driver of cluster.tasks) {
    driver.end();
    for (const view of driver.state.views.values()) expect(openOf(view.tally)).toBe(0);
  }
}

type Trouble = (world: World, submitted: Submitted) => (step: number) => void;

const troubles: Readonly<Record<string, Trouble>> = {
  "hosts are blocked, dropped and let go again": ({ random, cluster, web }) => {
    const hosts = [...new Set(web.urls.map((url) => new URL(url).host))];
    return (step) => {
      if (step > disturbedMax || !random.chance(0.01)) return;
      const blocked = { reason: "no", ...(random.chance(0.5) ? { forget: true } : {}) };
      cluster.policy(random.pick(hosts), random.chance(0.7) ? policySchema.parse({ blocked }) : undefined);
    };
  },
  "policies set, change and lift budgets of their own": ({ random, cluster, web }) => {
    const hosts = web.urls.map((url) => new URL(url).host);
    const patterns = [...new Set([...hosts, ...hosts.map((host) => host.slice(host.indexOf("."))), "*"])];
    return (step) => {
      if (step > disturbedMax || !random.chance(0.015)) return;
      const { perHost, perDomain, perPath } = limitsOf(random);
      const policy = policySchema.parse({ budgets: { perHost, perDomain, perPath } });
      cluster.policy(random.pick(patterns), random.chance(0.7) ? policy : undefined);
    };
  },
  "it is paused and resumed":
    ({ random }, submitted) =>
    (step) => {
      const isPaused = submitted.job.desired === "paused";
      if (step === disturbedMax && isPaused) submitted.set({ desired: "running" });
      if (step < disturbedMax && random.chance(0.01))
        submitted.set({ desired: isPaused ? "running" : "paused" });
    },
};

describe("a job with budgets ends", { timeout: 600_000 }, () => {
  test.each(Object.keys(troubles))("while %s", (name) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const world = worldOf(seed);
        const submitted = new Submitted(world);
        runToEnd(world.cluster, 1, troubles[name]?.(world, submitted) ?? (() => undefined));
      }),
      { numRuns: runs },
    );
  });

  test("again where it goes on with what failed", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const world = worldOf(seed);
        const submitted = new Submitted(world);
        runToEnd(world.cluster, 1, () => undefined);
        const retry = { asked: { http_4xx: { times: 1, atMs: 1 } }, continues: 1 };
        submitted.set({ run: 2, retry });
        runToEnd(world.cluster, 2, () => undefined);
      }),
      { numRuns: runs },
    );
  });

  test("and has all that its limits allow, where it was removed and submitted again at once", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const world = worldOf(seed);
        const { cluster, web, start } = world;
        const submitted = new Submitted(world);
        runToEnd(cluster, 1, () => undefined);
        const [results, due] = [cluster.results.length, cluster.due.length];
        cluster.remove(submitted.job);
        submitted.set({ run: 2 });
        runToEnd(cluster, 2, () => undefined);
        const ofRun = { results: cluster.results.slice(results), due: cluster.due.slice(due) };
        checkUsedUp(submitted.job.limits, web, ofRun, start);
      }),
      { numRuns: runs },
    );
  });
});
