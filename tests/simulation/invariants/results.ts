/** What a run has brought in the end: results, events, dead letters, the sink's file, each as it has to be. */
import type { MemoryCluster } from "@sluice/broker/memory";
import {
  topics,
  type CrawlEvent,
  type Due,
  type JobStatus,
  type Outcome,
  type Permit,
  type Result,
} from "@sluice/records";
import type { SimulatedDisk } from "../disk.ts";
import { resultsPath } from "../life.ts";
import type { Report } from "../observer.ts";
import { type Expectation, expectationOf } from "../oracle.ts";
import type { JobPlan, Plan } from "../plan.ts";
import { checkSpending, checkVisits, hasBudgets, type Spending } from "./budgets.ts";
import { checkCommitted, terminalTypes } from "./counters.ts";

interface Stamped<Value> {
  readonly value: Value;
  readonly timestampMs: number;
}

interface Found {
  readonly results: readonly Stamped<Result>[];
  readonly events: readonly Stamped<CrawlEvent>[];
  readonly due: readonly Stamped<Due>[];
  /** What robots.txt of other domains redirects to. */
  readonly errands: readonly Stamped<Due>[];
  readonly permits: readonly Stamped<Permit>[];
  readonly outcomes: readonly Stamped<Outcome>[];
  readonly statuses: ReadonlyMap<string, JobStatus>;
}

export interface Finished {
  readonly cluster: MemoryCluster;
  readonly disk: SimulatedDisk;
  readonly plan: Plan;
  /** Runs of each job that were begun. */
  readonly runs: ReadonlyMap<string, number>;
  /** Paths that the servers were asked for, by number of the host. */
  readonly visited: ReadonlyMap<number, ReadonlySet<string>>;
}

/** Looks at all that a run has left behind, once every job has ended and nothing lags. */
export function checkResults(finished: Finished, report: Report): void {
  const { cluster, disk, plan, runs } = finished;
  const statuses = new Map<string, JobStatus>();
  for (const { value } of valuesOf<JobStatus | { readonly kind: "task" }>(cluster, topics.counters.name)) {
    if (value.kind === "job") statuses.set(value.job, value);
  }
  const due = valuesOf<Due>(cluster, topics.due.name);
  const found: Found = {
    results: valuesOf<Result>(cluster, topics.results.name),
    events: valuesOf<CrawlEvent>(cluster, topics.events.name),
    due: due.filter(({ value }) => value.errand === undefined),
    errands: due.filter(({ value }) => value.errand !== undefined),
    permits: valuesOf<Permit>(cluster, topics.permits.name),
    outcomes: valuesOf<Outcome>(cluster, topics.outcomes.name),
    statuses,
  };
  if (plan.delivery === "at-least-once") return checkRepeated(finished, found, report);
  checkCommitted(cluster, report);
  checkReleases(found, report);
  checkErrands(found, report);
  checkDisk(found, disk, report);
  checkDeadLetters(cluster, plan, report);
  for (const job of plan.jobs) {
    const expected = expectationOf(plan, job);
    for (let run = 1; run <= (runs.get(job.job.id) ?? 1); run += 1)
      checkRun(found, job, run, expected, report);
    if (hasBudgets(job)) checkBudgets(finished, found, job, report);
  }
}

/** What is promised without transactions: nothing is missing, and the sink has each id of the topic once. */
function checkRepeated({ cluster, disk, plan, runs }: Finished, { results }: Found, report: Report): void {
  for (const text of poisonLeft(plan, cluster)) report("poison goes to the dead letters", text);
  const ids = new Set(results.map(({ value }) => value.result_id));
  const held = resultsOn(disk);
  if (new Set(held).size !== held.length || held.some((id) => !ids.has(id)) || held.length !== ids.size)
    report("the sink holds each result once", `${held.length} lines for ${ids.size} ids`);
  for (const job of plan.jobs) {
    const { may, must } = expectationOf(plan, job);
    for (let run = 1; run <= (runs.get(job.job.id) ?? 1); run += 1) {
      const mine = results.filter(({ value }) => value.job === job.job.id && value.run === run);
      const urls = new Set(mine.map(({ value }) => value.url));
      for (const url of urls)
        if (!may.has(url))
          report("only pages that there are have results", `${job.job.id} run ${run} ${url}`);
      const missing = [...must].filter((url) => !urls.has(url));
      if (!job.isCut && job.job.limits.maxPages === null && !hasBudgets(job) && missing.length > 0)
        report(
          "every page that there is has a result",
          `${job.job.id} run ${run} without ${missing.slice(0, 5).join(" ")}`,
        );
    }
  }
}

function checkBudgets(
  { plan, runs, visited }: Finished,
  found: Found,
  jobPlan: JobPlan,
  report: Report,
): void {
  const { id } = jobPlan.job;
  const spent: Spending[] = [];
  for (let run = 1; run <= (runs.get(id) ?? 1); run += 1) {
    const isMine = ({ value }: Stamped<{ readonly job: string; readonly run: number }>): boolean =>
      value.job === id && value.run === run;
    spent.push({
      plan,
      jobPlan,
      name: `${id} run ${run}`,
      outcomes: new Map(found.results.filter(isMine).map(({ value }) => [value.url, value.outcome])),
      released: new Set(
        found.due
          .filter((due) => isMine(due) && due.value.sitemap === undefined)
          .map(({ value }) => value.url),
      ),
      reasons: new Map(
        found.events
          .filter(isMine)
          .flatMap(({ value }) =>
            value.type === "url_failed" && value.final ? [[value.url, value.category] as const] : [],
          ),
      ),
    });
  }
  for (const each of spent) checkSpending(each, report);
  checkVisits(plan, jobPlan, spent, visited, report);
}

function resultsOn(disk: SimulatedDisk): readonly string[] {
  const lines = disk.text(resultsPath).split("\n").filter(Boolean);
  return lines.map((line) => (JSON.parse(line) as Result).result_id);
}

function valuesOf<Value>(cluster: MemoryCluster, topic: string): readonly Stamped<Value>[] {
  return cluster
    .committed(topic)
    .flatMap((records) =>
      records.flatMap(({ value, timestampMs }) =>
        value === null ? [] : [{ value: JSON.parse(value.toString("utf8")) as Value, timestampMs }],
      ),
    );
}

/** Each release goes out once and is answered once. */
function checkReleases({ due, outcomes }: Found, report: Report): void {
  const open = new Set<string>();
  for (const { value } of due) {
    if (open.has(value.releaseId)) report("a release goes out once", value.releaseId);
    open.add(value.releaseId);
  }
  const answered = new Set<string>();
  for (const { value } of outcomes) {
    if (value.errand !== undefined) continue;
    if (answered.has(value.releaseId)) report("a release is answered once", value.releaseId);
    if (!open.has(value.releaseId)) report("only a release is answered", value.releaseId);
    answered.add(value.releaseId);
  }
  for (const releaseId of open) if (!answered.has(releaseId)) report("every release is answered", releaseId);
}

/** Each permit that went to another domain for its robots.txt has come back once. */
function checkErrands({ errands, permits }: Found, report: Report): void {
  const open = new Map<string, number>();
  for (const { value } of errands) open.set(value.releaseId, (open.get(value.releaseId) ?? 0) + 1);
  for (const { value } of permits) {
    if (value.answer === undefined) continue;
    const id = `${value.releaseId}~${value.answer.hops}`;
    open.set(id, (open.get(id) ?? 0) - 1);
  }
  for (const [id, left] of open)
    if (left !== 0) report("a permit comes back from another domain once", `${id}: ${left} are out`);
}

/** The sink's file holds what a reader of the topic sees, each once. */
function checkDisk({ results }: Found, disk: SimulatedDisk, report: Report): void {
  const ids = [...resultsOn(disk)].sort();
  const expected = results.map(({ value }) => value.result_id).sort();
  if (ids.join() !== expected.join())
    report("the sink holds each result once", `${ids.length} lines for ${expected.length} results`);
}

const poisonOf = ({ actions }: Plan): readonly string[] =>
  actions.flatMap((action) => ("text" in action ? [action.text] : []));

/** Poison that is not among the dead letters. */
export function poisonLeft(plan: Plan, cluster: MemoryCluster): readonly string[] {
  const poison = poisonOf(plan);
  if (poison.length === 0) return [];
  const dead = new Set(deadLettersOf(cluster));
  return poison.filter((text) => !dead.has(text));
}

function deadLettersOf(cluster: MemoryCluster): readonly string[] {
  const dead = Object.values(topics).filter(({ name }) => name.endsWith(".dlq"));
  return dead.flatMap(({ name }) =>
    cluster
      .committed(name)
      .flat()
      .map(({ value }) => String(value)),
  );
}

function checkDeadLetters(cluster: MemoryCluster, plan: Plan, report: Report): void {
  const found = deadLettersOf(cluster);
  const poison = poisonOf(plan);
  const seeds = plan.actions.flatMap((action) =>
    action.kind === "seed"
      ? Array.from({ length: action.times }, () => JSON.stringify({ url: action.url, job: action.job }))
      : [],
  );
  const left = [...found];
  for (const text of poison) {
    const at = left.indexOf(text);
    if (at < 0) report("poison goes to the dead letters", text);
    else left.splice(at, 1);
  }
  // A seed that comes when its job takes none any more is refused.
  for (const text of seeds) if (left.includes(text)) left.splice(left.indexOf(text), 1);
  if (left.length > 0) report("nothing else goes to the dead letters", left.join(" "));
}

function checkRun(found: Found, jobPlan: JobPlan, run: number, expected: Expectation, report: Report): void {
  const { job, isCut } = jobPlan;
  const name = `${job.id} run ${run}`;
  // What there is to have is then checked with the budgets.
  const isWhole = !isCut && !hasBudgets(jobPlan);
  const mine = <Value extends { readonly job: string; readonly run: number }>(
    all: readonly Stamped<Value>[],
  ) => all.filter(({ value }) => value.job === job.id && value.run === run);
  const results = mine(found.results);
  const events = mine(found.events);
  const urls = new Set<string>();
  for (const { value } of results) {
    if (urls.has(value.url)) report("each page has one result", `${name} ${value.url}`);
    urls.add(value.url);
    const allowed = expected.may.get(value.url);
    if (allowed === undefined)
      report("only pages that there are have results", `${name} ${value.url} ${value.outcome}`);
    else if (!allowed.outcomes.has(value.outcome))
      report(
        "a result says what became of the page",
        `${name} ${value.url} ${value.outcome}, not ${[...allowed.outcomes].join()}`,
      );
    else if (value.depth < allowed.depth)
      report("depth counts links from a seed", `${name} ${value.url} ${value.depth}, not ${allowed.depth}`);
    if (value.attempt > job.fetch.attemptsMax)
      report("no page is tried more often than allowed", `${name} ${value.url}: ${value.attempt} times`);
    if (job.limits.maxDepth !== null && value.depth > job.limits.maxDepth)
      report("maxDepth holds exactly", `${name} ${value.url} ${value.depth}`);
  }
  const pagesMax = job.limits.maxPages ?? Number.POSITIVE_INFINITY;
  if (urls.size > pagesMax) report("maxPages holds exactly", `${name}: ${urls.size} of ${pagesMax}`);
  const missing = [...expected.must].filter((url) => !urls.has(url));
  if (isWhole && urls.size < Math.min(pagesMax, expected.must.size))
    report(
      "every page that there is has a result",
      `${name}: ${urls.size} of ${expected.must.size}, without ${missing.slice(0, 5).join(" ")}`,
    );
  if (isWhole && job.limits.maxPages === null && missing.length > 0)
    report("every page that there is has a result", `${name} without ${missing.slice(0, 5).join(" ")}`);
  checkEnd(name, events, results, found.statuses.get(job.id), run, report);
  if (!isCut && job.limits.maxPages === null) checkExplained(name, mine(found.due), urls, events, report);
}

/** The end is announced once, after the last result, with the counts that the topics show. */
function checkEnd(
  name: string,
  events: readonly Stamped<CrawlEvent>[],
  results: readonly Stamped<Result>[],
  status: JobStatus | undefined,
  run: number,
  report: Report,
): void {
  const ends = events.filter(({ value }) => terminalTypes.has(value.type));
  if (ends.length !== 1) report("the end of a job is announced once", `${name}: ${ends.length} times`);
  const end = ends[0];
  if (end === undefined) return;
  for (const { value, timestampMs } of results)
    if (timestampMs > end.timestampMs)
      report("the end is announced after the last result", `${name} ${value.url}`);
  const ok = results.filter(({ value }) => value.outcome === "ok" || value.outcome === "redirect").length;
  const told = end.value as Extract<CrawlEvent, { type: "job_timeout" }>;
  if (told.done !== ok || told.failed !== results.length - ok)
    report(
      "the counts of a job are those of its results",
      `${name}: ${told.done} + ${told.failed}, not ${ok} + ${results.length - ok}`,
    );
  if (told.admitted !== told.done + told.failed + told.skipped)
    report(
      "nothing of a job is open at its end",
      `${name}: ${told.admitted} = ${told.done} + ${told.failed} + ${told.skipped}`,
    );
  if (status?.run === run && status.state !== "ended") report("a job that has ended says so", name);
}

/** A URL that was released has a result, or an event that says why it has none. */
function checkExplained(
  name: string,
  due: readonly Stamped<Due>[],
  urls: ReadonlySet<string>,
  events: readonly Stamped<CrawlEvent>[],
  report: Report,
): void {
  const explained = new Set(
    events.flatMap(({ value }) =>
      (value.type === "url_failed" && value.final) || value.type === "sitemap_read" ? [value.url] : [],
    ),
  );
  for (const { value } of due)
    if (!urls.has(value.url) && !explained.has(value.url))
      report("a URL without a result has a reason", `${name} ${value.url}`);
}
