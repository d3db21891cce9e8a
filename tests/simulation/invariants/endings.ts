/** A job's last event comes after all of its results, as a reader sees them: when it is about to be sent, all are there. */
import type { MemoryCluster } from "@sluice/broker/memory";
import { topics, type CrawlEvent, type Result } from "@sluice/records";
import type { Transaction } from "@sluice/runtime";
import type { LifeName, Observer, Report } from "../observer.ts";
import { terminalTypes } from "./counters.ts";

export class EndChecks implements Observer {
  readonly #cluster: MemoryCluster;
  readonly #report: Report;
  /** By run of a job, results that could be read when its end was about to be announced, each time. */
  readonly #resultsAtEnd = new Map<string, number[]>();

  constructor(cluster: MemoryCluster, report: Report) {
    this.#cluster = cluster;
    this.#report = report;
  }

  committing(life: LifeName, _task: number, { records }: Transaction): void {
    if (life.service !== "frontier") return;
    for (const { topic, value } of records) {
      if (topic !== topics.events.name || value === null) continue;
      const event = JSON.parse(String(value)) as CrawlEvent;
      if (!terminalTypes.has(event.type)) continue;
      const key = `${event.job} run ${event.run}`;
      this.#resultsAtEnd.set(key, [...(this.#resultsAtEnd.get(key) ?? []), this.#results().get(key) ?? 0]);
    }
  }

  /** Once nothing is under way any more. */
  checkAll(): void {
    const all = this.#results();
    for (const [key, counts] of this.#resultsAtEnd)
      for (const count of counts)
        if (count !== (all.get(key) ?? 0))
          this.#report(
            "all results can be read before the end is announced",
            `${key}: ${count} of ${all.get(key) ?? 0}`,
          );
  }

  #results(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { value } of this.#cluster.committed(topics.results.name).flat()) {
      if (value === null) continue;
      const { job, run } = JSON.parse(value.toString("utf8")) as Result;
      counts.set(`${job} run ${run}`, (counts.get(`${job} run ${run}`) ?? 0) + 1);
    }
    return counts;
  }
}
