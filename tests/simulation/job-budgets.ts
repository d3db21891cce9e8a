/** Draws budgets of hosts, registrable domains and paths for jobs, most of them small enough to be used up. */
import type { Random } from "@sluice/broker/memory";
import { jobSchema, type Job, type PolicyBudgets } from "@sluice/records";
import type { Action, JobPlan } from "./plan.ts";

/** What a run in which jobs have budgets has more of: hosts that share a domain, and tasks that share a budget. */
export interface BudgetShape {
  readonly random: Random;
  /** Registrable domains that the hosts are of. */
  readonly domains: number;
  readonly moreHosts: number;
  readonly partitions: number;
  readonly frontiers: number;
}

/** Null: no job of the run has budgets. */
export function budgetShapeOf(random: Random): BudgetShape | null {
  if (!random.chance(0.2)) return null;
  return {
    random,
    domains: random.between(1, 3),
    moreHosts: random.between(0, 4),
    partitions: random.between(1, 8),
    frontiers: random.between(1, 3),
  };
}

/** The job, and all that a user does with it, with budgets. */
export function withBudgets<Planned extends { readonly plan: JobPlan; readonly actions: readonly Action[] }>(
  random: Random,
  planned: Planned,
): { readonly plan: JobPlan; readonly actions: readonly Action[] } {
  if (random.chance(0.15)) return planned;
  const budgets = budgetsOf(random);
  const { perHost, perDomain } = budgets;
  // Each of these ends pages without end as maxPages does.
  const isEnded = perHost.pagesMax !== null || perDomain.pagesMax !== null;
  const isAlone = isEnded && random.chance(0.5);
  const limited = (job: Job): Job => ({
    ...job,
    limits: { ...job.limits, ...(isAlone ? { maxPages: null, maxDepth: null } : {}), ...budgets },
  });
  return {
    plan: { ...planned.plan, job: limited(planned.plan.job) },
    actions: planned.actions.map((action) =>
      action.kind === "job" ? { ...action, job: limited(action.job) } : action,
    ),
  };
}

/**
 * For a run with one job: its budgets, to be said by a policy for all hosts instead of by the job. What is promised is the same.
 * Null: the job says them.
 */
export function budgetsOfPolicy(random: Random | undefined, jobs: readonly JobPlan[]): PolicyBudgets | null {
  const [plan] = jobs;
  if (random === undefined || plan === undefined || jobs.length > 1 || !random.chance(0.3)) return null;
  const { perHost, perDomain, perPath } = plan.job.limits;
  return { perHost, perDomain, perPath };
}

/** The job, without what a policy says in its place. */
export function withoutBudgets(job: Job): Job {
  const { perHost, perDomain, perPath } = jobSchema.parse({ id: "job" }).limits;
  return { ...job, limits: { ...job.limits, perHost, perDomain, perPath } };
}

const prefixes = ["/", "/p/", "/p/1", "/gone/", "/r/", "/only/", "/private/", "/trap/"] as const;

function budgetsOf(random: Random): Pick<Job["limits"], "perHost" | "perDomain" | "perPath"> {
  const some = (share: number, most: number): number | null =>
    random.chance(share) ? random.between(1, most) : null;
  const limits = {
    perHost: { pagesMax: some(0.4, 8) },
    perDomain: { pagesMax: some(0.6, 15), hostsMax: some(0.5, 3) },
    perPath: prefixes.flatMap((prefix) => {
      const pagesMax = some(0.15, 4);
      return pagesMax === null ? [] : [{ prefix, pagesMax }];
    }),
  };
  const { perHost, perDomain, perPath } = jobSchema.parse({ id: "job", limits }).limits;
  return { perHost, perDomain, perPath };
}
