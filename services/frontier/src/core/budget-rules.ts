/** Which budgets of its job a URL falls under: from the job's record and the URL alone. */
import { hostOf, type Job, type SharedUnit } from "@sluice/records";
import { registrableDomain, suspicionOf, type Suspicion } from "@sluice/web";
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
}

/** Some budget of the job is for hosts or paths. */
export function hasBudgets({ limits: { perHost, perDomain, perPath } }: Job): boolean {
  return (
    perHost.pagesMax !== null ||
    perDomain.pagesMax !== null ||
    perDomain.hostsMax !== null ||
    perPath.length > 0
  );
}

/** Those that all pages of a host fall under. A task that lacks a unit of an earlier one keeps none of a later one. */
export function budgetsOfHost({ limits: { perHost, perDomain } }: Job, host: string): readonly Budget[] {
  const budgets: Budget[] = [];
  const { pagesMax, hostsMax } = perDomain;
  if (hostsMax !== null || pagesMax !== null) {
    const domain = registrableDomain(host);
    if (hostsMax !== null) budgets.push(domainBudget("hosts", domain, hostsMax));
    if (pagesMax !== null) budgets.push(domainBudget("pages", domain, pagesMax));
  }
  if (perHost.pagesMax !== null)
    budgets.push({
      reason: "host_pages",
      name: `h/${host}`,
      max: perHost.pagesMax,
      detail: `${perHost.pagesMax} pages of ${host}`,
      trap: null,
      shared: null,
    });
  return budgets;
}

/** What follows the kind in the name of a budget of a host: the host, or the domain. */
export const hostOfBudget = (name: string): string => name.slice(name.indexOf("/") + 1);

/** The one of that name among those of hosts, where the job has it. */
export const budgetOfHost = (job: Job, name: string): Budget | undefined =>
  budgetsOfHost(job, hostOfBudget(name)).find((each) => each.name === name);

const none: readonly Budget[] = [];

/**
 * Those of a URL, those for its path alone last.
 * @param root the URL itself where it is a seed
 * @param look what the URL looks like, where that is known already
 */
export function budgetsOf(
  job: Job,
  { url, root, stray }: { readonly url: string; readonly root: string | null; readonly stray: boolean },
  look?: Suspicion | null,
): readonly Budget[] {
  const isTrusted = job.scope.traps === "follow" || root === url;
  const suspicion = isTrusted ? null : look === undefined ? suspicionOf(url) : look;
  const isStray = stray && !isTrusted;
  if (suspicion === null && !isStray && !hasBudgets(job)) return none;
  const host = hostOf(url);
  const { perPath } = job.limits;
  const budgets = [...budgetsOfHost(job, host)];
  if (isStray) budgets.push(budgetOfTrap(strayBudget(host)));
  if (suspicion !== null) budgets.push(budgetOfTrap(trapBudget(suspicion, url, host)));
  if (perPath.length === 0) return budgets;
  const path = pathOf(url);
  return [
    ...budgets,
    ...perPath.flatMap(({ prefix, pagesMax }, index): Budget[] =>
      path.startsWith(prefix)
        ? [
            {
              reason: "path_pages",
              name: `p/${host}/${index}`,
              max: pagesMax,
              trap: null,
              detail: `${pagesMax} pages of ${host} below ${prefix}`,
              shared: null,
            },
          ]
        : [],
    ),
  ];
}

export const budgetOfTrap = (budget: TrapBudget): Budget => ({ ...budget, max: Infinity, shared: null });

export const domainBudgetName = (unit: SharedUnit, domain: string): string =>
  `${unit === "hosts" ? "n" : "d"}/${domain}`;

function domainBudget(unit: SharedUnit, domain: string, max: number): Budget {
  return {
    reason: unit === "hosts" ? "domain_hosts" : "domain_pages",
    name: domainBudgetName(unit, domain),
    max,
    trap: null,
    detail: `${max} ${unit} of ${domain}`,
    shared: { unit, domain },
  };
}

function pathOf(url: string): string {
  const from = url.indexOf("/", url.indexOf("://") + 3);
  return from < 0 ? "/" : url.slice(from);
}
