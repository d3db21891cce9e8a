/** Which budgets a URL falls under: from the job's record, from what policies say of its host, and from the URL alone. */
import { hostOf, type Job, type SharedUnit } from "@sluice/records";
import { registrableDomain, suspicionOf, type Suspicion } from "@sluice/web";
import type { Ceilings } from "./ceilings.ts";
import { strayBudget, trapBudget, type TrapBudget, type TrapRule } from "./trap-rules.ts";

export type BudgetReason =
  | "host_pages"
  | "path_pages"
  | "domain_pages"
  | "domain_hosts"
  | TrapBudget["reason"];

export interface Budget {
  readonly reason: BudgetReason;
  /** Under which it is stored: as unique as what it counts. No bar in it. */
  readonly name: string;
  /** Of a trap it follows from what its pages have led to. */
  readonly max: number;
  readonly trap: TrapRule | null;
  /** A sentence for people, once it is spent. */
  readonly detail: string;
  /** Of all tasks together; null: everything that it counts is on this task. */
  readonly shared: { readonly unit: SharedUnit; readonly domain: string } | null;
  /** The job has it, whatever policies say: each URL that is released has its unit. Else those that say so (`OpenEntry.units`). */
  readonly isOfJob: boolean;
}

/** Some budget of the job, or of a policy, is for hosts or paths. */
export function hasBudgets({ limits: { perHost, perDomain, perPath } }: Job, ceilings: Ceilings): boolean {
  return (
    ceilings.some ||
    perHost.pagesMax !== null ||
    perDomain.pagesMax !== null ||
    perDomain.hostsMax !== null ||
    perPath.length > 0
  );
}

/** Those that all pages of a host fall under. A task that lacks a unit of an earlier one keeps none of a later one. */
export function budgetsOfHost(job: Job, host: string, ceilings: Ceilings): readonly Budget[] {
  const budgets: Budget[] = [];
  const { perHost, perDomain } = job.limits;
  if (perDomain.hostsMax !== null || perDomain.pagesMax !== null || ceilings.some) {
    const domain = registrableDomain(host);
    const { hostsMax, pagesMax } = ceilings.of(domain).perDomain ?? {};
    budgets.push(...domainBudget("hosts", domain, limitOf(perDomain.hostsMax, hostsMax)));
    budgets.push(...domainBudget("pages", domain, limitOf(perDomain.pagesMax, pagesMax)));
  }
  const limit = limitOf(perHost.pagesMax, ceilings.of(host).perHost?.pagesMax);
  if (limit !== null) {
    const name = `h/${host}`;
    budgets.push({ reason: "host_pages", name, ...saidOf(limit, `pages of ${host}`), shared: null });
  }
  return budgets;
}

interface Limit {
  readonly max: number;
  readonly isOfJob: boolean;
  /** It is lower than the job's, or the job has none. */
  readonly isOfPolicy: boolean;
}

/** The lesser of what a job allows and what a policy does; null: neither has a limit. */
function limitOf(ofJob: number | null, ofPolicy: number | null | undefined): Limit | null {
  const max = Math.min(ofJob ?? Infinity, ofPolicy ?? Infinity);
  return max === Infinity ? null : { max, isOfJob: ofJob !== null, isOfPolicy: max !== ofJob };
}

function saidOf(
  { max, isOfJob, isOfPolicy }: Limit,
  what: string,
): Pick<Budget, "max" | "isOfJob" | "detail" | "trap"> {
  return { max, isOfJob, trap: null, detail: `${max} ${what}${isOfPolicy ? ", by a policy" : ""}` };
}

/**
 * The host of which alone a budget of that name counts something; null where hosts share it. Beside those of `budgetsOf`
 * there is `m/`, the mark of a host that has its unit of its domain.
 */
export function hostOfUnits(name: string): string | null {
  const [kind, ...parts] = name.split("/");
  if (kind === "h" || kind === "m" || kind === "p") return parts[0] ?? null;
  return kind === "t" && parts[0] !== "host" ? (parts[1] ?? null) : null;
}

/** What follows the kind in the name of a budget of a host: the host, or the domain. */
export const hostOfBudget = (name: string): string => name.slice(name.indexOf("/") + 1);

/** The one of that name among those of hosts, where there is such a one now. */
export const budgetOfHost = (job: Job, name: string, ceilings: Ceilings): Budget | undefined =>
  budgetsOfHost(job, hostOfBudget(name), ceilings).find((each) => each.name === name);

/** One that no policy sets any more: what was counted in it stays, should one be set again. */
export function formerBudget(name: string): Budget {
  const domain = hostOfBudget(name);
  const shared = name.startsWith("d/")
    ? { unit: "pages" as const, domain }
    : name.startsWith("n/")
      ? { unit: "hosts" as const, domain }
      : null;
  return { reason: "host_pages", name, max: Infinity, trap: null, detail: "", shared, isOfJob: false };
}

const none: readonly Budget[] = [];

/**
 * Those of a URL, those for its path alone last.
 * @param root the URL itself where it is a seed
 * @param look what the URL looks like, where that is known already
 */
export function budgetsOf(
  job: Job,
  { url, root, stray }: { readonly url: string; readonly root: string | null; readonly stray: boolean },
  ceilings: Ceilings,
  look?: Suspicion | null,
): readonly Budget[] {
  const isTrusted = job.scope.traps === "follow" || root === url;
  const suspicion = isTrusted ? null : look === undefined ? suspicionOf(url) : look;
  const isStray = stray && !isTrusted;
  if (suspicion === null && !isStray && !hasBudgets(job, ceilings)) return none;
  const host = hostOf(url);
  const budgets = [...budgetsOfHost(job, host, ceilings)];
  if (isStray) budgets.push(budgetOfTrap(strayBudget(host)));
  if (suspicion !== null) budgets.push(budgetOfTrap(trapBudget(suspicion, url, host)));
  budgets.push(...budgetsOfPath(job, url, host, ceilings));
  return budgets;
}

function budgetsOfPath({ limits }: Job, url: string, host: string, ceilings: Ceilings): readonly Budget[] {
  const { perPath } = limits;
  const { perPath: ofPolicy = [] } = ceilings.of(host);
  if (perPath.length === 0 && ofPolicy.length === 0) return none;
  const path = pathOf(url);
  const ceilingOf = (prefix: string): number =>
    ofPolicy.reduce((max, each) => (each.prefix === prefix ? Math.min(max, each.pagesMax) : max), Infinity);
  const found: Budget[] = [];
  const add = (prefix: string, name: string, limit: Limit | null): void => {
    if (limit === null || !path.startsWith(prefix)) return;
    const said = saidOf(limit, `pages of ${host} below ${prefix}`);
    found.push({ reason: "path_pages", name, ...said, shared: null });
  };
  for (const [index, { prefix, pagesMax }] of perPath.entries())
    add(prefix, `p/${host}/${index}`, limitOf(pagesMax, ceilingOf(prefix)));
  const own = new Set(perPath.map(({ prefix }) => prefix));
  // Policies change: their paths go by what they are, not by where they stand.
  for (const prefix of new Set(ofPolicy.map((each) => each.prefix)))
    if (!own.has(prefix))
      add(prefix, `p/${host}/${Buffer.from(prefix).toString("base64url")}`, limitOf(null, ceilingOf(prefix)));
  return found;
}

export const budgetOfTrap = (budget: TrapBudget): Budget => ({
  ...budget,
  max: Infinity,
  shared: null,
  isOfJob: true,
});

export const domainBudgetName = (unit: SharedUnit, domain: string): string =>
  `${unit === "hosts" ? "n" : "d"}/${domain}`;

function domainBudget(unit: SharedUnit, domain: string, limit: Limit | null): readonly Budget[] {
  if (limit === null) return none;
  const reason = unit === "hosts" ? "domain_hosts" : "domain_pages";
  const name = domainBudgetName(unit, domain);
  return [{ reason, name, ...saidOf(limit, `${unit} of ${domain}`), shared: { unit, domain } }];
}

function pathOf(url: string): string {
  const from = url.indexOf("/", url.indexOf("://") + 3);
  return from < 0 ? "/" : url.slice(from);
}
