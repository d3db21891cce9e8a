/** All that is drawn from a seed before a run begins: the web, jobs, settings of the services, and faults. */
import {
  type CommitFault,
  type Delivery,
  commitFaults,
  type FaultRates,
  type Random,
  seededRandom,
} from "@sluice/broker/memory";
import { jobSchema, type Job, type Policy, type PolicyBudgets, type PolitenessKey } from "@sluice/records";
import { type BudgetShape, budgetShapeOf, budgetsOfPolicy, withBudgets } from "./job-budgets.ts";
import { stopOf, withStop } from "./job-stops.ts";
import { settingsOf, type Settings } from "./settings.ts";
import { sitesOf } from "./site-plan.ts";
import { withRobotsElsewhere } from "./site-redirects.ts";
import { withSitemaps } from "./site-sitemaps.ts";
import { type HostDefinition, urlOf } from "./site.ts";

export const serviceNames = ["frontier", "rate-limit", "fetcher", "result-sink"] as const;
export type ServiceName = (typeof serviceNames)[number];

/** What goes wrong or is done to a process, at an instant of the run. */
export type Fault = { readonly atMs: number } & (
  | {
      readonly kind: "kill";
      readonly service: ServiceName;
      readonly index: number;
      readonly downMs: number;
      readonly loseState: boolean;
    }
  /** Dies in the middle of what it does: with the so many-th effect from that instant on. */
  | {
      readonly kind: "kill_at_effect";
      readonly service: ServiceName;
      readonly index: number;
      readonly effects: number;
      /** Only effects of this kind count; null: all. */
      readonly effect: string | null;
      readonly downMs: number;
      readonly loseState: boolean;
    }
  | { readonly kind: "freeze"; readonly service: ServiceName; readonly index: number; readonly forMs: number }
  | { readonly kind: "rebalance"; readonly service: ServiceName }
  | { readonly kind: "scale_out"; readonly service: ServiceName }
  | { readonly kind: "scale_in"; readonly service: ServiceName; readonly index: number }
  | { readonly kind: "consumer_crash"; readonly service: ServiceName; readonly index: number }
  | { readonly kind: "outage"; readonly forMs: number }
  | {
      readonly kind: "commit_fault";
      readonly service: ServiceName;
      readonly task: number;
      readonly fault: CommitFault;
    }
  | { readonly kind: "foreign_fence"; readonly service: ServiceName; readonly task: number }
  | { readonly kind: "compact" }
  /** The broker's time of day is set: processes that start from then on have another one than those before. */
  | { readonly kind: "clock_jump"; readonly aheadMs: number }
  | { readonly kind: "disk"; readonly trouble: "full" | "slow" | "failing"; readonly forMs: number }
);

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
    const usual = jobOf(
      random.fork(`job ${number}`),
      number,
      group,
      hosts,
      limited[number] === true,
      traps,
      settings,
      hasSitemaps && mapped.chance(0.8),
    );
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

/** The last fault begins before this instant of the run. */
export const faultsUntilMs = 7000;
/** And has ended, whatever it was, at this one. */
export const faultsOverMs = 20_000;

function faultsOf(random: Random, partitions: number, instances: Plan["instances"]): readonly Fault[] {
  const count = random.chance(0.1) ? random.between(6, 10) : random.between(1, 5);
  return Array.from({ length: count }, () => faultOf(random, partitions, instances)).sort(
    (a, b) => a.atMs - b.atMs,
  );
}

function faultOf(random: Random, partitions: number, instances: Plan["instances"]): Fault {
  const atMs = random.between(100, faultsUntilMs);
  const service = serviceNames[random.between(0, serviceNames.length - 1)] ?? "fetcher";
  const index = random.between(0, instances[service] - 1);
  const task = random.between(0, partitions - 1);
  const downMs = random.chance(0.5) ? random.between(0, 300) : random.between(300, 5000);
  const loseState = random.chance(0.5);
  const dice = random.between(0, 99);
  if (dice < 10) return { kind: "kill", atMs, service, index, downMs, loseState };
  if (dice < 38) {
    const effect = random.chance(0.5) ? (killPoints[random.between(0, killPoints.length - 1)] ?? null) : null;
    const effects = effect === null ? random.between(1, 60) : random.between(1, 4);
    const who = (effect === null ? undefined : onlyIn[effect]) ?? service;
    return { kind: "kill_at_effect", atMs, service: who, index, effects, effect, downMs, loseState };
  }
  if (dice < 58) return freezeOf(random, service);
  if (dice < 68) return { kind: "rebalance", atMs, service };
  if (dice < 76) return { kind: "scale_out", atMs, service: service === "result-sink" ? "fetcher" : service };
  if (dice < 80) return { kind: "scale_in", atMs, service, index };
  if (dice < 83) return { kind: "consumer_crash", atMs, service, index };
  if (dice < 87) return { kind: "outage", atMs, forMs: random.between(100, 6000) };
  if (dice < 92) {
    const fault = commitFaults[random.between(0, commitFaults.length - 1)] ?? "refused";
    return { kind: "commit_fault", atMs, service, task, fault };
  }
  if (dice < 94) return { kind: "foreign_fence", atMs, service, task };
  if (dice < 96) return { kind: "compact", atMs };
  const trouble = (["full", "slow", "failing"] as const)[random.between(0, 2)] ?? "full";
  return { kind: "disk", atMs, trouble, forMs: random.between(500, 8000) };
}

/**
 * By less than a lease, and than robots.txt is good for: what is promised of more is that an alarm tells it. The time limit of a job is kept by the clock of
 * whoever has the job, whatever that says.
 */
function clockJumps(random: Random, settings: Settings, jobs: readonly JobPlan[]): readonly Fault[] {
  const { frontier, fetcher } = settings;
  const shortestMs = Math.min(frontier.leaseMs, fetcher.robotsTtlMs);
  if (!random.chance(0.1) || shortestMs < 2 * clockJumpMsMax) return [];
  if (jobs.some(({ job }) => job.limits.maxDurationMs !== null)) return [];
  return Array.from({ length: random.between(1, 2) }, () => ({
    kind: "clock_jump",
    atMs: random.between(300, faultsUntilMs),
    aheadMs: random.between(-clockJumpMsMax, clockJumpMsMax),
  }));
}

const clockJumpMsMax = 20_000;

/** Two fetchers, of which each freezes once: one of them had the host. */
function lateWakes(random: Random): readonly Fault[] {
  const fault = (index: number, atMs: number): Fault => ({
    kind: "freeze",
    atMs,
    service: "fetcher",
    index,
    forMs: random.between(3200, 5000),
  });
  return [fault(0, random.between(800, 1500)), fault(1, random.between(6500, 7000))];
}

/** Most of them outlast the session, so that the process wakes when others have its tasks. */
function freezeOf(random: Random, drawn: ServiceName): Fault {
  const atMs = random.between(100, 4000);
  const service = random.chance(0.4) ? "fetcher" : drawn;
  const forMs = random.chance(0.3) ? random.between(300, 3000) : random.between(3000, 6500);
  return { kind: "freeze", atMs, service, index: random.between(0, 1), forMs };
}

/** The services that have an effect which the others have not. */
const onlyIn: Readonly<Partial<Record<string, ServiceName>>> = { request: "fetcher", disk: "result-sink" };

/** Effects at which a process may be made to die. */
export const killPoints = [
  "step",
  "fence",
  "request",
  "after_send",
  "after_send_offsets",
  "after_commit_sent",
  "after_commit_before_store",
  "after_assignment_before_fence",
  "disk",
] as const;
