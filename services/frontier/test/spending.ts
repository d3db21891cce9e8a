/** Worlds in which budgets matter, and what jobs may use up of them, counted anew from what the world saw. */
import { hostOf, jobSchema, openOf, politenessKeyOf, type Job, type PolitenessKey } from "@sluice/records";
import { Random } from "@sluice/topology/testing";
import { registrableDomain } from "@sluice/web";
import { expect } from "vitest";
import { defaultFrontierOptions } from "../src/options.ts";
import { Cluster, type Chances } from "./cluster.ts";
import { checkTask } from "./invariants.ts";
import { Web } from "./web.ts";

const faults: Chances = { detour: 0.15, crash: 0.01, restart: 0.01, commit: 0.2, hold: 0.005 };
const calm: Chances = { ...faults, crash: 0, restart: 0, hold: 0 };
const held: Chances = { ...calm, hold: 0.03 };
const fates = [
  { failed: 0.1, refused: 0.15, redirect: 0.1 },
  // Units come back all the time.
  { failed: 0.05, refused: 0.5, redirect: 0.05 },
];

export interface World {
  readonly random: Random;
  readonly web: Web;
  readonly cluster: Cluster;
  readonly start: readonly string[];
}

/** Several hosts of few registrable domains, with pages in folders. */
export function worldOf(seed: number): World {
  const random = new Random(seed);
  const domains = 1 + random.below(3);
  const hosts = 1 + random.below(random.chance(0.7) ? 5 : 14);
  const urlAt = (index: number): string =>
    `https://h${random.below(hosts)}.d${random.below(domains)}.example/${random.pick(["", "a/", "a/b/", "c/"])}${index}`;
  const politenessKey: PolitenessKey = random.chance(0.3) ? "registrable-domain" : "host";
  const keyOf = (host: string): string => politenessKeyOf(politenessKey, host, registrableDomain);
  const web = new Web(random, 10 + random.below(60), 1, random.pick(fates), urlAt, keyOf);
  const options = {
    ...defaultFrontierOptions,
    politenessKey,
    releasedMax: 1 + random.below(random.chance(0.3) ? 3 : 20),
    grantsAtOnce: 1 + random.below(6),
  };
  const chances = random.pick([calm, held, faults, faults]);
  const cluster = new Cluster(2 + random.below(11), random, web, chances, options);
  const start = [...new Set(Array.from({ length: 1 + random.below(3) }, () => random.pick(web.urls)))];
  return { random, web, cluster, start };
}

export function limitsOf(random: Random): Job["limits"] {
  const some = (most: number): number | null => (random.chance(0.6) ? 1 + random.below(most) : null);
  return jobSchema.parse({
    id: "job",
    limits: {
      maxPages: random.chance(0.4) ? 1 + random.below(40) : null,
      perHost: { pagesMax: some(12) },
      perDomain: { pagesMax: some(20), hostsMax: some(4) },
      perPath: ["/a/", "/a/b/", "/c/"].flatMap((prefix) => {
        const pagesMax = some(6);
        return pagesMax === null ? [] : [{ prefix, pagesMax }];
      }),
    },
  }).limits;
}

const pathOf = (url: string): string => new URL(url).pathname;

/** By what each budget counts: how much of it the results have used up, with what it allows. */
function spending(
  limits: Job["limits"],
  results: readonly string[],
  asked: ReadonlySet<string>,
): (url: string) => readonly { readonly name: string; readonly used: number; readonly max: number }[] {
  const { perHost, perDomain, perPath } = limits;
  const on = (is: (url: string) => boolean): number => results.filter(is).length;
  return (url) => {
    const host = hostOf(url);
    const domain = registrableDomain(host);
    const inDomain = (other: string): boolean => registrableDomain(hostOf(other)) === domain;
    const hosts = [...asked].filter((other) => registrableDomain(other) === domain);
    const all = [
      { name: `pages of ${host}`, used: on((other) => hostOf(other) === host), max: perHost.pagesMax },
      { name: `pages of ${domain}`, used: on(inDomain), max: perDomain.pagesMax },
      ...perPath
        .filter(({ prefix }) => pathOf(url).startsWith(prefix))
        .map(({ prefix, pagesMax }) => ({
          name: `pages of ${host}${prefix}`,
          used: on((other) => hostOf(other) === host && pathOf(other).startsWith(prefix)),
          max: pagesMax,
        })),
      // A host that is among them has its unit.
      { name: `hosts of ${domain}`, used: asked.has(host) ? 0 : hosts.length, max: perDomain.hostsMax },
    ];
    return all.flatMap(({ name, used, max }) => (max === null ? [] : [{ name, used, max }]));
  };
}

export function checkLimits(limits: Job["limits"], cluster: Cluster): void {
  const asked = new Set(cluster.due.map(({ url }) => hostOf(url)));
  const spent = spending(limits, cluster.results, asked);
  for (const url of cluster.results)
    for (const { name, used, max } of spent(url))
      if (used > max) throw new Error(`${name}: ${used}, at most ${max}`);
  const { maxPages, perDomain } = limits;
  if (maxPages !== null && cluster.results.length > maxPages) throw new Error("more than maxPages");
  const hosts = new Map<string, number>();
  for (const host of asked) hosts.set(registrableDomain(host), (hosts.get(registrableDomain(host)) ?? 0) + 1);
  for (const [domain, count] of hosts)
    if (count > (perDomain.hostsMax ?? Infinity)) throw new Error(`${domain}: ${count} hosts`);
}

/** Nothing that was found is missing, unless something that it counts in is used up to the last. */
export function checkUsedUp(
  limits: Job["limits"],
  web: Web,
  cluster: Pick<Cluster, "results" | "due">,
  start: readonly string[],
): void {
  if (limits.maxPages !== null && cluster.results.length >= limits.maxPages) return;
  const had = new Set(cluster.results);
  const asked = new Set(cluster.due.map(({ url }) => hostOf(url)));
  const spent = spending(limits, cluster.results, asked);
  const found = new Set(start);
  for (const url of found) {
    const { fate, links } = web.page(url);
    if (had.has(url)) {
      if (fate !== "failed") for (const link of links) found.add(link);
      continue;
    }
    if (fate === "refused") continue;
    const full = spent(url).filter(({ used, max }) => used === max);
    if (full.length === 0) throw new Error(`${url} is missing: ${JSON.stringify(spent(url))}`);
  }
}

/** Takes steps until the job has ended, and checks the account. */
export function runToEnd(cluster: Cluster, each: (step: number) => void): void {
  for (let step = 0; cluster.terminal.length === 0; step += 1) {
    if (step === 60_000) throw new Error("the job did not end");
    const busy = cluster.step();
    if (step % 13 === 0) for (const driver of cluster.tasks) checkTask(driver.state);
    each(step);
    if (!busy && cluster.terminal.length === 0) cluster.settleAndWait();
  }
  for (const driver of cluster.tasks) {
    driver.end();
    for (const view of driver.state.views.values()) expect(openOf(view.tally)).toBe(0);
  }
  const [end] = cluster.terminal;
  if (end?.type !== "job_completed") throw new Error("no end");
  expect(end.admitted).toBe(end.done + end.failed + end.skipped);
  expect(end.done + end.failed).toBe(cluster.results.length);
}
