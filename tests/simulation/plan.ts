/** All that is drawn from a seed before a run begins: the web, jobs, settings of the services, and faults. */
import { type Delivery, type FaultRates, type Random, seededRandom } from "@sluice/broker/memory";
import { jobSchema, type Job, type Policy, type PolicyBudgets, type PolitenessKey } from "@sluice/records";
import { type BudgetShape, budgetShapeOf, budgetsOfPolicy, withBudgets } from "./job-budgets.ts";
import { withEarlySeeds, withPerMinute } from "./job-rarities.ts";
import { stopOf, withStop } from "./job-stops.ts";
import { clockJumps, type Fault, faultsOf, fullStates, lateWakes, type ServiceName } from "./fault-plan.ts";
import { settingsOf, type Settings } from "./settings.ts";
import { sitesOf } from "./site-plan.ts";
import { withRobotsElsewhere } from "./site-redirects.ts";
import { withSitemaps } from "./site-sitemaps.ts";
import { type HostDefinition, urlOf } from "./site.ts";

/** What a user does. */
export type Action = { readonly atMs: number } & (
  | { readonly kind: "job"; readonly job: Job }
  | { readonly kind: "seed"; readonly url: string; readonly job: string; readonly times: number }
  | { readonly kind: "poison"; readonly text: string }
  | { readonly kind: "policy"; readonly pattern: string; readonly policy: Policy | null }
  /** A record that no reader of the table of jobs can read. */
  | { readonly kind: "job_poison"; readonly key: string; readonly text: string }
);

export interface JobPlan {
  readonly job: Job;
  readonly hosts: readonly number[];
  /** Its user cancels it, or a time limit ends it: what it finds depends on when. */
  readonly isCut: boolean;
  readonly seeds: readonly { readonly host: number; readonly path: string }[];
  readonly lateSeeds: readonly { readonly host: number; readonly path: string }[];
  /** Instants between which it is paused, or from which on it is cancelled. */
  readonly quiet: readonly { readonly fromMs: number; readonly untilMs: number }[];
  /** It is started a second time after its end. */
  readonly again: boolean;
}

export interface Plan {
  readonly seed: number;
  readonly partitions: number;
  /** What the domain of records is. By registrable domain the hosts are those of two. */
  readonly politenessKey: PolitenessKey;
  readonly hosts: readonly HostDefinition[];
  readonly jobs: readonly JobPlan[];
  readonly actions: readonly Action[];
  /** What a policy for all hosts says in place of the jobs, from before the run's beginning; null: nothing. */
  readonly budgets: PolicyBudgets | null;
  readonly faults: readonly Fault[];
  readonly rates: FaultRates;
  readonly instances: Readonly<Record<ServiceName, number>>;
  readonly settings: Settings;
  /** Most runs have transactions; in the others only what design promises without them is checked. */
  readonly delivery: Delivery;
  /** Processes differ by up to so much in what they take for the time of day. */
  readonly skewMsMax: number;
}

export function planOf(seed: number, politenessKey: PolitenessKey = "host"): Plan {
  const random = seededRandom(seed);
  const budgets = budgetShapeOf(random.fork("budgets"));
  const usualPartitions = random.between(1, 4);
  const partitions = budgets?.partitions ?? usualPartitions;
  const settings = settingsOf(random.fork("settings"), politenessKey);
  // One large host and a fetcher that wakes in the middle of its crawl, where others have gone on with it.
  const wakesLate = random.fork("shape").chance(0.05);
  const delivery: Delivery = random.fork("delivery").chance(0.15) ? "at-least-once" : "exactly-once";
  // Limits hold with transactions only.
  const stop = budgets === null && delivery === "exactly-once" ? stopOf(random.fork("stop")) : null;
  const isLong = wakesLate || stop !== null;
  const work = workOf(random.fork("work"), settings, isLong, politenessKey, budgets);
  const { hosts, jobs, actions } = stop === null ? work : withStop(stop, work);
  const usualFrontiers = random.between(1, 2);
  const instances = {
    frontier: budgets?.frontiers ?? usualFrontiers,
    "rate-limit": random.chance(0.3) ? 2 : 1,
    fetcher: random.chance(0.65) || wakesLate ? 2 : 1,
    "result-sink": 1,
  };
  const dice = random.fork("faults");
  const calm = dice.chance(0.05) || stop !== null;
  const rates = {
    commit: !calm && dice.chance(0.3) ? 0.02 : 0,
    fetchTwice: !calm && dice.chance(0.3) ? 0.05 : 0,
    fetchDelayed: !calm && dice.chance(0.3) ? 0.05 : 0,
    lateBatch: 0.5,
  };
  return {
    seed,
    partitions,
    politenessKey,
    hosts,
    jobs,
    actions,
    budgets: budgetsOfPolicy(budgets?.random.fork("policy"), jobs),
    faults: calm
      ? []
      : [
          ...(wakesLate ? lateWakes(dice) : []),
          ...faultsOf(dice, partitions, instances),
          ...clockJumps(random.fork("clock jumps"), settings, jobs),
          ...fullStates(random.fork("full states")),
        ],
    rates,
    instances,
    settings,
    delivery,
    skewMsMax: dice.chance(0.25) ? ([200, 3000, 3_600_000][dice.between(0, 2)] ?? 0) : 0,
  };
}

/** Number of pages: a dozen mostly, hundreds once in a while. */
function pagesOf(random: Random): number {
  return Math.min(400, Math.round(1 + 5 / (1 - random.next()) ** 0.65));
}

function workOf(
  random: Random,
  settings: Settings,
  isLong: boolean,
  politenessKey: PolitenessKey,
  budgets: BudgetShape | null,
): { hosts: readonly HostDefinition[]; jobs: readonly JobPlan[]; actions: readonly Action[] } {
  const jobCount = isLong ? 1 : random.chance(0.25) ? 2 : random.chance(0.05) ? 3 : 1;
  const shared = jobCount > 1 && random.chance(0.4);
  const groups: number[][] = [];
  let count = 0;
  for (let group = 0; group < (shared ? 1 : jobCount); group += 1) {
    const size = isLong ? 1 : random.between(1, 4) + (budgets?.moreHosts ?? 0);
    groups.push(Array.from({ length: size }, (_, index) => count + index));
    count += size;
  }
  const limited = Array.from({ length: jobCount }, () => !isLong && random.chance(0.35));
  // Without end only where every job that may get there has a limit.
  const traps = new Set(
    groups.flatMap((group, index) => {
      const all = shared ? limited.every(Boolean) : limited[index] === true;
      return all && random.chance(0.3) ? [group[random.between(0, group.length - 1)] ?? 0] : [];
    }),
  );
  const mapped = random.fork("hidden pages");
  const hasSitemaps = mapped.chance(0.12);
  const plain = sitesOf(random.fork("sites"), {
    hosts: count,
    domains: budgets?.domains ?? (politenessKey === "host" ? null : 2),
    pages: isLong ? random.between(35, 60) : pagesOf(random),
    groups,
    traps,
    latencyMsMax: settings.requestMsMax - 300,
    troublesMax: 3,
  });
  const redirects = random.fork("robots elsewhere");
  const own = hasSitemaps ? withSitemaps(mapped, plain, groups) : plain;
  const hosts = redirects.chance(0.12) ? withRobotsElsewhere(redirects, own, groups) : own;
  const jobs: JobPlan[] = [];
  const actions: Action[] = [];
  for (let number = 0; number < jobCount; number += 1) {
    const group = groups[shared ? 0 : number] ?? [0];
    const drawn = jobOf(
      random.fork(`job ${number}`),
      number,
      group,
      hosts,
      limited[number] === true,
      traps,
      settings,
      hasSitemaps && mapped.chance(0.8),
    );
    const rarely = random.fork(`rarities ${number}`);
    const usual = isLong
      ? drawn
      : withEarlySeeds(rarely.fork("early"), withPerMinute(rarely, drawn, settings, hosts), settings, hosts);
    const planned = budgets === null ? usual : withBudgets(budgets.random.fork(`job ${number}`), usual);
    jobs.push(planned.plan);
    actions.push(...planned.actions);
  }
  if (random.chance(0.1)) actions.push({ kind: "poison", atMs: random.between(0, 3000), text: '{"url": 7}' });
  if (random.chance(0.05))
    actions.push({ kind: "poison", atMs: random.between(0, 3000), text: "http://[bad" });
  const tables = random.fork("table poison");
  if (tables.chance(0.12)) {
    for (let number = tables.between(1, 3); number > 0; number -= 1) {
      const key = `poison-${number}`;
      actions.push({ kind: "job_poison", atMs: tables.between(0, 6000), key, text: `{"id": "${key}"` });
    }
  }
  return { hosts, jobs, actions };
}

function jobOf(
  random: Random,
  number: number,
  group: readonly number[],
  hosts: readonly HostDefinition[],
  limited: boolean,
  traps: ReadonlySet<number>,
  settings: Settings,
  followsSitemaps: boolean,
): { plan: JobPlan; actions: readonly Action[] } {
  const seedHosts = group.filter((_, index) => index === 0 || random.chance(0.5));
  const seeds = seedHosts.map((host) => ({ host, path: "/" }));
  // A trap needs a limit that ends it.
  const endless = group.some((host) => traps.has(host));
  const limit = !limited ? "none" : ((["pages", "depth", "pages"] as const)[random.between(0, 2)] ?? "pages");
  const timed = !endless && random.chance(0.05);
  const job = jobSchema.parse({
    id: `job-${number}`,
    seeds: seeds.map((seed) => urlOf(hosts, seed)),
    scope: {
      kind: random.chance(0.3) ? "host" : "any",
      sitemaps: followsSitemaps ? "follow" : "ignore",
    },
    limits: {
      maxPages: limit === "pages" ? random.between(1, 30) : null,
      maxDepth: limit === "depth" ? random.between(0, 4) : null,
      maxDurationMs: timed ? random.between(1000, 6000) : null,
    },
    politeness: {
      delayMs: random.chance(0.1)
        ? 0
        : random.chance(0.2)
          ? random.between(300, 1000)
          : random.between(20, 250),
      concurrencyPerHost: random.chance(0.2) ? random.between(2, 3) : 1,
      delayMaxMs: 600,
    },
    fetch: { totalTimeoutMs: settings.requestMsMax, attemptsMax: random.between(1, 3) },
  });
  const atMs = random.chance(0.3) ? random.between(0, 2000) : 0;
  const actions: Action[] = [{ kind: "job", atMs, job }];
  const quiet: { fromMs: number; untilMs: number }[] = [];
  let isCut = timed;
  const stops = random.next();
  if (stops < 0.1) {
    const fromMs = atMs + random.between(200, 3000);
    const untilMs = fromMs + random.between(500, 12_000);
    quiet.push({ fromMs, untilMs });
    actions.push({ kind: "job", atMs: fromMs, job: { ...job, desired: "paused" } });
    actions.push({ kind: "job", atMs: untilMs, job });
  } else if (stops < 0.2) {
    const fromMs = atMs + random.between(100, 4000);
    quiet.push({ fromMs, untilMs: Number.POSITIVE_INFINITY });
    actions.push({ kind: "job", atMs: fromMs, job: { ...job, desired: "cancelled" } });
    isCut = true;
  }
  const lateSeeds: { host: number; path: string }[] = [];
  if (random.chance(0.15)) {
    const seed = {
      host: group[random.between(0, group.length - 1)] ?? 0,
      path: `/p/${random.between(1, 4)}`,
    };
    lateSeeds.push(seed);
    const url = urlOf(hosts, seed);
    actions.push({
      kind: "seed",
      atMs: atMs + random.between(0, 4000),
      url,
      job: job.id,
      times: random.between(1, 2),
    });
  }
  const again = !isCut && quiet.length === 0 && random.chance(0.04);
  return { plan: { job, hosts: group, isCut, seeds, lateSeeds, quiet, again }, actions };
}
