/** What pages that may be one of endlessly many are counted by, and how many of them are followed in vain. */
import { isDay, registrableDomain, type Suspicion } from "@sluice/web";

/**
 * `pages`: each that was asked for. `leading`: each that led to more of its kind and to nothing else; one that
 * leads no further ends the row, since there is no trap without a way on. `strays`: each that leads to nothing but
 * other hosts, whether new or not, as its outcome says: so none is counted before its own links are known.
 */
type Counts = "pages" | "leading" | "strays";

export interface TrapRule {
  /** In a row before any of the kind has led anywhere. */
  readonly first: number;
  readonly counts: Counts;
}

export interface TrapBudget {
  readonly reason: `trap_${Suspicion | "host"}`;
  readonly name: string;
  readonly trap: TrapRule;
  readonly detail: string;
}

/** In a row once one, and once some of the kind have led to something. */
const laterMax = 40;
const provenMax = 100;
/** Pages that count as proof that it is no trap. */
export const proofsMax = 4;
/** In a row, whether or not they led to more of their kind. */
const vainMax = 200;

const rowMax = ({ first }: TrapRule, proofs: number): number =>
  proofs === 0 ? first : proofs < proofsMax ? laterMax : provenMax;

/** What is kept of a row. */
export interface Row {
  /** Pages that are under way. */
  readonly out: number;
  /** Pages that ended with a result since one led to something else. */
  readonly used: number;
  /** Pages in a row that led to more of their kind and to nothing else. */
  readonly leading: number;
  /** Pages that led to something else, counted up to `proofsMax`. */
  readonly proofs: number;
}

/**
 * Pages that may be asked for. Until one has led to something, those that grow are asked for one by one, so that what the first
 * leads to is looked at before its neighbours: a row of folders is no trap if the first of them ends in files.
 */
export function roomOfTrap(rule: TrapRule, { out, used, leading, proofs }: Row): number {
  const max = rowMax(rule, proofs);
  if (rule.counts !== "leading") return max - out - used;
  return (proofs === 0 ? Math.min(1, max - leading) : max - leading) - out;
}

/** So many in a row led to nothing else that the rest of the kind is given up. */
export function isFutile(rule: TrapRule, { used, leading, proofs }: Row): boolean {
  const max = rowMax(rule, proofs);
  return rule.counts === "leading" ? leading >= max || used >= vainMax : used >= max;
}

export const isOfTrap = (name: string): boolean => name.startsWith("t/");

/** A month has many days, and its page says as much: so days are given up earlier, and for themselves. */
const months: TrapRule = { first: 10, counts: "pages" };
const days: TrapRule = { first: 8, counts: "pages" };
const growing: TrapRule = { first: 5, counts: "leading" };
const hosts: TrapRule = { first: 1, counts: "strays" };

/** Of a URL that looks like one of endlessly many of its host. */
export function trapBudget(suspicion: Suspicion, url: string, host: string): TrapBudget {
  if (suspicion !== "calendar") return budgetOf(suspicion, host, growing);
  return isDay(url) ? budgetOf("calendar", `${host}/day`, days) : budgetOf("calendar", host, months);
}

/** All that a page of the kind which has led to something speaks for. */
export const trapBudgets = (suspicion: Suspicion, host: string): readonly TrapBudget[] =>
  suspicion === "calendar"
    ? [budgetOf("calendar", host, months), budgetOf("calendar", `${host}/day`, days)]
    : [budgetOf(suspicion, host, growing)];

/** Of hosts of a domain that are found on such as lead to nothing but more of them; in each task. */
export const strayBudget = (host: string): TrapBudget => budgetOf("host", registrableDomain(host), hosts);

function budgetOf(kind: Suspicion | "host", of: string, trap: TrapRule): TrapBudget {
  const detail = `pages like it of ${of} lead to nothing but more of them`;
  return { reason: `trap_${kind}`, name: `t/${kind}/${of}`, trap, detail };
}
