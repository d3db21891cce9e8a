import { hostOf, partitionOf, topics, type JobInput } from "@sluice/records";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { losses } from "../chaos/losses.ts";
import { repeatsOf } from "../chaos/repeats.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { type AccessLine, htmlPage, politenessViolations } from "../fleet/origin.ts";
import { Observer } from "../fleet/observer.ts";
import { openWorld, type CrawlWorld, type CrawlWorldOptions } from "./crawl-world.ts";
import { domains, firstHost, hostNames, hostsPerDomain, limitedPage, pagesPerHost } from "./limited-site.ts";

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

describe("several jobs at once on 8 partitions of a real Kafka, with three frontiers of which one is killed", () => {
  const shared: (() => Promise<void> | void)[] = [];
  const graphHosts = loopback(51, 10);
  const namedHosts = loopback(53, hostNames.length);
  const pages = { one: 83, two: 47 };
  const delayMs = 50;
  /** Jobs that want the same host: weighted by priority, three to one. */
  const rivals = { major: { priority: 60, seeds: 220 }, minor: { priority: 20, seeds: 60 } } as const;
  let world: CrawlWorld;

  const nameOf = (address: string): string => hostNames[namedHosts.indexOf(address)] ?? address;
  const urlsOf = (id: string): readonly string[] =>
    world.observer.results.filter((result) => result.job === id).map(({ url }) => url);
  /** Host and path of each page, once; that none is asked for again without a cause is shown for all of them. */
  const pagesAsked = (isMeant: (line: AccessLine) => boolean): readonly string[] => [
    ...new Set(
      world.origin
        .pages()
        .filter(isMeant)
        .map(({ host, path }) => nameOf(host) + path),
    ),
  ];
  /** Pages of a job that the servers were asked for, by their name. */
  const asked = (job: string): readonly { readonly host: string; readonly path: string }[] =>
    pagesAsked(({ path }) => path.startsWith(`/${job}/`)).map((page) => ({
      host: page.slice(0, page.indexOf("/")),
      path: page.slice(page.indexOf("/")),
    }));
  const hostsIn = (domain: string, job: string): ReadonlySet<string> =>
    new Set(
      asked(job)
        .map(({ host }) => host)
        .filter((host) => host.endsWith(domain)),
    );

  /** Each page is asked for once and has a result, and nothing of the job is left. */
  async function expectOnce(job: string): Promise<number> {
    const status = await world.observer.ended(job);
    const urls = urlsOf(job);
    expect(new Set(urls).size).toBe(urls.length);
    expect(urls.map((url) => `${hostOf(url)}${new URL(url).pathname}`).sort()).toEqual(
      asked(job)
        .map(({ host, path }) => `${host}${path}`)
        .sort(),
    );
    expect(status).toMatchObject({ finishReason: "completed", done: urls.length, waiting: 0, inFlight: 0 });
    expect(status.admitted).toBe(status.done + status.skipped);
    return urls.length;
  }

  beforeAll(async () => {
    let port = 0;
    const url = (host: string, path: string): string => `http://${host}:${port}${path}`;
    const graph = new Graph({
      hosts: graphHosts,
      pagesPerHost: 20,
      port: () => port,
      seed: 51,
      crossLinks: 2,
    });
    world = await openWorld(
      [...graphHosts, ...namedHosts],
      (address, path) =>
        graphHosts.includes(address) ? graph.site(address, path) : limitedPage(nameOf(address), path, url),
      { ...options, cleanups: shared },
    );
    const { fleet, observer, origin } = world;
    port = origin.port;
    const resolve = namedHosts.map((address) => `${nameOf(address)}:${port}:${address}`).join(",");
    fleet.start("rate-limit");
    fleet.start("fetcher", 0, {}, { SLUICE_FETCHER_RESOLVE: resolve });
    for (const index of [0, 1, 2]) fleet.start("frontier", index);
    await Promise.all([0, 1, 2].map((index) => fleet.joined("frontier", index, 240_000)));
    const polite = { scope: { kind: "any" }, politeness: { delayMs } } as const;
    const submit = async (id: string, limits: JobInput["limits"], seeds = [url(firstHost, `/${id}/`)]) =>
      await observer.submit({ ...polite, id, seeds, limits });
    const urgent = { ...polite, id: "urgent", open: true } as const;
    await observer.submit({ ...urgent, desired: "paused" });
    await observer.produce(
      Array.from({ length: 20 }, (_, number) => {
        const seed = {
          url: url("h3.c.test", `/urgent/${number}`),
          job: "urgent",
          priority: (number * 37) % 101,
        };
        return {
          topic: observer.layout.prefix + topics.seeds.name,
          partition: number % partitions,
          key: null,
          value: JSON.stringify(seed),
        };
      }),
    );
    for (const [id, { priority, seeds }] of Object.entries(rivals)) {
      await observer.submit({ ...polite, id, open: true, priority, desired: "paused" });
      await observer.produce(
        Array.from({ length: seeds }, (_, number) => ({
          topic: observer.layout.prefix + topics.seeds.name,
          partition: number % partitions,
          key: null,
          value: JSON.stringify({ url: url("h2.b.test", `/${id}/${number}`), job: id }),
        })),
      );
    }
    for (const [id, maxPages] of Object.entries(pages)) await submit(id, { maxPages }, [graph.url(0, "/")]);
    await submit("host-pages", { perHost: { pagesMax: 4 } });
    await submit("domain-pages", { perDomain: { pagesMax: 17 } });
    await submit("domain-hosts", { perDomain: { hostsMax: 2 } });
    await submit("both", { perDomain: { pagesMax: 9, hostsMax: 3 }, perHost: { pagesMax: 3 }, maxPages: 26 });
    await submit("nearer", { maxDepth: 2 }, [url(firstHost, "/nearer/"), url("h1.a.test", "/nearer/late")]);
    await observer.until("all seeds of a paused job", () => observer.status("urgent")?.admitted === 20);
    await observer.submit(urgent);
    for (const [id, { seeds }] of Object.entries(rivals))
      await observer.until(`all seeds of ${id}`, () => observer.status(id)?.admitted === seeds);
    for (const [id, { priority }] of Object.entries(rivals))
      await observer.submit({ ...polite, id, open: true, priority });
    await observer.until("40 results", () => observer.results.length >= 40);
    fleet.kill("frontier", 1, "SIGKILL");
  });

  afterAll(async () => {
    for (const cleanup of shared.splice(0).toReversed()) await cleanup();
  });

  it("end at maxPages to the page, each of two side by side on the same hosts", async () => {
    const { observer, fleet } = world;
    for (const [id, maxPages] of Object.entries(pages)) {
      const status = await observer.ended(id);
      const urls = urlsOf(id);
      expect(new Set(urls).size).toBe(urls.length);
      expect(urls).toHaveLength(maxPages);
      expect(status).toMatchObject({ finishReason: "max_pages", waiting: 0, inFlight: 0 });
      expect(status.done + status.failed).toBe(maxPages);
      expect(status.admitted).toBe(status.done + status.failed + status.skipped);
    }
    expect(fleet.deaths("frontier", 1)).toBeGreaterThan(0);
    const had = Object.keys(pages).flatMap((id) =>
      urlsOf(id).map((url) => hostOf(url) + new URL(url).pathname),
    );
    // No page beyond those that have a result.
    expect([...pagesAsked(({ host }) => graphHosts.includes(host))].sort()).toEqual([...new Set(had)].sort());
  });

  it("use up the pages of each host, to the page", async () => {
    expect(await expectOnce("host-pages")).toBe(4 * hostNames.length);
    for (const name of hostNames)
      expect(asked("host-pages").filter(({ host }) => host === name)).toHaveLength(4);
  });

  it("use up the pages of each registrable domain, to the page, over hosts of several tasks", async () => {
    // Or it would not be shown what it is for.
    for (const domain of domains)
      expect(
        new Set(
          hostNames.filter((name) => name.endsWith(domain)).map((name) => partitionOf(name, partitions)),
        ).size,
      ).toBeGreaterThan(2);
    expect(await expectOnce("domain-pages")).toBe(17 * domains.length);
    for (const domain of domains)
      expect(asked("domain-pages").filter(({ host }) => host.endsWith(domain))).toHaveLength(17);
  });

  it("ask as many host names of each registrable domain as they may, and these for all that they have", async () => {
    expect(await expectOnce("domain-hosts")).toBe(2 * domains.length * pagesPerHost);
    for (const domain of domains) expect(hostsIn(domain, "domain-hosts").size).toBe(2);
    expect(hostsPerDomain).toBeGreaterThan(2);
  });

  it("keep to all of their limits together", async () => {
    const status = await world.observer.ended("both");
    expect(status).toMatchObject({ finishReason: "max_pages", done: 26, waiting: 0, inFlight: 0 });
    expect(asked("both")).toHaveLength(26);
    for (const domain of domains) {
      expect(hostsIn(domain, "both").size).toBeLessThanOrEqual(3);
      expect(asked("both").filter(({ host }) => host.endsWith(domain)).length).toBeLessThanOrEqual(9);
    }
    for (const name of hostNames)
      expect(asked("both").filter(({ host }) => host === name).length).toBeLessThanOrEqual(3);
  });

  it("have what a page leads to that was found too deep first, and then by a shorter way", async () => {
    expect(await expectOnce("nearer")).toBe(5);
    expect(asked("nearer").map(({ path }) => path)).toContain("/nearer/behind");
  });

  it("ask for urgent seeds first, in the order of their priority", async () => {
    const { observer } = world;
    await observer.until("20 results", () => urlsOf("urgent").length === 20);
    const numbers = asked("urgent").map(({ path }) => Number(path.split("/").at(-1)));
    expect(numbers).toEqual([...numbers].sort((a, b) => ((b * 37) % 101) - ((a * 37) % 101)));
    expect(numbers).toHaveLength(20);
  });

  it("share a host as their priorities, while both have something waiting there", async () => {
    const { observer, origin } = world;
    await observer.until("all results", () =>
      Object.entries(rivals).every(([id, { seeds }]) => urlsOf(id).length === seeds),
    );
    const order = origin
      .pages()
      .filter(({ path }) => /^\/(?:major|minor)\//.test(path))
      .sort((a, b) => a.startMs - b.startMs)
      .map(({ path }) => (path.startsWith("/major/") ? "major" : "minor"));
    // The first that may go has the whole window of the host; from then on they compete, until one of them has had all.
    const end = Math.min(order.lastIndexOf("minor"), order.lastIndexOf("major"));
    const together = order.slice(order.indexOf("minor"), end + 1);
    const minor = together.filter((job) => job === "minor").length;
    const share = rivals.minor.priority / (rivals.minor.priority + rivals.major.priority);
    expect(together.length).toBeGreaterThan(60);
    expect(Math.abs(minor - share * together.length)).toBeLessThanOrEqual(8);
  });

  it("make one request for each result, and another one only where a fetcher had lost the one before", async () => {
    const { observer, origin, fleet } = world;
    const meant = new Map<string, number>();
    for (const { url } of observer.results) {
      const page = hostOf(url) + new URL(url).pathname;
      meant.set(page, (meant.get(page) ?? 0) + 1);
    }
    const asked = Map.groupBy(origin.pages(), ({ host, path }) => nameOf(host) + path);
    const blows = losses(fleet);
    const { made, withoutCause } = repeatsOf(asked, meant, blows);
    expect(withoutCause).toEqual([]);
    // Where nothing was lost it is exact: 83 and 47 pages of the first two jobs, and so on.
    expect(origin.pages()).toHaveLength(observer.results.length + made);
    if (blows.length === 0) expect(made).toBe(0);
  });

  it("have one clock a host, however many of them ask it", () => {
    expect(politenessViolations(world.origin.log, delayMs)).toEqual([]);
  });
});

describe("jobs on 8 partitions of a real Kafka", () => {
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
