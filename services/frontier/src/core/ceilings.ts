/** What policies allow jobs to use up of hosts. */
import { policyOf, topics, type Policy, type PolicyBudgets } from "@sluice/records";
import type { StepContext } from "@sluice/topology";

const none: PolicyBudgets = {};

/**
 * As of the last change that the task has taken in: so what follows from a change is done in the step that first goes by it.
 * Policies without budgets, of which there may be many, are left out: then a URL costs no look.
 */
export class Ceilings {
  readonly #policies = new Map<string, Policy>();

  /** False: no policy says anything of budgets. */
  get some(): boolean {
    return this.#policies.size > 0;
  }

  of(host: string): PolicyBudgets {
    return this.some ? (policyOf(host, this.#policies).budgets ?? none) : none;
  }

  /** Takes in what the table says of the pattern; true where budgets of hosts may be others now. */
  take(pattern: string, context: StepContext): boolean {
    const policy = context.tables[topics.policies.name]?.get(pattern) as Policy | undefined;
    const before = this.#policies.get(pattern)?.budgets;
    if (policy?.budgets === undefined) this.#policies.delete(pattern);
    else this.#policies.set(pattern, policy);
    return JSON.stringify(before) !== JSON.stringify(policy?.budgets);
  }

  takeAll(context: StepContext): void {
    this.#policies.clear();
    for (const pattern of context.tables[topics.policies.name]?.keys() ?? []) this.take(pattern, context);
  }
}
