/** A job's counters add up at every step, only rise, and its end is announced once. */
import type { MemoryCluster } from "@sluice/broker/memory";
import {
  emptyTally,
  openOf,
  topics,
  type Counters,
  type CrawlEvent,
  type JobStatus,
  type Tally,
  type TaskCounters,
  type WaitingBy,
} from "@sluice/records";
import { checkTask } from "../../../services/frontier/test/invariants.ts";
import type { FrontierState } from "../../../services/frontier/src/core/state.ts";
import type { LifeName, Observer, Report, StepSeen } from "../observer.ts";

/** A task with more URLs is checked only once in so many steps: a check looks at all of them. */
const everyStepUrlsMax = 120;
const largeEvery = 32;
const tallyNames = Object.keys(emptyTally()) as (keyof Tally)[];

export class CounterChecks implements Observer {
  readonly #report: Report;
  readonly #last = new Map<string, Tally>();
  #steps = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  stepped(life: LifeName, { state, context, effects }: StepSeen): void {
    if (life.service !== "frontier") return;
    // What a step says last of a job is what is committed of it.
    const last = new Map<string, Counters>();
    for (const effect of effects) {
      if (effect.kind !== "send" || effect.topic !== topics.counters.name || effect.value === null) continue;
      const counters = effect.value as Counters;
      last.set(effect.key, counters);
      if (counters.kind === "task") this.#checkRise(`${life.name}/${context.epoch}`, counters);
    }
    for (const counters of last.values()) {
      if (counters.kind === "task") this.#checkParts(counters);
      else if (counters.kind === "job") this.#checkStatus(counters);
    }
    this.#steps += 1;
    const frontier = state as FrontierState;
    let urls = 0;
    for (const view of frontier.views.values()) urls += view.known.size;
    if (urls > everyStepUrlsMax && this.#steps % largeEvery !== 0) return;
    try {
      checkTask(frontier);
    } catch (error) {
      this.#report("counters of a task add up", `${life.name} task ${context.task}: ${String(error)}`);
    }
  }

  /** Within one tenure: an owner after a failed commit goes back to what was committed. */
  #checkRise(tenure: string, { job, run, task, tally }: TaskCounters): void {
    const key = `${tenure}/${job}/${run}/${task}`;
    const before = this.#last.get(key);
    this.#last.set(key, { ...tally });
    if (before === undefined) return;
    for (const name of tallyNames) {
      if (tally[name] < before[name])
        this.#report("counters only rise", `${key} ${name}: ${before[name]} to ${tally[name]}`);
    }
  }

  #checkParts({ job, task, tally, inFlight, waitingBy }: TaskCounters): void {
    const waiting = waitingBy === undefined ? Number.NaN : sumOf(waitingBy);
    if (openOf(tally) !== waiting + inFlight)
      this.#report(
        "open URLs of a task are in flight, or wait for one reason each",
        `${job} task ${task}: ${openOf(tally)} open, ${inFlight} in flight, ${JSON.stringify(waitingBy)}`,
      );
  }

  #checkStatus(status: Extract<Counters, { kind: "job" }>): void {
    const { admitted, done, failed, skipped, waiting, inFlight, waitingBy } = status;
    if (waitingBy === undefined || sumOf(waitingBy) !== waiting)
      this.#report(
        "waiting is the sum of its reasons",
        `${status.job}: ${waiting} = ${JSON.stringify(waitingBy)}`,
      );
    const parts = [done, failed, skipped, waiting, inFlight];
    const sum = parts.reduce((total, part) => total + part, 0);
    if (sum !== admitted)
      this.#report(
        "admitted = done + failed + skipped + waiting + in flight",
        `${status.job}: ${admitted} = ${parts.join(" + ")}`,
      );
  }
}

/** What a reader has seen of a task or a job in a run never falls, whoever had the task. */
export function checkCommitted(cluster: MemoryCluster, report: Report): void {
  const last = new Map<string, Readonly<Record<string, number>>>();
  for (const { key, value } of cluster.committed(topics.counters.name).flat()) {
    if (value === null) continue;
    const counters = JSON.parse(value.toString("utf8")) as Counters;
    const counts: Readonly<Record<string, number>> | null =
      counters.kind === "task" ? counters.tally : counters.kind === "job" ? risingOf(counters) : null;
    if (counts === null) continue;
    const name = `${String(key)} run ${counters.run}`;
    for (const [count, before] of Object.entries(last.get(name) ?? {})) {
      if ((counts[count] ?? 0) < before)
        report("committed counters only rise", `${name} ${count}: ${before} to ${counts[count]}`);
    }
    last.set(name, counts);
  }
}

function risingOf({ admitted, done, failed, skipped, refused, state }: JobStatus) {
  return { admitted, done, failed, skipped, refused, ended: state === "ended" ? 1 : 0 };
}

function sumOf(by: WaitingBy): number {
  return Object.values(by).reduce((sum, count) => sum + count, 0);
}

export const terminalTypes: ReadonlySet<CrawlEvent["type"]> = new Set([
  "job_completed",
  "job_failed",
  "job_timeout",
]);
