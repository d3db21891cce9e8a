/** Hosts that answer beside hosts that never do, on all services with their real limits: what the former lose. */
import { jobSchema, type Job } from "@sluice/records";
import { defaultLimits, type RuntimeLimits } from "@sluice/runtime";
import { defaultFetcherOptions } from "../../services/fetcher/src/options.ts";
import { defaultFrontierOptions } from "../../services/frontier/src/options.ts";
import { defaultPaceOptions } from "../../services/rate-limit/src/options.ts";
import { planOf, type JobPlan, type Plan } from "./plan.ts";
import { settingsOf } from "./settings.ts";
import { seededRandom } from "@sluice/broker/memory";
import type { HostDefinition, PageDefinition } from "./site.ts";
import { World } from "./world.ts";

export interface TarpitOptions {
  readonly hosts: number;
  readonly tarpits: number;
  /** Between two requests to a host; so long that it alone limits the pace. */
  readonly delayMs: number;
  /** Slots of the fetcher for hosts that are prompt, and requests that need none. */
  readonly callsMax: number;
  readonly slowCallsMax: number;
}

const pagesPerHost = 4;
const urlsPerTarpit = 10;
const startsAtMs = 2000;
/** The tarpits come first, and stand in line before those that answer. */
const aheadMs = 500;

/** Simulated seconds in which the hosts that answer are crawled. */
export async function crawlBeside(options: TarpitOptions): Promise<number> {
  const plan = planBeside(options);
  const world = new World(plan);
  await world.open();
  const { clock, startMs } = world;
  for (const { job } of plan.jobs) {
    const atMs = startsAtMs + (job.id === "good" ? aheadMs : 0);
    clock.setTimer(startMs + atMs, () => world.submit(job));
  }
  const isOver = (): boolean =>
    world.violations.length > 0 || world.statuses().get("good")?.state === "ended";
  let over = false;
  const look = (): void => {
    over = isOver();
    if (!over) clock.setTimer(clock.nowMs() + 100, look);
  };
  look();
  await clock.runUntil(() => over, 3_600_000);
  const status = world.statuses().get("good");
  const wanted = options.hosts * pagesPerHost;
  if (world.violations.length > 0 || status?.done !== wanted)
    throw new Error(`${status?.done ?? 0} pages of ${wanted}: ${JSON.stringify(world.violations)}`);
  return (world.nowMs - startsAtMs - aheadMs) / 1000;
}

function planBeside({ hosts, tarpits, delayMs, callsMax, slowCallsMax }: TarpitOptions): Plan {
  const definitions = [
    ...Array.from({ length: hosts }, (_, n) => host(`good${n}.example`, chain(n), { kind: "up" })),
    ...Array.from({ length: tarpits }, (_, n) => host(`silent${n}.example`, new Map(), { kind: "tarpit" })),
  ];
  const names = definitions.map(({ name }) => name);
  const jobs = [
    job(
      "good",
      delayMs,
      names.slice(0, hosts).map((name) => `http://${name}/`),
    ),
    job(
      "silent",
      delayMs,
      names
        .slice(hosts)
        .flatMap((name) => Array.from({ length: urlsPerTarpit }, (_, n) => `http://${name}/${n}`)),
    ),
  ];
  const plans = jobs.map((each, number) =>
    planned(
      each,
      definitions.flatMap((_, n) => (n < hosts === (number === 0) ? [n] : [])),
    ),
  );
  return planAsOperated(definitions, plans, { ...defaultLimits, callsMax, slowCallsMax });
}

/** All services once, with their real limits, on 12 partitions, and nothing that goes wrong. */
export function planAsOperated(
  hosts: readonly HostDefinition[],
  jobs: readonly JobPlan[],
  runtime: RuntimeLimits = defaultLimits,
): Plan {
  return {
    ...planOf(1),
    partitions: 12,
    hosts,
    jobs,
    actions: [],
    budgets: null,
    faults: [],
    rates: { commit: 0, fetchTwice: 0, fetchDelayed: 0, lateBatch: 0 },
    instances: { frontier: 1, "rate-limit": 1, fetcher: 1, "result-sink": 1 },
    settings: {
      ...settingsOf(seededRandom(1)),
      requestMsMax: 30_000,
      runtime,
      frontier: defaultFrontierOptions,
      pace: defaultPaceOptions,
      fetcher: defaultFetcherOptions,
      lagMax: null,
      latencyMsMax: 3,
      nodes: 1,
    },
    delivery: "exactly-once",
    skewMsMax: 0,
  };
}

const job = (id: string, delayMs: number, seeds: readonly string[]): Job =>
  jobSchema.parse({ id, seeds, politeness: { delayMs }, urlEvents: "outcomes" });

export const planned = (each: Job, hosts: readonly number[]): JobPlan => ({
  job: each,
  hosts,
  isCut: true,
  seeds: [],
  lateSeeds: [],
  quiet: [],
  again: false,
});

export const host = (
  name: string,
  pages: ReadonlyMap<string, PageDefinition>,
  health: HostDefinition["health"],
): HostDefinition => ({
  name,
  pages,
  robots: { kind: "absent" },
  health,
  latencyMs: [1, 40],
  trap: false,
  retryAfterS: 1,
});

/** Each page leads to the next, so that a host's pace is its delay from the first to the last. */
function chain(number: number): ReadonlyMap<string, PageDefinition> {
  const pathOf = (page: number): string => (page === 0 ? "/" : `/p${page}`);
  return new Map(
    Array.from({ length: pagesPerHost }, (_, page) => {
      const href = pathOf(page + 1);
      const links = page + 1 < pagesPerHost ? [{ href, to: { host: number, path: href } }] : [];
      const definition: PageDefinition = {
        status: 200,
        location: null,
        links,
        troubles: 0,
        trouble: "reset",
        nofollow: false,
        fillBytes: 0,
      };
      return [pathOf(page), definition];
    }),
  );
}
