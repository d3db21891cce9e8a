/** What few jobs have: a limit of requests per minute, and seeds that are there before their job is. */
import type { Random } from "@sluice/broker/memory";
import type { Job } from "@sluice/records";
import { defaultFetcherOptions } from "../../services/fetcher/src/options.ts";
import { defaultFrontierOptions } from "../../services/frontier/src/options.ts";
import type { Action, JobPlan } from "./plan.ts";
import type { Settings } from "./settings.ts";
import { urlOf, type HostDefinition } from "./site.ts";

interface Planned {
  readonly plan: JobPlan;
  readonly actions: readonly Action[];
}

/**
 * So few that the largest host would reach it in a minute. A lease has to last for several of them, and robots.txt be good until the
 * next one.
 */
export function withPerMinute(
  random: Random,
  planned: Planned,
  { fetcher, frontier }: Settings,
  hosts: readonly HostDefinition[],
): Planned {
  if (!random.chance(0.1) || frontier.leaseMs < defaultFrontierOptions.leaseMs) return planned;
  if (fetcher.robotsTtlMs < defaultFetcherOptions.robotsTtlMs) return planned;
  const largest = Math.max(...planned.plan.hosts.map((host) => hosts[host]?.pages.size ?? 0));
  const requestsPerMinuteMax = Math.max(6, Math.floor((largest * random.between(3, 8)) / 10));
  const limited = (job: Job): Job => ({ ...job, politeness: { ...job.politeness, requestsPerMinuteMax } });
  return {
    plan: { ...planned.plan, job: limited(planned.plan.job) },
    actions: planned.actions.map((action) =>
      action.kind === "job" ? { ...action, job: limited(action.job) } : action,
    ),
  };
}

/**
 * All of the job comes later, and before it seeds that name it, which are those it has itself: more than may wait for it where that
 * is a few.
 */
export function withEarlySeeds(
  random: Random,
  { plan, actions }: Planned,
  { frontier }: Settings,
  hosts: readonly HostDefinition[],
): Planned {
  if (frontier.pendingMax >= defaultFrontierOptions.pendingMax || !random.chance(0.5))
    return { plan, actions };
  const laterMs = random.between(1500, 2500);
  const early = Array.from({ length: random.between(4, 24) }, (): Action => {
    const seed = plan.seeds[random.between(0, plan.seeds.length - 1)] ?? { host: 0, path: "/" };
    const atMs = random.between(1000, laterMs);
    return { kind: "seed", atMs, url: urlOf(hosts, seed), job: plan.job.id, times: 1 };
  });
  const later = <Timed extends { readonly atMs: number }>(timed: Timed): Timed => ({
    ...timed,
    atMs: timed.atMs + laterMs,
  });
  return {
    plan: {
      ...plan,
      quiet: plan.quiet.map(({ fromMs, untilMs }) => ({
        fromMs: fromMs + laterMs,
        untilMs: untilMs + laterMs,
      })),
    },
    actions: [...early.sort((a, b) => a.atMs - b.atMs), ...actions.map(later)],
  };
}
