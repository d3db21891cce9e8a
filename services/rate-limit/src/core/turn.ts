import {
  defaultJob,
  hostOf,
  perMinuteOf,
  policyOf,
  topics,
  type Due,
  type HostPolicy,
  type Job,
} from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import type { PaceOptions } from "../options.ts";
import type { Effects, RateLimitState } from "./domains.ts";
import type { Politeness } from "./pace.ts";

/** One step: the state, the effects so far, and what the step was given. */
export interface Turn {
  readonly state: RateLimitState;
  readonly out: Effects;
  readonly nowMs: number;
  readonly context: StepContext;
  readonly options: PaceOptions;
}

const builtIn = defaultJob();

/**
 * What the operator has set for the host, else what the job asks for; a job whose record is not here yet gets the
 * defaults, which are the slowest usual.
 */
export function politenessOf(context: StepContext, id: string, host: string): Politeness {
  const job = (context.tables[topics.jobs.name]?.get(id) as Job | undefined) ?? builtIn;
  const policy = policyFor(context, host);
  const perMinute = perMinuteOf(policy, job.politeness.requestsPerMinuteMax);
  return {
    delayMs: policy.delayMs ?? job.politeness.delayMs,
    concurrencyPerHost: policy.concurrency ?? job.politeness.concurrencyPerHost,
    delayMaxMs: job.politeness.delayMaxMs,
    intervalMs: perMinute === null ? 0 : 60_000 / perMinute,
  };
}

export const politenessFor = (context: StepContext, due: Due): Politeness =>
  politenessOf(context, due.job, hostOf(due.url));

export const policyFor = (context: StepContext, host: string): HostPolicy =>
  policyOf(host, context.tables[topics.policies.name]);
