/**
 * Stop means stop: no page of a job is asked for while it is paused or after it was cancelled, but for a moment, and no page
 * of it may be asked for when its time is over.
 */
import type { SimClock } from "@sluice/broker/memory";
import { topics, type Due } from "@sluice/records";
import type { LifeName, Observer, Report, StepSeen } from "../observer.ts";
import type { Plan } from "../plan.ts";
import type { Visit } from "../web.ts";

/** From the user's word to the last request (P7), where nothing else goes wrong. */
const stopMsMax = 5000;
/** What a fault may add: a session that times out, a group that rebalances, a process that starts again. */
const afterFaultMs = 10_000;

interface Quiet {
  readonly host: number;
  readonly job: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

export class QuietChecks implements Observer {
  readonly #quiet: readonly Quiet[];
  readonly #startMs: number;
  readonly #report: Report;
  /** Time limits of jobs. */
  readonly #timed: ReadonlyMap<string, number>;
  readonly #clock: SimClock;
  /** When the job's run has begun, as it says itself. */
  readonly #startedAtMs: (job: string) => number | null;
  /** When the last fault was over, as far as is known. */
  #faultsUntilMs = 0;

  constructor(plan: Plan, clock: SimClock, startedAtMs: (job: string) => number | null, report: Report) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#startedAtMs = startedAtMs;
    this.#report = report;
    // A host that another job may ask tells nothing.
    const own = plan.jobs.flatMap(({ job, hosts, quiet }) =>
      hosts
        .filter((host) => plan.jobs.every((other) => other.job.id === job.id || !other.hosts.includes(host)))
        .map((host) => ({ host, job, quiet })),
    );
    this.#quiet = own.flatMap(({ host, job, quiet }) =>
      quiet.map((each) => ({ ...each, host, job: job.id })),
    );
    this.#timed = new Map(
      plan.jobs.flatMap(({ job: { id, limits } }) =>
        limits.maxDurationMs === null ? [] : [[id, limits.maxDurationMs]],
      ),
    );
  }

  /** A fault is on until that instant of the run. */
  disturbed(untilMs: number): void {
    this.#faultsUntilMs = Math.max(this.#faultsUntilMs, untilMs + afterFaultMs);
  }

  began(visit: Visit): void {
    if (visit.isRobots) return;
    const atMs = visit.startMs - this.#startMs;
    for (const { host, job, fromMs, untilMs } of this.#quiet) {
      if (host !== visit.host || atMs >= untilMs) continue;
      if (atMs > Math.max(fromMs, this.#faultsUntilMs) + stopMsMax)
        this.#report(
          "a job that is stopped asks for nothing",
          `${job}: h${host}${visit.path} at ${atMs}, stopped at ${fromMs}`,
        );
    }
  }

  /** No more goes out then, and nobody may begin what is out: its lease ends with the run. */
  stepped(life: LifeName, { effects }: StepSeen): void {
    if (life.service !== "frontier" || this.#timed.size === 0) return;
    const atMs = this.#clock.nowMs() - this.#startMs;
    for (const effect of effects) {
      if (effect.kind !== "send" || effect.topic !== topics.due.name) continue;
      const { job, url, leaseUntilMs } = effect.value as Due;
      const maxDurationMs = this.#timed.get(job);
      const startedAtMs = maxDurationMs === undefined ? null : this.#startedAtMs(job);
      if (maxDurationMs === undefined || startedAtMs === null) continue;
      const overAtMs = startedAtMs - this.#startMs + maxDurationMs;
      if (leaseUntilMs - this.#startMs > overAtMs)
        this.#report(
          "no lease ends after its job's time",
          `${job}: ${url} until ${leaseUntilMs - this.#startMs}, over at ${overAtMs}`,
        );
      if (atMs > Math.max(overAtMs, this.#faultsUntilMs) + stopMsMax)
        this.#report(
          "of a job whose time is over nothing is released",
          `${job}: ${url} at ${atMs}, over at ${overAtMs}`,
        );
    }
  }
}
