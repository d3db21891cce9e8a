/** Which budgets of its job a URL falls under: from the job's record and the URL alone. */
import { hostOf, type Job, type SharedUnit } from "@sluice/records";
import { registrableDomain, suspicionOf, type Suspicion } from "@sluice/web";

export type BudgetReason =
  | "host_pages"
  | "path_pages"
  | "domain_pages"
  | "domain_hosts"
  | `trap_${Suspicion}`;

/** Pages in a row of a host that look like one of endlessly many and lead to nothing new. */
export const trapPagesMax = 40;

export interface Budget {
  readonly reason: BudgetReason;
  /** Under which it is stored: as unique as what it counts. No bar in it. */
  readonly name: string;
  readonly max: number;
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
      shared: null,
    });
  return budgets;
}

const none: readonly Budget[] = [];

/** Those of a URL, those for its path alone last. @param root the URL itself where it is a seed */
export function budgetsOf(
  job: Job,
  { url, root }: { readonly url: string; readonly root: string | null },
): readonly Budget[] {
  const suspicion = job.scope.traps === "follow" || root === url ? null : suspicionOf(url);
  if (suspicion === null && !hasBudgets(job)) return none;
  const host = hostOf(url);
  const { perPath } = job.limits;
  const budgets = [...budgetsOfHost(job, host), ...(suspicion === null ? [] : [trapBudget(suspicion, host)])];
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
              detail: `${pagesMax} pages of ${host} below ${prefix}`,
              shared: null,
            },
          ]
        : [],
    ),
  ];
}

/** Pages that look like one of endlessly many: what they use up is theirs again with each that leads to something new. */
export function trapBudget(suspicion: Suspicion, host: string): Budget {
  return {
    reason: `trap_${suspicion}`,
    name: `t/${suspicion}/${host}`,
    max: trapPagesMax,
    detail: `${trapPagesMax} such pages of ${host} in a row led to nothing new`,
    shared: null,
  };
}

export const domainBudgetName = (unit: SharedUnit, domain: string): string =>
  `${unit === "hosts" ? "n" : "d"}/${domain}`;

function domainBudget(unit: SharedUnit, domain: string, max: number): Budget {
  return {
    reason: unit === "hosts" ? "domain_hosts" : "domain_pages",
    name: domainBudgetName(unit, domain),
    max,
    detail: `${max} ${unit} of ${domain}`,
    shared: { unit, domain },
  };
}

function pathOf(url: string): string {
  const from = url.indexOf("/", url.indexOf("://") + 3);
  return from < 0 ? "/" : url.slice(from);
}
