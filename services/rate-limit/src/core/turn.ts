import { defaultJob, topics, type Job } from "@sluice/records";
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

/** What the job asks for; a job whose record is not here yet gets the defaults, which are the slowest usual. */
export function politenessOf(context: StepContext, id: string): Politeness {
  const job = context.tables[topics.jobs.name]?.get(id) as Job | undefined;
  return (job ?? builtIn).politeness;
}
