/** The crawl whose logs are recorded for the next version: without faults, with something of everything in its logs. */
import { jobSchema } from "@sluice/records";
import { defaultLimits } from "@sluice/runtime";
import { defaultFetcherOptions } from "../../services/fetcher/src/options.ts";
import { defaultFrontierOptions } from "../../services/frontier/src/options.ts";
import { defaultPaceOptions } from "../../services/rate-limit/src/options.ts";
import { defaultSinkOptions } from "../../services/result-sink/src/options.ts";
import type { JobPlan, Plan } from "./plan.ts";
import type { Settings } from "./settings.ts";
import { type HostDefinition, type Link, type PageDefinition, urlOf } from "./site.ts";

const requestMsMax = 700;

/** As an operator has them, but for times that fit a run of a minute. */
const settings: Settings = {
  requestMsMax,
  runtime: {
    ...defaultLimits,
    sessionTimeoutMs: 3000,
    commitIntervalMs: 100,
    commitSpacingMs: 20,
    drainMs: 2000,
    drainGraceMs: 1000,
  },
  frontier: defaultFrontierOptions,
  pace: { ...defaultPaceOptions, backOffBaseMs: 300, backOffMaxMs: 2000 },
  fetcher: { ...defaultFetcherOptions, robotsTimeoutMs: requestMsMax, robotsRetryMs: 300 },
  sink: { ...defaultSinkOptions, batchMax: 5, lingerMs: 50 },
  lagMax: null,
  latencyMsMax: 3,
  nodes: 3,
};

const hosts = ["a.example", "b.example", "c.example", "d.example"];

function pageOf(host: number, page: number, pages: number): PageDefinition {
  const to = (path: string, other = host): Link => ({
    href: other === host ? path : `http://${hosts[other] ?? ""}${path}`,
    to: { host: other, path },
  });
  const links: Link[] = [];
  for (let child = page * 2 + 1; child <= page * 2 + 2 && child < pages; child += 1)
    links.push(to(`/p/${child}`));
  if (page % 3 === 0) links.push(to(`/p/${page >> 1}`, (host + 1) % hosts.length));
  if (page % 5 === 0) links.push(to(`/gone/${page}`), to(`/private/${page}`));
  if (page === 2) links.push(to("/moved"));
  return {
    status: 200,
    location: null,
    links,
    // Some URLs are between two tries when the logs are taken.
    troubles: page % 7 === 4 ? 2 : 0,
    trouble: (["http_500", "http_429", "reset"] as const)[page % 3] ?? "reset",
    nofollow: false,
    fillBytes: 0,
  };
}

function hostOf(name: string, host: number): HostDefinition {
  const pages = 26 - host * 4;
  const made = new Map<string, PageDefinition>();
  for (let page = 0; page < pages; page += 1)
    made.set(page === 0 ? "/" : `/p/${page}`, pageOf(host, page, pages));
  made.set("/moved", {
    ...pageOf(host, pages, 0),
    status: 301,
    location: { href: "/p/1", to: { host, path: "/p/1" } },
    links: [],
    troubles: 0,
  });
  return {
    name,
    pages: made,
    robots: {
      kind: "rules",
      disallow: ["/private/"],
      crawlDelayS: host === 1 ? 0.3 : null,
      troubles: 0,
      changesAtMs: Number.POSITIVE_INFINITY,
      laterDisallow: [],
      redirected: false,
    },
    health: { kind: "up" },
    latencyMs: [5, 40],
    trap: false,
    retryAfterS: 1,
  };
}

function jobsOf(sites: readonly HostDefinition[]): readonly JobPlan[] {
  const jobOf = (id: string, on: readonly number[], limits: object): JobPlan => {
    const seeds = on.map((host) => ({ host, path: "/" }));
    const job = jobSchema.parse({
      id,
      seeds: seeds.map((seed) => urlOf(sites, seed)),
      scope: { kind: "host" },
      limits,
      politeness: { delayMs: 200, concurrencyPerHost: 1, delayMaxMs: 600 },
      fetch: { totalTimeoutMs: requestMsMax, attemptsMax: 4 },
    });
    return { job, hosts: on, isCut: false, seeds, lateSeeds: [], quiet: [], again: false };
  };
  return [jobOf("all", [0, 1, 2], {}), jobOf("limited", [3], { maxPages: 12 })];
}

/** A plan of these sites and jobs with nothing that goes wrong. */
export function calmPlan(
  partitions: number,
  sites: readonly HostDefinition[],
  jobs: readonly JobPlan[],
): Pick<
  Plan,
  | "seed"
  | "partitions"
  | "politenessKey"
  | "hosts"
  | "jobs"
  | "actions"
  | "budgets"
  | "faults"
  | "rates"
  | "instances"
> & {
  readonly settings: Settings;
  readonly skewMsMax: number;
  readonly delivery: "exactly-once";
} {
  return {
    seed: 1,
    partitions,
    politenessKey: "host",
    hosts: sites,
    jobs,
    actions: [],
    budgets: null,
    faults: [],
    rates: { commit: 0, fetchTwice: 0, fetchDelayed: 0, lateBatch: 0.5 },
    instances: { frontier: 2, "rate-limit": 1, fetcher: 2, "result-sink": 1 },
    settings,
    delivery: "exactly-once",
    skewMsMax: 0,
  };
}

/** The same with what its users do: a second record that can't be read, a seed that comes later. */
export function recordedPlan(): ReturnType<typeof calmPlan> {
  const sites = hosts.map(hostOf);
  const jobs = jobsOf(sites);
  return { ...calmPlan(3, sites, jobs), actions: jobs.map(({ job }) => ({ kind: "job", atMs: 0, job })) };
}
