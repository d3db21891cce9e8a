import { partitionOf, topics } from "@sluice/records";
import { afterEach, describe, expect, it } from "vitest";
import { loopback } from "../fleet/graph.ts";
import { htmlPage, politenessViolations } from "../fleet/origin.ts";
import { Observer } from "../fleet/observer.ts";
import { openGraphWorld, openWorld, type CrawlWorldOptions } from "./crawl-world.ts";

const partitions = 8;
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const options: CrawlWorldOptions = {
  name: "jobs-test",
  cleanups,
  partitions,
  env: { SLUICE_SESSION_TIMEOUT_MS: "6000" },
};

/** Of a compacted topic what its keys stand for now; null: removed. */
async function latest(observer: Observer, topic: string): Promise<ReadonlyMap<string, string | null>> {
  const name = observer.layout.prefix + topic;
  const marks = await observer.broker.admin.watermarks(name);
  const found = new Map<string, string | null>();
  const ends = marks.map(({ high }) => high);
  await new Promise<void>((resolve, reject) => {
    const left = new Set(ends.flatMap((end, partition) => (end > 0 ? [partition] : [])));
    if (left.size === 0) return resolve();
    void observer.broker
      .tail({
        from: marks.map(({ low }, partition) => ({ topic: name, partition, offset: low })),
        onBatch: (batch) => {
          for (const { key, value } of batch.records)
            found.set(key?.toString("utf8") ?? "", value?.toString("utf8") ?? null);
          if (batch.nextOffset >= (ends[batch.partition] ?? 0)) left.delete(batch.partition);
          if (left.size === 0) resolve();
        },
        onFailed: reject,
      })
      .then((tail) => cleanups.push(() => tail.close()), reject);
  });
  return found;
}

describe("jobs on 8 partitions of a real Kafka", () => {
  it("end at maxPages to the page, each of two side by side on the same hosts, with three frontiers of which one is killed", async () => {
    const { origin, observer, fleet, graph } = await openGraphWorld(51, 10, 20, options);
    fleet.start("rate-limit");
    fleet.start("fetcher");
    for (const index of [0, 1, 2]) fleet.start("frontier", index);
    await Promise.all([0, 1, 2].map((index) => fleet.joined("frontier", index, 240_000)));
    const job = (id: string, maxPages: number) => ({
      id,
      seeds: [graph.url(0, "/")],
      scope: { kind: "any" as const },
      politeness: { delayMs: 50 },
      limits: { maxPages },
    });
    await observer.submit(job("one", 83));
    await observer.submit(job("two", 47));
    await observer.until("40 results", () => observer.results.length >= 40);
    fleet.kill("frontier", 1, "SIGKILL");
    const [one, two] = [await observer.ended("one"), await observer.ended("two")];
    const urlsOf = (id: string) =>
      observer.results.filter((result) => result.job === id).map(({ url }) => url);
    for (const [status, maxPages] of [
      [one, 83],
      [two, 47],
    ] as const) {
      const urls = urlsOf(status.job);
      expect(new Set(urls).size).toBe(urls.length);
      expect(urls).toHaveLength(maxPages);
      expect(status).toMatchObject({ finishReason: "max_pages", waiting: 0, inFlight: 0 });
      expect(status.done + status.failed).toBe(maxPages);
      expect(status.admitted).toBe(status.done + status.failed + status.skipped);
    }
    expect(fleet.deaths("frontier", 1)).toBeGreaterThan(0);
    // One clock a host, however many jobs ask it.
    expect(politenessViolations(origin.log, 50)).toEqual([]);
    expect(origin.pages()).toHaveLength(83 + 47);
  });

  it("ask again for what failed, also after the end, for nothing else, and leave nothing behind when they are removed", async () => {
    const addresses = loopback(52, 6);
    const asked = new Map<string, number>();
    let repaired = false;
    const { origin, observer, fleet } = await openWorld(
      addresses,
      (host, path) => {
        if (path === "/robots.txt") return { status: 404 };
        asked.set(`${host}${path}`, (asked.get(`${host}${path}`) ?? 0) + 1);
        if (path === "/gone") return { status: 404 };
        if (path === "/ill") return repaired ? htmlPage("well", ["/behind", "/"]) : { status: 403 };
        return htmlPage(path, path === "/" ? ["/gone", "/ill", "/fine"] : []);
      },
      options,
    );
    fleet.start("rate-limit");
    fleet.start("fetcher");
    for (const index of [0, 1]) fleet.start("frontier", index);
    const job = {
      id: "again",
      seeds: addresses.map((address) => origin.url(address)),
      politeness: { delayMs: 20 },
    };
    await observer.submit(job);
    const first = await observer.ended("again");
    expect(first).toMatchObject({ admitted: 24, done: 12, failed: 12, failedBy: { http_4xx: 12 } });
    repaired = true;
    // The tasks that a process has after its start know no more than what is stored.
    fleet.kill("frontier", 0, "SIGKILL");
    const retry = { asked: { http_4xx: { times: 1, atMs: Date.now() } }, continues: 1 };
    await observer.submit({ ...job, run: 2, retry });
    const second = await observer.ended("again", 240_000, 2);
    // What was ill leads to a page more; what was had is not asked for again.
    expect(second).toMatchObject({ run: 2, admitted: 18, done: 12, failed: 6, failedBy: { http_4xx: 6 } });
    for (const address of addresses) {
      expect([asked.get(`${address}/`), asked.get(`${address}/fine`)]).toEqual([1, 1]);
      expect([asked.get(`${address}/ill`), asked.get(`${address}/gone`)]).toEqual([2, 2]);
      expect(asked.get(`${address}/behind`)).toBe(1);
    }
    expect(new Set(observer.results.map(({ result_id: id }) => id)).size).toBe(24 + 18);

    await observer.produce([
      {
        topic: observer.layout.prefix + topics.jobs.name,
        partition: partitionOf("again", partitions),
        key: "again",
        value: null,
      },
    ]);
    const left = async (): Promise<readonly string[]> => {
      const keys: string[] = [];
      for (const topic of [topics.frontierState, topics.counters, topics.grants])
        for (const [key, value] of await latest(observer, topic.name)) if (value !== null) keys.push(key);
      return keys;
    };
    await expect.poll(left, { interval: 500, timeout: 60_000 }).toEqual([]);
  });
});
