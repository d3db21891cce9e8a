/**
 * What a crawl has to find, by breadth first over the definitions of the simulated web: an independent reading of
 * the rules, without canonical URLs, robots.txt or retries of the product. Faults leave some things open (a host
 * that dies is found alive or dead); so for each URL it says what may become of it, and which are certain.
 */
import type { Job } from "@sluice/records";
import type { JobPlan, Plan } from "./plan.ts";
import {
  firstSitemaps,
  type HostDefinition,
  isForbidden,
  noSitemaps,
  pageAt,
  type Target,
  urlOf,
} from "./site.ts";

export interface Expectation {
  /** Every URL that may have a result, with the outcomes it may have and its least depth. */
  readonly may: ReadonlyMap<string, { readonly outcomes: ReadonlySet<string>; readonly depth: number }>;
  /** Those that must have one, if nothing cuts the job short. */
  readonly must: ReadonlySet<string>;
}

/** What becomes of one URL that is admitted. */
interface Fate {
  readonly outcomes: ReadonlySet<string>;
  /** It will have a result. */
  readonly isSettled: boolean;
  /** Its page may be had, so what it leads to may be found. */
  readonly mayBeRead: boolean;
  readonly isRead: boolean;
}

const redirectsMax = 10;

export function expectationOf(plan: Plan, jobPlan: JobPlan): Expectation {
  const may = new Map<string, { outcomes: ReadonlySet<string>; depth: number }>();
  const walked = walk(plan, jobPlan, [...jobPlan.seeds, ...jobPlan.lateSeeds], ({ mayBeRead }) => mayBeRead);
  for (const [url, { fate, depth }] of walked)
    if (fate.outcomes.size > 0) may.set(url, { outcomes: fate.outcomes, depth });
  const must = new Set<string>();
  for (const [url, { fate }] of walk(plan, jobPlan, jobPlan.seeds, ({ isRead }) => isRead))
    if (fate.isSettled) must.add(url);
  return { may, must };
}

/** What a run that had these pages had found: every URL that would have a result, if no limit of pages cut it off. */
export function foundBy(
  plan: Plan,
  jobPlan: JobPlan,
  outcomes: ReadonlyMap<string, string>,
): ReadonlyMap<string, Target> {
  const found = new Map<string, Target>();
  const isHad = ({ isRead }: Fate, url: string | null): boolean => {
    if (url === null) return isRead;
    const outcome = outcomes.get(url);
    return outcome === "ok" || outcome === "redirect";
  };
  for (const [url, { fate, target }] of walk(plan, jobPlan, jobPlan.seeds, isHad))
    if (fate.isSettled) found.set(url, target);
  return found;
}

/** Whether it is read, and so what it leads to is found. The URL is null for a sitemap, which has no result. */
type IsExpanded = (fate: Fate, url: string | null) => boolean;

interface Found {
  readonly target: Target;
  readonly depth: number;
  readonly redirects: number;
}

function walk(
  plan: Plan,
  { job }: JobPlan,
  from: readonly Target[],
  isExpanded: IsExpanded,
): ReadonlyMap<string, { readonly fate: Fate; readonly depth: number; readonly target: Target }> {
  const found = new Map<string, { fate: Fate; depth: number; target: Target }>();
  const queue: Found[] = from.map((target) => ({ target, depth: 0, redirects: 0 }));
  // A seed that comes later brings its own scope.
  const seedHosts = new Set(from.map(({ host }) => host));
  const { maxDepth } = job.limits;
  const told = new Set<number>();
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { target, depth, redirects } = next;
    const url = urlOf(plan.hosts, target);
    // Pages without end are looked at as far as any limit could let a crawl go.
    if (found.has(url) || found.size > 1000 || redirects > redirectsMax) continue;
    if (maxDepth !== null && depth > maxDepth) continue;
    if (job.scope.kind === "host" && !seedHosts.has(target.host)) continue;
    const host = plan.hosts[target.host];
    if (host === undefined) continue;
    const fate = fateOf(plan, host, target, job);
    found.set(url, { fate, depth, target });
    if (!isExpanded(fate, url)) continue;
    if (job.scope.sitemaps === "follow" && depth === 0 && !told.has(target.host)) {
      told.add(target.host);
      for (const to of mapped(plan, job, host, target.host, isExpanded))
        queue.push({ target: to, depth: 1, redirects: 0 });
    }
    const page = pageAt(host, target.host, target.path);
    // A redirect is no link: what it leads to comes before all that is deeper.
    if (page.location !== null) queue.unshift({ target: page.location.to, depth, redirects: redirects + 1 });
    else if (!page.nofollow)
      for (const { to } of page.links) queue.push({ target: to, depth: depth + 1, redirects: 0 });
  }
  return found;
}

const sitemapLevels = 3;

/** Pages that a host's sitemaps list, as far as its files are had. */
function mapped(
  plan: Plan,
  job: Job,
  host: HostDefinition,
  number: number,
  isHad: IsExpanded,
): readonly Target[] {
  const pages: Target[] = [];
  const seen = new Set<string>();
  let files: readonly Target[] = firstSitemaps(host, number);
  for (let level = 1; level <= sitemapLevels; level += 1) {
    const next: Target[] = [];
    for (const target of files) {
      const owner = plan.hosts[target.host];
      const file = (owner?.sitemaps ?? noSitemaps).files.get(target.path);
      const url = urlOf(plan.hosts, target);
      if (owner === undefined || file === undefined || seen.has(url)) continue;
      seen.add(url);
      if (!isHad(fateOf(plan, owner, target, job), null)) continue;
      // An index speaks for its own site alone: here each host is one.
      if (file.kind === "index") next.push(...file.listed.filter((each) => each.host === target.host));
      else if (file.kind !== "html") pages.push(...file.listed);
    }
    files = next;
  }
  return pages;
}

const never: Fate = { outcomes: new Set(), isSettled: false, mayBeRead: false, isRead: false };

function fateOf(plan: Plan, host: HostDefinition, { host: number, path }: Target, job: Job): Fate {
  const { robots, health } = host;
  const { pace } = plan.settings;
  /** A host in trouble may be given up with all its pages, where the run's settings do so within its time. */
  const elsewhere = robots.kind === "rules" ? plan.hosts[robots.elsewhere ?? -1] : undefined;
  const mayBeGivenUp =
    pace.deadAfterMs < 60_000 && (isTroubled(host) || (elsewhere !== undefined && isTroubled(elsewhere)));
  if (robots.kind === "broken" && health.kind === "up") return never;
  if (health.kind === "refused" || health.kind === "tarpit") {
    const outcome = health.kind === "refused" ? "connect" : "timeout_headers";
    return { ...never, outcomes: new Set([outcome]), isSettled: !mayBeGivenUp };
  }
  const page = pageAt(host, number, path);
  const own = page.status === 200 ? "ok" : page.status < 400 ? "redirect" : "http_4xx";
  const rules = robots.kind === "rules" ? robots : null;
  const forbidden = rules !== null && isForbidden(rules.disallow, path);
  const changes = rules !== null && Number.isFinite(rules.changesAtMs);
  const forbiddenLater = changes && isForbidden(rules.laterDisallow, path);
  const outcomes = new Set<string>();
  if (health.kind === "dying") outcomes.add(health.into === "refused" ? "connect" : "timeout_headers");
  if (health.kind === "recovering") outcomes.add("connect");
  // While robots.txt gets no answer, nobody knows that it forbids the page.
  if (forbidden && (!changes || forbiddenLater)) return { ...never, outcomes };
  outcomes.add(own);
  const fileTroubles = host.sitemaps?.files.get(path)?.troubles ?? 0;
  if (page.troubles > 0) outcomes.add(page.trouble === "http_500" ? "http_5xx" : page.trouble);
  // Each try of robots.txt may cost a page one of its own; a request that a crash made for nothing costs none.
  const troubles = page.troubles + fileTroubles + (rules?.troubles ?? 0);
  const isLucky = troubles < job.fetch.attemptsMax;
  const isUp = health.kind === "up" && robots.kind !== "broken";
  const isAsked = isUp && !forbidden && !forbiddenLater && !mayBeGivenUp;
  // Without an answer a page has a result too; only a robots.txt that can't be had takes it away.
  const isSettled = isAsked && (isLucky || (rules?.troubles ?? 0) === 0);
  return { outcomes, isSettled, mayBeRead: true, isRead: isAsked && isLucky };
}

function isTroubled({ health, pages, robots, sitemaps = noSitemaps }: HostDefinition): boolean {
  for (const { troubles } of sitemaps.files.values()) if (troubles > 0) return true;
  if (health.kind !== "up" || (robots.kind === "rules" && robots.troubles > 0)) return true;
  for (const page of pages.values()) if (page.troubles > 0) return true;
  return false;
}
