import {
  jobSchema,
  policySchema,
  topics,
  type BudgetCounters,
  type BudgetGrant,
  type Counters,
  type Due,
  type Outcome,
} from "@sluice/records";
import { answerTo } from "@sluice/records/testing";
import { StepDriver } from "@sluice/topology/testing";
import { defaultFrontierOptions, type FrontierOptions } from "../src/options.ts";
import type { FrontierState } from "../src/core/state.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";
import { checkTask } from "./invariants.ts";
import { linksTo } from "./records.ts";

/** One task with an open job `j`, whose budgets and page grants are handed out by another task: by the test. */
export class BudgetBench {
  readonly driver: StepDriver<FrontierState, FrontierRecord>;
  readonly out: Due[] = [];
  /** What was told last, by key. */
  readonly #told = new Map<string, Counters>();

  constructor(limits: object, options: Partial<FrontierOptions> = {}) {
    const job = jobSchema.parse({ id: "j", open: true, scope: { kind: "any" }, limits });
    this.driver = new StepDriver({
      step: frontierStep({ ...defaultFrontierOptions, ...options }),
      task: 0,
      tasks: 2,
      partitionOf: () => 1,
      tables: { [topics.jobs.name]: [["j", job]], [topics.policies.name]: [] },
    });
  }

  get released(): readonly string[] {
    return this.out.map(({ url }) => url);
  }

  get waiting(): number {
    return this.driver.state.views.get("j")?.waiting ?? 0;
  }

  /** What the task has told last of pages or hosts of the domain. */
  wants(unit: BudgetGrant["unit"], domain: string): Pick<BudgetCounters, "wanted" | "returned"> | undefined {
    return this.#told.get(`j/0/${unit === "pages" ? "d" : "n"}/${domain}`) as BudgetCounters | undefined;
  }

  /** What it has told last of the job. */
  get tally(): Extract<Counters, { readonly kind: "task" }>["tally"] | undefined {
    return (this.#told.get("j/0") as Extract<Counters, { readonly kind: "task" }> | undefined)?.tally;
  }

  find(...urls: readonly string[]): void {
    for (const url of urls) {
      const { domain, link } = linksTo("j", [url]);
      this.driver.feed(topics.links.name, domain, link);
    }
    this.settle();
  }

  grant(
    unit: BudgetGrant["unit"],
    domain: string,
    granted: number,
    { recall = false, spent = false, max = 5 } = {},
  ): void {
    const about = { kind: "budget", job: "j", run: 1, task: 0, domain, unit } as const;
    this.driver.feed(topics.grants.name, `j/0/${unit}`, { ...about, granted, recall, spent, max, cuts: 0 });
    this.settle();
  }

  policy(pattern: string, fields: object): void {
    this.driver.table(topics.policies.name, pattern, policySchema.parse(fields));
    this.settle();
  }

  /** Of the release that has been out longest. */
  answer(fields: Partial<Outcome>): void {
    const due = this.out.shift();
    if (due === undefined) throw new Error("nothing is out");
    this.driver.feed(
      topics.outcomes.name,
      new URL(due.url).hostname,
      answerTo(due, { ok: false, ...fields }),
    );
    this.settle();
  }

  settle(): void {
    this.driver.advance(0);
    for (const { topic, key, value } of this.driver.takeSent()) {
      if (topic === topics.due.name) this.out.push(value as Due);
      if (topic === topics.counters.name) this.#told.set(key, value as Counters);
    }
    checkTask(this.driver.state);
  }
}
