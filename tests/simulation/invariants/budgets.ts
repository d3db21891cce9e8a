/**
 * Budgets of jobs, read anew from the plan: never one more than they allow, neither in the results nor in what the
 * servers were asked for, and used up where the graph has enough.
 */
import { jobSchema } from "@sluice/records";
import { foundBy } from "../oracle.ts";
import type { Report } from "../observer.ts";
import type { JobPlan, Plan } from "../plan.ts";
import type { Target } from "../site.ts";

/** What a run of a job has left behind, as far as budgets are concerned. */
export interface Spending {
  readonly plan: Plan;
  readonly jobPlan: JobPlan;
  readonly name: string;
  /** By URL that has a result. */
  readonly outcomes: ReadonlyMap<string, string>;
  /** URLs that were released. */
  readonly released: ReadonlySet<string>;
  /** Why URLs were given up, from events. */
  readonly reasons: ReadonlyMap<string, string>;
}

interface Budget {
  readonly name: string;
  readonly reason: string;
  readonly max: number;
  /** Whether the page is one of those that it counts; of a budget of hosts, whether its host is one of the domain's. */
  readonly counts: (at: Place) => boolean;
}

interface Place {
  readonly host: string;
  readonly domain: string;
  readonly path: string;
}

/** In the simulated web the last two labels of a host name are its registrable domain. */
function placeOf(url: string): Place {
  const [, , host = ""] = url.split("/");
  return {
    host,
    domain: host.split(".").slice(-2).join("."),
    path: url.slice("http://".length + host.length),
  };
}

/** @param limits of a job that an older version stored, some may be missing */
function budgetsAt({ job }: JobPlan, place: Place): readonly Budget[] {
  const { perHost, perDomain, perPath } = jobSchema.parse(job).limits;
  const inDomain = ({ domain }: Place): boolean => domain === place.domain;
  const onHost = ({ host }: Place): boolean => host === place.host;
  const all: readonly (Omit<Budget, "max"> & { readonly max: number | null })[] = [
    { name: `pages of ${place.host}`, reason: "host_pages", max: perHost.pagesMax, counts: onHost },
    { name: `pages of ${place.domain}`, reason: "domain_pages", max: perDomain.pagesMax, counts: inDomain },
    { name: `hosts of ${place.domain}`, reason: "domain_hosts", max: perDomain.hostsMax, counts: inDomain },
    ...perPath
      .filter(({ prefix }) => place.path.startsWith(prefix))
      .map(({ prefix, pagesMax }) => ({
        name: `pages of ${place.host} below ${prefix}`,
        reason: "path_pages",
        max: pagesMax,
        counts: (at: Place) => onHost(at) && at.path.startsWith(prefix),
      })),
  ];
  return all.flatMap(({ max, ...budget }) => (max === null ? [] : [{ ...budget, max }]));
}

/** All that any of the URLs falls under, each once. */
function budgetsOver(jobPlan: JobPlan, urls: readonly string[]): readonly Budget[] {
  const found = new Map<string, Budget>();
  for (const url of urls)
    for (const budget of budgetsAt(jobPlan, placeOf(url))) found.set(budget.name, budget);
  return [...found.values()];
}

export function hasBudgets({ job }: JobPlan): boolean {
  const { perHost, perDomain, perPath } = jobSchema.parse(job).limits;
  const some = [perHost.pagesMax, perDomain.pagesMax, perDomain.hostsMax].some((max) => max !== null);
  return some || perPath.length > 0;
}

/** How much of a budget is used up: pages that have a result, or hosts of which a page was released. */
function usedOf({ reason, counts }: Budget, { outcomes, released }: Spending): number {
  if (reason === "domain_hosts") return hostsIn([...released].map(placeOf).filter(counts)).size;
  return [...outcomes.keys()].filter((url) => counts(placeOf(url))).length;
}

const hostsIn = (places: readonly Place[]): ReadonlySet<string> => new Set(places.map(({ host }) => host));

/** For one run of a job: limits in its results, and what is missing. */
export function checkSpending(spending: Spending, report: Report): void {
  const { jobPlan, name, outcomes, released, reasons } = spending;
  for (const budget of budgetsOver(jobPlan, [...outcomes.keys(), ...released])) {
    const used = usedOf(budget, spending);
    if (used > budget.max)
      report("a budget is never exceeded", `${name}, ${budget.name}: ${used} of ${budget.max}`);
  }
  for (const [url, reason] of reasons) {
    const cause = budgetsAt(jobPlan, placeOf(url)).filter((budget) => budget.reason === reason);
    if (cause.length > 0 && cause.every((budget) => usedOf(budget, spending) < budget.max))
      report("a page is cut off by a budget that is used up", `${name} ${url} ${reason}`);
  }
  if (!jobPlan.isCut) checkUsedUp(spending, report);
}

/** Whatever was found has a result, unless something that it falls under is used up to the last. */
function checkUsedUp(spending: Spending, report: Report): void {
  const { plan, jobPlan, name, outcomes, released } = spending;
  const { maxPages } = jobPlan.job.limits;
  if (maxPages !== null && outcomes.size >= maxPages) return;
  const asked = hostsIn([...released].map(placeOf));
  for (const url of foundBy(plan, jobPlan, outcomes).keys()) {
    if (outcomes.has(url)) continue;
    const place = placeOf(url);
    const full = budgetsAt(jobPlan, place).filter(
      (budget) =>
        usedOf(budget, spending) >= budget.max &&
        !(budget.reason === "domain_hosts" && asked.has(place.host)),
    );
    if (full.length > 0) continue;
    const used = budgetsAt(jobPlan, place).map(
      (budget) => `${budget.name}: ${usedOf(budget, spending)} of ${budget.max}`,
    );
    report("budgets are used up where there are enough pages", `${name} without ${url}; ${used.join(", ")}`);
  }
}

/**
 * What the servers were asked for, over all runs of a job whose hosts are its own. A page that was asked for and has no
 * result has given its unit back: robots.txt has changed since, or its host was given up.
 */
export function checkVisits(
  plan: Plan,
  jobPlan: JobPlan,
  spent: readonly Pick<Spending, "outcomes" | "reasons">[],
  visited: ReadonlyMap<number, ReadonlySet<string>>,
  report: Report,
): void {
  const isAlone = plan.jobs.every(
    (other) => other === jobPlan || !other.hosts.some((host) => jobPlan.hosts.includes(host)),
  );
  // What a cancel has cut off before its result is given up without an event.
  if (!isAlone || jobPlan.isCut) return;
  const pages: string[] = [];
  const hosts: Place[] = [];
  for (const number of jobPlan.hosts) {
    for (const path of visited.get(number) ?? []) {
      const url = pageUrl(plan, { host: number, path });
      if (url === null) continue;
      hosts.push(placeOf(url));
      const isHad = spent.some(({ outcomes }) => outcomes.has(url));
      if (isHad || !spent.some(({ reasons }) => reasons.has(url))) pages.push(url);
    }
  }
  for (const budget of budgetsOver(jobPlan, pages)) {
    const seen =
      budget.reason === "domain_hosts"
        ? hostsIn(hosts.filter(budget.counts)).size
        : pages.filter((other) => budget.counts(placeOf(other))).length;
    if (seen > budget.max * spent.length)
      report(
        "servers are asked for no page beyond a budget",
        `${jobPlan.job.id}, ${budget.name}: ${seen} of ${budget.max} in ${spent.length} runs`,
      );
  }
}

/** Null for robots.txt and sitemaps, which are no pages. */
function pageUrl({ hosts }: Plan, { host, path }: Target): string | null {
  const definition = hosts[host];
  const isFile = definition?.sitemaps?.files.has(path) === true || path === "/sitemap.xml";
  if (definition === undefined || isFile || path.startsWith("/robots") || path.startsWith("/maps/"))
    return null;
  return `http://${definition.name}${path}`;
}
