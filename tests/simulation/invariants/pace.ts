/** Permits keep what outcomes have told: waits, Retry-After, and how many may be out. */
import { topics, type Job, type Outcome, type Permit } from "@sluice/records";
import type { RateLimitState } from "../../../services/rate-limit/src/core/domains.ts";
import type { Plan } from "../plan.ts";
import type { LifeName, Observer, Report, StepSeen } from "../observer.ts";

interface Told {
  lastEndMs: number;
  retryUntilMs: number;
}

/**
 * With leases of seconds, services away in turn and a host of which one URL gets its turn in a lease, those at the end of its
 * queue expire some dozens of times; in a loop that nothing ends there is no such limit.
 */
const expiredMax = 100;

/** Outcomes of a partition that rate-limit has committed as read: whoever has the task knows of them, by its state alone. */
export type OutcomesDone = (
  partition: number,
) => readonly { readonly domain: string; readonly value: Outcome }[];

export class PaceChecks implements Observer {
  readonly #report: Report;
  readonly #concurrencyMax: number;
  /** What one owner of a task was told of a domain. */
  readonly #expired = new Map<string, number>();
  readonly #told = new Map<string, Told>();

  readonly #outcomesDone: OutcomesDone;

  constructor(plan: Plan, outcomesDone: OutcomesDone, report: Report) {
    this.#report = report;
    this.#outcomesDone = outcomesDone;
    this.#concurrencyMax = Math.max(...plan.jobs.map(({ job }) => job.politeness.concurrencyPerHost));
  }

  stepped(life: LifeName, { input, effects, nowMs, context, state }: StepSeen): void {
    this.#checkCircles(effects);
    if (life.service !== "rate-limit") return;
    const scope = `${life.name}/${context.task}/${context.epoch}/`;
    if (input.kind === "restored")
      for (const { domain, value } of this.#outcomesDone(context.task))
        this.#learn(scope + domain, value, nowMs);
    if (input.kind === "record" && input.record.topic === topics.outcomes.name) {
      this.#learn(scope + (input.record.key ?? ""), input.record.value as Outcome);
    }
    for (const effect of effects) {
      if (effect.kind !== "send" || effect.topic !== topics.permits.name) continue;
      const permit = effect.value as Permit;
      // One that goes back from an errand has its slot from before; its fetcher keeps the wait.
      if (permit.answer === undefined) {
        const job = context.tables[topics.jobs.name]?.get(permit.job) as Job | undefined;
        this.#checkInterval(permit, job);
        this.#check(scope + effect.key, effect.key, permit, nowMs, state as RateLimitState);
      }
    }
  }

  /** Requests as far apart as permits say do not reach in any minute what the job has as its limit. */
  #checkInterval({ releaseId, intervalMs }: Permit, job: Job | undefined): void {
    const max = job?.politeness.requestsPerMinuteMax ?? null;
    if (max !== null && intervalMs <= 60_000 / max)
      this.#report("a permit keeps the limit per minute", `${releaseId}: ${intervalMs} ms for ${max}`);
  }

  /** A URL that comes back again and again because its lease is over is a loop that no clock ends. */
  #checkCircles(effects: StepSeen["effects"]): void {
    for (const effect of effects) {
      if (effect.kind !== "send" || effect.topic !== topics.outcomes.name) continue;
      const { job, run, urlId, kind } = effect.value as Outcome;
      if (kind !== "expired") continue;
      const key = `${job}/${run}/${urlId}`;
      const times = (this.#expired.get(key) ?? 0) + 1;
      this.#expired.set(key, times);
      if (times === expiredMax) this.#report("a URL does not expire in circles", `${key}: ${times} times`);
    }
  }

  /** @param latestMs when it was read at the latest: one that ended after that was told by a clock that was set since */
  #learn(key: string, outcome: Outcome, latestMs = Infinity): void {
    if (outcome.by !== "fetcher" || outcome.endedAtMs === null) return;
    const told = this.#told.get(key) ?? { lastEndMs: 0, retryUntilMs: 0 };
    const endMs = Math.min(outcome.endedAtMs, latestMs);
    told.lastEndMs = Math.max(told.lastEndMs, endMs);
    if (outcome.retryAfterMs !== null)
      told.retryUntilMs = Math.max(told.retryUntilMs, endMs + outcome.retryAfterMs);
    this.#told.set(key, told);
  }

  #check(key: string, name: string, permit: Permit, nowMs: number, state: RateLimitState): void {
    const told = this.#told.get(key);
    const startMs = Math.max(permit.notBeforeMs, nowMs);
    const at = `${permit.releaseId} not before ${permit.notBeforeMs}`;
    if (told !== undefined && startMs < told.lastEndMs + permit.delayMs)
      this.#report(
        "a permit waits a delay from the last end",
        `${at}, end ${told.lastEndMs}, delay ${permit.delayMs}`,
      );
    if (told !== undefined && startMs < told.retryUntilMs)
      this.#report("a permit waits for Retry-After", `${at}, asked to wait until ${told.retryUntilMs}`);
    const domain = state.domains.get(name);
    if (domain === undefined) return;
    const { pace, out } = domain;
    // Only a host that has shown its pace and is well gets permits ahead of its outcomes.
    if ((pace.latencyMs === null || pace.failuresInRow > 0) && out.size > this.#concurrencyMax)
      this.#report(
        "no more permits are out than a host has connections",
        `${at}, ${out.size} out of ${this.#concurrencyMax}`,
      );
  }
}
