/**
 * What a page costs a frontier task where the pages of a job are limited and many hosts wait for their share, beside a job
 * without a limit: `node bench/grants.ts [hosts]`. Prints one line of JSON for a thousand hosts and for so many, each way.
 */
import { jobSchema, topics, type Counters, type Due } from "@sluice/records";
import { answerTo } from "@sluice/records/testing";
import { StepDriver } from "@sluice/topology/testing";
import type { FrontierState } from "../services/frontier/src/core/state.ts";
import { frontierStep, type FrontierRecord } from "../services/frontier/src/step.ts";
import { linksTo } from "../services/frontier/test/records.ts";

type Driver = StepDriver<FrontierState, FrontierRecord>;

const pages = 3000;
const urlsPerHost = 3;
const answersPerCommit = 20;

for (const hosts of [1000, Number(process.argv[2] ?? 20_000)])
  for (const maxPages of [null, 1_000_000]) {
    const pageUs = pageCost(hosts, maxPages);
    process.stdout.write(
      `${JSON.stringify({ bench: "grants", hosts, max_pages: maxPages, us_per_page: Math.round(pageUs) })}\n`,
    );
  }

/** Microseconds of CPU. */
function pageCost(hosts: number, maxPages: number | null): number {
  const driver: Driver = new StepDriver({ step: frontierStep(), nowMs: 1_000_000_000, keepHistory: false });
  const out: Due[] = [];
  driver.table(topics.jobs.name, "j", jobSchema.parse({ id: "j", open: true, limits: { maxPages } }));
  for (let number = 0; number < hosts; number += 1) {
    const urls = Array.from({ length: urlsPerHost }, (_, page) => `https://h${number}.example/${page}`);
    const { domain, link } = linksTo("j", urls);
    driver.feed(topics.links.name, domain, link);
    if (number % answersPerCommit === 0) passOn(driver, out);
  }
  passOn(driver, out);
  const before = process.cpuUsage();
  for (let answered = 0; answered < pages; answered += 1) {
    const due = out.shift();
    if (due === undefined) throw new Error(`nothing is out after ${answered} pages`);
    driver.feed(topics.outcomes.name, new URL(due.url).hostname, answerTo(due, { ok: true, category: "ok" }));
    if (answered % answersPerCommit === 0 || out.length === 0) passOn(driver, out);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / pages;
}

/** What the task sends to itself is read; what it releases goes out. */
function passOn(driver: Driver, out: Due[]): void {
  for (let sent = driver.takeSent(); sent.length > 0; sent = driver.takeSent())
    for (const { topic, key, value } of sent) {
      if (topic === topics.due.name) out.push(value as Due);
      const isCounters = topic === topics.counters.name && (value as Counters | null)?.kind !== "job";
      if (value !== null && (isCounters || topic === topics.grants.name))
        driver.feed(topic, key, value as Counters);
    }
  driver.commit();
}
