/** One seed is one run: plan, world, faults, the way to the end, and what has to hold there. */
import { topics, type PolitenessKey } from "@sluice/records";
import { fetcherInputs } from "../../services/fetcher/src/step.ts";
import { frontierInputs } from "../../services/frontier/src/step.ts";
import { rateLimitInputs } from "../../services/rate-limit/src/step.ts";
import { applyFault, overAtMs } from "./faults.ts";
import { checkResults, poisonLeft } from "./invariants/results.ts";
import type { Violation } from "./observer.ts";
import { faultsOverMs, type ServiceName } from "./fault-plan.ts";
import { planOf, type Plan } from "./plan.ts";
import { World } from "./world.ts";

export interface RunReport {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly steps: number;
  readonly requests: number;
  readonly simulatedMs: number;
  /** Of every line of the trace: the same for the same seed, always. */
  readonly hash: string;
}

/** Longest that a run may go on. */
const endMsMax = 3_600_000;
/** Longest without any URL found or settled: a retry after 429 alone may wait for a minute. */
const stillMsMax = 150_000;
const lookEveryMs = 500;
/** Far more than the longest run has: a service that asks to be woken at once, again and again, stops the clock. */
const stepsMax = 1_000_000;
/** A job that never ends tells its status each second, and what it has just told is not read yet. */
const tellingMs = 10_000;
/** So long a process may take to learn that the group goes on without it. */
const wakingMs = 2000;

const inputsOf: Readonly<Record<ServiceName, readonly string[]>> = {
  frontier: frontierInputs,
  "rate-limit": rateLimitInputs,
  fetcher: fetcherInputs,
  "result-sink": [topics.results.name],
};

export async function runSeed(
  seed: number,
  onLine?: (line: string) => void,
  politenessKey?: PolitenessKey,
): Promise<RunReport> {
  const plan = planOf(seed, politenessKey);
  const world = new World(plan, onLine);
  await world.open();
  return await runToEnd(plan, world);
}

/** Does in an open world what the plan says, until all is done or something is wrong. */
export async function runToEnd(plan: Plan, world: World): Promise<RunReport> {
  schedule(plan, world);
  let state: "running" | "idle" | "failed" = "running";
  let progress = { sum: 0, atMs: 0 };
  const look = (): void => {
    state = world.violations.length > 0 ? "failed" : isIdle(plan, world) ? "idle" : "running";
    const sum = progressOf(world);
    if (sum !== progress.sum || world.nowMs < faultsOverMs) progress = { sum, atMs: world.nowMs };
    const stillMs = world.nowMs - progress.atMs;
    // Without transactions a job's counters may never be even again: its end is not promised.
    const isPromised = plan.delivery === "exactly-once";
    if (state === "running" && stillMs > stillMsMax && !isPromised && isQuiet(plan, world)) state = "idle";
    if (state === "running" && stillMs > stillMsMax + (isPromised ? 0 : tellingMs)) {
      world.report("after faults stop every job ends and nothing lags", whyNot(plan, world));
      state = "failed";
    }
    if (state === "running") world.clock.setTimer(world.clock.nowMs() + lookEveryMs, look);
  };
  look();
  const isOver = (): boolean => state !== "running" || world.steps > stepsMax;
  const hasEnded = await world.clock.runUntil(isOver, endMsMax);
  if (world.steps > stepsMax) world.report("no service spins", `${world.steps} steps by ${world.nowMs} ms`);
  else if (!hasEnded) world.report("a run comes to its end", whyNot(plan, world));
  if (world.violations.length === 0) {
    checkEverything(plan, world);
    await checkStop(world);
  }
  const { hash } = world.cluster.trace;
  return {
    seed: plan.seed,
    violations: world.violations,
    steps: world.steps,
    requests: world.web.requests,
    simulatedMs: world.nowMs,
    hash,
  };
}

function checkEverything(plan: Plan, world: World): void {
  const { cluster, disk, runs, visited } = world;
  try {
    checkResults({ cluster, disk, plan, runs, visited }, (invariant, detail) =>
      world.report(invariant, detail),
    );
    world.ends.checkAll();
  } catch (error) {
    world.report("what a run leaves behind can be read", String(error));
  }
}

function schedule(plan: Plan, world: World): void {
  const { clock, startMs } = world;
  for (const action of plan.actions) {
    clock.setTimer(startMs + action.atMs, () => {
      if (action.kind === "job") world.submit(action.job);
      else if (action.kind === "poison") world.seed(action.text);
      else if (action.kind === "policy") world.policy(action.pattern, action.policy);
      else if (action.kind === "job_poison") world.poisonJobs(action.key, action.text);
      else
        for (let time = 0; time < action.times; time += 1)
          world.seed(JSON.stringify({ url: action.url, job: action.job }));
    });
  }
  for (const fault of plan.faults) clock.setTimer(startMs + fault.atMs, () => applyFault(world, fault));
}

/** All that was asked for is done: jobs have ended, nothing lags, nobody is down. */
function isIdle(plan: Plan, world: World): boolean {
  if (openJobs(plan, world).length > 0 || !isQuiet(plan, world)) return false;
  // Who searches a table for poison may come to have the partition after all jobs are over.
  return poisonLeft(plan, world.cluster).length === 0;
}

/** Nothing lags, nobody is down, and nothing is to come. */
function isQuiet(plan: Plan, world: World): boolean {
  const lastMs = Math.max(0, ...plan.actions.map(({ atMs }) => atMs), ...plan.faults.map(overAtMs));
  // A process that has just woken still holds what others have done.
  if (world.nowMs <= lastMs + wakingMs) return false;
  return world.isWhole && laggards(plan, world).length === 0;
}

/** Jobs that have not ended; one that is to run again is started again here. */
function openJobs(plan: Plan, world: World): readonly string[] {
  const statuses = world.statuses();
  const open: string[] = [];
  for (const { job, again } of plan.jobs) {
    const status = statuses.get(job.id);
    const run = world.runs.get(job.id) ?? 1;
    if (status?.state !== "ended" || status.run < run) open.push(job.id);
    else if (again && run === 1) {
      world.submit({ ...job, run: 2 });
      open.push(job.id);
    }
  }
  return open;
}

/** Rises with every URL that is found or settled, and with every job that ends. */
function progressOf(world: World): number {
  let sum = 0;
  for (const { admitted, done, failed, skipped, state, run } of world.statuses().values())
    sum += admitted + done + failed + skipped + run + (state === "ended" ? 1 : 0);
  return sum;
}

function laggards(plan: Plan, world: World): readonly string[] {
  const behind: string[] = [];
  for (const [service, inputs] of Object.entries(inputsOf)) {
    for (const topic of inputs) {
      for (let partition = 0; partition < plan.partitions; partition += 1) {
        const at = { topic, partition };
        const committed = world.cluster.committedOffset(service, at);
        const end = world.cluster.endOf(at);
        if (committed?.offset !== end)
          behind.push(`${service} ${topic}/${partition} ${committed?.offset} of ${end}`);
      }
    }
  }
  return behind;
}

function whyNot(plan: Plan, world: World): string {
  const statuses = [...world.statuses().values()].map((status) => JSON.stringify(status));
  return [...openJobs(plan, world), ...laggards(plan, world), ...statuses].join("; ");
}

/** With nothing to do, nothing is left over in any process, and each ends when it is told to. */
async function checkStop(world: World): Promise<void> {
  for (const life of world.lives()) {
    for (const [what, count] of Object.entries(life.leftovers())) {
      if (count > 0 && what !== "wakes" && what !== "inbox")
        world.report("nothing is left over", `${life.name}: ${count} ${what}`);
    }
  }
  const stopped = Promise.all(world.lives().map((life) => life.stop()));
  try {
    await world.clock.settle(stopped, 60_000);
  } catch {
    world.report(
      "a process ends when it is told to",
      world
        .lives()
        .map(({ name }) => name)
        .join(),
    );
  }
}
