import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { partitionOf } from "@sluice/records";
import { Fleet, type ServiceName } from "../fleet/fleet.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { htmlPage, politenessViolations, type Site } from "../fleet/origin.ts";
import { Observer } from "../fleet/observer.ts";
import { openGraphWorld, openWorld, type CrawlWorld, type CrawlWorldOptions } from "./crawl-world.ts";

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const sessionTimeoutMs = "6000";

interface Options {
  readonly partitions?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const worldOf = ({ partitions = 12, env = {} }: Options = {}): CrawlWorldOptions => ({
  name: "crawl-test",
  cleanups,
  partitions,
  env: { SLUICE_SESSION_TIMEOUT_MS: sessionTimeoutMs, ...env },
});

const world = (addresses: readonly string[], site: Site, options?: Options): Promise<CrawlWorld> =>
  openWorld(addresses, site, worldOf(options));

/** The second of each joins when the first has its tasks, so that every crawl of these tests has a rebalance. */
async function startServices(fleet: Fleet, count = 2): Promise<void> {
  fleet.start("rate-limit");
  for (let index = 0; index < count; index += 1) {
    fleet.start("frontier", index);
    fleet.start("fetcher", index);
    await Promise.all([fleet.joined("frontier", index), fleet.joined("fetcher", index)]);
  }
}

const urlsOf = (observer: Observer): string[] => observer.results.map((result) => result.url).sort();

/** A reader with read_committed finds each result once, and exactly those of the oracle. */
function expectExactly(observer: Observer, expected: ReadonlySet<string>): void {
  expect(urlsOf(observer)).toEqual([...expected].sort());
  expect(new Set(observer.results.map((result) => result.result_id)).size).toBe(observer.results.length);
}

/**
 * What makes a claim about Kafka worth something: each result lies in the partition of its domain, records
 * crossed partitions, and a group of each service with two instances went through a rebalance.
 */
function expectDistributed(observer: Observer, fleet: Fleet): void {
  for (const [index, result] of observer.results.entries()) {
    expect(observer.resultPartitions[index]).toBe(partitionOf(result.host, observer.layout.partitions));
  }
  expect(new Set(observer.resultPartitions).size).toBeGreaterThan(1);
  // The second to come makes the first join again.
  for (const service of ["frontier", "fetcher"] as const) {
    expect(joins(fleet, service, 0) + joins(fleet, service, 1)).toBeGreaterThan(2);
  }
}

function joins(fleet: Fleet, service: ServiceName, index: number): number {
  return fleet.log(service, index).filter((line) => line["event"] === "joined").length;
}

const graphWorld = (
  block: number,
  hosts: number,
  pagesPerHost: number,
  options?: Options,
): Promise<CrawlWorld & { readonly graph: Graph }> =>
  openGraphWorld(block, hosts, pagesPerHost, worldOf(options));

describe("a crawl through a real Kafka, each service a process of its own", () => {
  it("fetches exactly what breadth first finds, politely, with two frontiers and two fetchers on 12 partitions", async () => {
    const { origin, observer, fleet, graph } = await graphWorld(21, 24, 14);
    await startServices(fleet);
    const seed = graph.url(0, "/");
    await observer.submit({ id: "all", seeds: [seed], scope: { kind: "any" }, politeness: { delayMs: 100 } });
    const status = await observer.ended("all");
    expectExactly(observer, graph.reachable([seed]));
    expectDistributed(observer, fleet);
    expect(status.finishReason).toBe("completed");
    expect(status.admitted).toBe(status.done + status.failed + status.skipped);
    expect(politenessViolations(origin.log, 100)).toEqual([]);
    expect(origin.pages().filter((line) => line.path.startsWith("/private/"))).toEqual([]);
    const terminal = (): number => observer.events.filter((event) => event.type === "job_completed").length;
    await observer.until("the terminal event", () => terminal() > 0);
    expect(terminal()).toBe(1);
  });

  it("finds pages that only a packed sitemap lists, which robots.txt names, and counts it as none", async () => {
    const [host = "", other = ""] = loopback(29, 2);
    const base = (): string => `http://${host}:${port}`;
    const paths = Array.from({ length: 5 }, (_, index) => `/only/${index}`);
    let port = 0;
    const { origin, observer, fleet } = await world(
      [host, other],
      (_, path) => {
        if (path === "/robots.txt")
          return { body: `User-agent: *\nDisallow: /private\nSitemap: ${base()}/i.xml` };
        if (path === "/i.xml")
          return { body: `<sitemapindex><sitemap><loc>${base()}/all.xml.gz</loc></sitemap></sitemapindex>` };
        if (path !== "/all.xml.gz") return htmlPage(path, []);
        const listed = [...paths, "/private/x"].map((each) => `<url><loc>${base()}${each}</loc></url>`);
        const away = `<url><loc>http://${other}:${port}/</loc></url>`;
        const headers = { "content-type": "application/x-gzip" };
        return { headers, body: gzipSync(`<urlset>${listed.join("")}${away}</urlset>`) };
      },
      { partitions: 3 },
    );
    port = origin.port;
    for (const service of ["rate-limit", "frontier", "fetcher"] as const) fleet.start(service);
    const delayMs = 100;
    await observer.submit({
      id: "mapped",
      seeds: [`${base()}/`],
      scope: { sitemaps: "follow" },
      limits: { maxPages: 7 },
      politeness: { delayMs },
    });
    const status = await observer.ended("mapped");
    expectExactly(observer, new Set(["/", ...paths].map((path) => base() + path)));
    // The two sitemaps and the page that robots.txt forbids have no result and need no page of the seven.
    expect(status).toMatchObject({
      finishReason: "completed",
      admitted: 9,
      done: 6,
      skipped: 3,
      sitemaps: 2,
    });
    await observer.until("the terminal event", () =>
      observer.events.some((event) => event.type === "job_completed"),
    );
    expect(observer.events.filter((event) => event.type === "sitemap_read")).toMatchObject([
      { url: `${base()}/i.xml`, level: 1, format: "index", sitemapsAdmitted: 1 },
      {
        url: `${base()}/all.xml.gz`,
        level: 2,
        format: "urlset",
        urls: 7,
        admitted: 6,
        refusedFor: "scope_host 1",
      },
    ]);
    expect(politenessViolations(origin.log, delayMs)).toEqual([]);
    expect(origin.log.filter((line) => line.host === other)).toEqual([]);
  });

  it("loses nothing, repeats nothing and stays polite when each service is killed in mid-crawl, half of the kills at failpoints", async () => {
    const { origin, observer, fleet, graph } = await graphWorld(22, 24, 20, {
      env: { SLUICE_SESSION_TIMEOUT_MS: "3000" },
    });
    fleet.start("frontier", 0, { SLUICE_FAILPOINT: "after_send:40" });
    fleet.start("frontier", 1, { SLUICE_FAILPOINT: "after_commit_before_store:40" });
    fleet.start("fetcher", 0, { SLUICE_FAILPOINT: "after_commit_sent:40" });
    fleet.start("fetcher", 1);
    fleet.start("rate-limit", 0, { SLUICE_FAILPOINT: "after_send_offsets:60" });
    fleet.start("result-sink");
    const seed = graph.url(0, "/");
    await observer.submit({
      id: "kills",
      seeds: [seed],
      scope: { kind: "any" },
      politeness: { delayMs: 100 },
    });
    const expected = graph.reachable([seed]);
    const targets: readonly ServiceName[] = ["fetcher", "frontier", "rate-limit", "result-sink"];
    for (const [index, service] of targets.entries()) {
      const share = ((index + 1) / (targets.length + 1)) * expected.size;
      await observer.until(`${Math.round(share)} results`, () => observer.results.length >= share);
      fleet.kill(service, service === "fetcher" || service === "frontier" ? 1 : 0, "SIGKILL");
    }
    const status = await observer.ended("kills");
    expectExactly(observer, expected);
    expectDistributed(observer, fleet);
    expect(status.finishReason).toBe("completed");
    expect(politenessViolations(origin.log, 100)).toEqual([]);
    for (const service of targets)
      expect(fleet.deaths(service, service === "fetcher" || service === "frontier" ? 1 : 0)).toBeGreaterThan(
        0,
      );
    expect(fleet.deaths("frontier", 0)).toBeGreaterThan(0);
    expect(fleet.deaths("fetcher", 0)).toBeGreaterThan(0);
  });

  it("goes on when a process dies between its assignment and the fence", async () => {
    const { observer, fleet, graph } = await graphWorld(23, 12, 8, {
      env: { SLUICE_SESSION_TIMEOUT_MS: "3000" },
    });
    for (const service of ["frontier", "rate-limit", "fetcher"] as const) {
      fleet.start(service, 0, { SLUICE_FAILPOINT: "after_assignment_before_fence:1" });
      fleet.start(service, 1);
    }
    const seed = graph.url(0, "/");
    await observer.submit({
      id: "fence",
      seeds: [seed],
      scope: { kind: "any" },
      politeness: { delayMs: 20 },
    });
    await observer.ended("fence");
    expectExactly(observer, graph.reachable([seed]));
    expectDistributed(observer, fleet);
    expect(fleet.deaths("fetcher", 0)).toBeGreaterThan(0);
  });

  it("holds maxPages exactly across tasks and uses it up", async () => {
    const { observer, fleet, graph } = await graphWorld(24, 12, 20);
    await startServices(fleet);
    await observer.submit({
      id: "limit",
      seeds: [graph.url(0, "/")],
      scope: { kind: "any" },
      politeness: { delayMs: 0 },
      limits: { maxPages: 57 },
    });
    const status = await observer.ended("limit");
    expect(observer.results).toHaveLength(57);
    expect(status).toMatchObject({ finishReason: "max_pages", done: expect.any(Number) });
    expect(status.done + status.failed).toBe(57);
    expectDistributed(observer, fleet);
  });

  it("works with 4 partitions, too", async () => {
    const { observer, fleet, graph } = await graphWorld(25, 6, 10, { partitions: 4 });
    await startServices(fleet);
    const seed = graph.url(0, "/");
    await observer.submit({ id: "four", seeds: [seed], scope: { kind: "any" }, politeness: { delayMs: 10 } });
    await observer.ended("four");
    expectExactly(observer, graph.reachable([seed]));
    expectDistributed(observer, fleet);
  });

  it("does not let one host that answers in 30 s hold up 999 others", async () => {
    const addresses = loopback(26, 1000);
    const slow = addresses[500] ?? "";
    const { origin, observer, fleet } = await world(addresses, (host, path) => {
      if (path === "/robots.txt") return { status: 404 };
      if (host === slow) return { ...htmlPage("slow", []), afterMs: 30_000 };
      return path === "/" ? htmlPage(host, ["/a", "/b"]) : htmlPage(`${host}${path}`, []);
    });
    await startServices(fleet);
    await observer.submit({
      id: "slow",
      seeds: addresses.map((address) => origin.url(address)),
      politeness: { delayMs: 200 },
      fetch: { totalTimeoutMs: 90_000 },
    });
    await observer.until("the other hosts", () => observer.results.length >= 999 * 3);
    expect(observer.results.filter((result) => result.host === slow)).toEqual([]);
    await observer.ended("slow");
    expect(observer.results).toHaveLength(999 * 3 + 1);
    expectDistributed(observer, fleet);
    expect(politenessViolations(origin.log, 200)).toEqual([]);
  });

  it("sends its last request within 5 s of a cancel", async () => {
    const addresses = loopback(27, 20);
    const { origin, observer, fleet } = await world(addresses, (_, path) =>
      path === "/robots.txt" ? { status: 404 } : htmlPage(path, [`${path}a`, `${path}b`]),
    );
    await startServices(fleet);
    const job = {
      id: "stop",
      seeds: addresses.map((address) => origin.url(address)),
      politeness: { delayMs: 50 },
    };
    await observer.submit(job);
    await observer.until("50 results", () => observer.results.length >= 50);
    const cancelledAtMs = performance.now();
    await observer.submit({ ...job, desired: "cancelled" });
    const status = await observer.ended("stop");
    expect(status.finishReason).toBe("cancelled");
    expectDistributed(observer, fleet);
    const lastMs = Math.max(...origin.log.map((line) => line.startMs));
    expect(lastMs - cancelledAtMs).toBeLessThan(5000);
  });

  it("takes bare seeds from any client, any key and any partition while it runs", async () => {
    const addresses = loopback(28, 4);
    const { origin, observer, fleet } = await world(addresses, (host, path) =>
      path === "/robots.txt" ? { status: 404 } : path === "/" ? htmlPage(host, ["/one"]) : htmlPage(path, []),
    );
    await startServices(fleet, 1);
    const producer = await observer.broker.producer();
    cleanups.push(() => producer.close());
    const topic = `${observer.layout.prefix}crawl.seeds`;
    await producer.send([
      { topic, partition: 3, key: null, value: origin.url(addresses[0] ?? "") },
      {
        topic,
        partition: 7,
        key: "anything",
        value: JSON.stringify({ url: origin.url(addresses[1] ?? "") }),
      },
      { topic, partition: 0, key: "bad", value: "no url at all" },
    ]);
    await observer.until("four results", () => observer.results.length >= 4);
    expect(observer.results.map((result) => result.job)).toEqual([
      "default",
      "default",
      "default",
      "default",
    ]);
  });
});
