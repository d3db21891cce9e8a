/** That the faults which plans are drawn from do happen in the seeds that every run of the suite has. */
import { describe, expect, it } from "vitest";
import { killPoints, statefulNames, type Fault } from "./fault-plan.ts";
import { planOf, type Plan } from "./plan.ts";
import { runSeed, runToEnd } from "./run.ts";
import { World } from "./world.ts";

const plans: readonly Plan[] = Array.from({ length: 300 }, (_, index) => planOf(index + 1));
const atLeast = 5;
/** So many of the plans that have a fault are run until it is met. */
const triesMax = 12;

const having = (isIt: (plan: Plan) => boolean): readonly Plan[] => plans.filter(isIt);
const withFault = (isIt: (fault: Fault) => boolean): readonly Plan[] =>
  having(({ faults }) => faults.some(isIt));

describe("the fixed seeds", () => {
  it("have each kind of fault", () => {
    const kinds = {
      kill: true,
      kill_at_effect: true,
      freeze: true,
      rebalance: true,
      scale_out: true,
      scale_in: true,
      consumer_crash: true,
      outage: true,
      commit_fault: true,
      foreign_fence: true,
      compact: true,
      clock_jump: true,
      state_full: true,
      disk: true,
    } satisfies Record<Fault["kind"], true>;
    for (const kind of Object.keys(kinds))
      expect(withFault((fault) => fault.kind === kind).length, kind).toBeGreaterThanOrEqual(atLeast);
    for (const trouble of ["full", "slow", "failing"])
      expect(
        withFault((fault) => fault.kind === "disk" && fault.trouble === trouble).length,
        trouble,
      ).toBeGreaterThanOrEqual(atLeast);
    expect(withFault((fault) => "loseState" in fault && fault.loseState).length).toBeGreaterThan(atLeast);
  });

  it("have batches twice and late, clocks that are wrong, and runs without transactions", () => {
    const shapes: Readonly<Record<string, (plan: Plan) => boolean>> = {
      twice: ({ rates }) => rates.fetchTwice > 0,
      delayed: ({ rates }) => rates.fetchDelayed > 0,
      "commits that fail": ({ rates }) => rates.commit > 0,
      "out of order": ({ settings }) => settings.nodes > 1,
      clocks: ({ skewMsMax }) => skewMsMax >= 3000,
      "at least once": ({ delivery }) => delivery === "at-least-once",
    };
    for (const [name, isIt] of Object.entries(shapes))
      expect(having(isIt).length, name).toBeGreaterThanOrEqual(atLeast);
  });

  it("have hosts and robots.txt of every kind", () => {
    const hosts = plans.flatMap((plan) => plan.hosts);
    const kinds: Readonly<Record<string, number>> = {
      refused: hosts.filter(({ health }) => health.kind === "refused").length,
      tarpit: hosts.filter(({ health }) => health.kind === "tarpit").length,
      dying: hosts.filter(({ health }) => health.kind === "dying").length,
      recovering: hosts.filter(({ health }) => health.kind === "recovering").length,
      trap: hosts.filter(({ trap }) => trap).length,
      "robots.txt broken": hosts.filter(({ robots }) => robots.kind === "broken").length,
      "robots.txt fails": hosts.filter(({ robots }) => robots.kind === "rules" && robots.troubles > 0).length,
      "robots.txt changes": hosts.filter(
        ({ robots }) => robots.kind === "rules" && Number.isFinite(robots.changesAtMs),
      ).length,
      "Retry-After": hosts.filter(({ pages }) =>
        [...pages.values()].some(({ troubles, trouble }) => troubles > 0 && trouble === "http_429"),
      ).length,
      loops: hosts.filter(({ pages }) => pages.has("/loop/a")).length,
    };
    for (const [kind, count] of Object.entries(kinds)) expect(count, kind).toBeGreaterThanOrEqual(atLeast);
  });

  it.each(killPoints)("have processes that die at %s", async (point) => {
    const planned = withFault((fault) => fault.kind === "kill_at_effect" && fault.effect === point);
    let deaths = 0;
    for (const { seed } of planned.slice(0, triesMax)) {
      if (deaths > 0) break;
      await runSeed(seed, (line) => {
        if (line.endsWith(` dies_at ${point}`)) deaths += 1;
      });
    }
    expect(deaths).toBeGreaterThan(0);
  });

  it.each(["full", "failing"] as const)("have writes that fail where the disk is %s", async (trouble) => {
    const planned = withFault((fault) => fault.kind === "disk" && fault.trouble === trouble);
    let failures = 0;
    for (const plan of planned.slice(0, triesMax)) {
      if (failures > 0) break;
      const world = new World(plan);
      await world.open();
      await runToEnd(plan, world);
      failures += world.disk.failures;
    }
    expect(failures).toBeGreaterThan(0);
  });

  it("have services that end where the disk of their state is full, each of those that have one", async () => {
    const ended = new Set<string>();
    for (const { seed } of withFault(({ kind }) => kind === "state_full").slice(0, triesMax)) {
      await runSeed(seed, (line) => {
        const service = / (frontier|rate-limit)-\d+#\d+ ends SLUICE_STATE_FAILED$/.exec(line)?.[1];
        if (service !== undefined) ended.add(service);
      });
    }
    expect([...ended].sort()).toEqual([...statefulNames]);
  });
});
