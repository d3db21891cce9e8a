/** A job's counters add up at every step, only rise, and its end is announced once. */
import { topics, type Counters, type CrawlEvent, type TaskCounters } from "@sluice/records";
import type { Transaction } from "@sluice/runtime";
import { checkTask } from "../../../services/frontier/test/invariants.ts";
import type { FrontierState } from "../../../services/frontier/src/core/state.ts";
import type { LifeName, Observer, Report, StepSeen } from "../observer.ts";

/** A task with more URLs is checked only once in so many steps: a check looks at all of them. */
const everyStepUrlsMax = 60;
const largeEvery = 32;

export class CounterChecks implements Observer {
  readonly #report: Report;
  readonly #last = new Map<string, TaskCounters>();
  #steps = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  stepped(life: LifeName, { state, context }: StepSeen): void {
    if (life.service !== "frontier") return;
    this.#steps += 1;
    const frontier = state as FrontierState;
    let urls = 0;
    for (const view of frontier.views.values()) urls += view.urls.size;
    if (urls > everyStepUrlsMax && this.#steps % largeEvery !== 0) return;
    try {
      checkTask(frontier);
    } catch (error) {
      this.#report("counters of a task add up", `${life.name} task ${context.task}: ${String(error)}`);
    }
  }

  committed(life: LifeName, _task: number, { records }: Transaction): void {
    if (life.service !== "frontier") return;
    for (const { topic, value } of records) {
      if (topic !== topics.counters.name || value === null) continue;
      const counters = JSON.parse(String(value)) as Counters;
      if (counters.kind === "task") this.#checkTask(counters);
      else this.#checkStatus(counters);
    }
  }

  #checkTask(counters: TaskCounters): void {
    const { job, run, task, tally } = counters;
    const key = `${job}/${run}/${task}`;
    const before = this.#last.get(key);
    this.#last.set(key, counters);
    if (before === undefined) return;
    for (const [name, count] of Object.entries(tally)) {
      const earlier = before.tally[name as keyof typeof tally];
      if (count < earlier) this.#report("counters only rise", `${key} ${name}: ${earlier} to ${count}`);
    }
  }

  #checkStatus(status: Extract<Counters, { kind: "job" }>): void {
    const { admitted, done, failed, skipped, waiting, inFlight } = status;
    const parts = [done, failed, skipped, waiting, inFlight];
    const sum = parts.reduce((total, part) => total + part, 0);
    if (sum !== admitted)
      this.#report("admitted = done + failed + skipped + waiting + in flight", `${status.job}: ${admitted} = ${parts.join(" + ")}`);
  }
}

export const terminalTypes: ReadonlySet<CrawlEvent["type"]> = new Set(["job_completed", "job_failed", "job_timeout"]);
