/** Stop means stop: no page of a job is asked for while it is paused or after it was cancelled, but for a moment. */
import type { Report } from "../observer.ts";
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

export class QuietChecks {
  readonly #quiet: readonly Quiet[];
  readonly #startMs: number;
  readonly #report: Report;
  /** When the last fault was over, as far as is known. */
  #faultsUntilMs = 0;

  constructor(plan: Plan, startMs: number, report: Report) {
    this.#startMs = startMs;
    this.#report = report;
    this.#quiet = plan.jobs.flatMap(({ job, hosts, quiet }) =>
      hosts
        // A host that another job may ask tells nothing.
        .filter((host) => plan.jobs.every((other) => other.job.id === job.id || !other.hosts.includes(host)))
        .flatMap((host) => quiet.map((each) => ({ ...each, host, job: job.id }))),
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
}
