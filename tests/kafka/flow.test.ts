import { setTimeout as sleep } from "node:timers/promises";
import { partitionOf, topics } from "@sluice/records";
import { afterEach, describe, expect, it } from "vitest";
import { loopback } from "../fleet/graph.ts";
import { htmlPage, type Site } from "../fleet/origin.ts";
import { rssMbOf } from "../fleet/process-usage.ts";
import { openWorld } from "./crawl-world.ts";

const partitions = 4;
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const lagMax = 40;
const releasedMax = 5;
const pagesPerHost = 30;

describe("the flow through a real Kafka", () => {
  it("stops at the origin while the sink stands still, with memory that stays where it is, and goes on with it; a seed wakes idle fetchers at once", async () => {
    const addresses = loopback(61, 8);
    const site: Site = (host, path) => {
      if (path === "/robots.txt") return { status: 404 };
      if (path !== "/") return htmlPage(`${host}${path}`, []);
      return htmlPage(
        host,
        Array.from({ length: pagesPerHost - 1 }, (_, page) => `/${page}`),
      );
    };
    const { origin, observer, fleet, prefix } = await openWorld(addresses, site, {
      name: "flow-test",
      cleanups,
      partitions,
      env: {
        SLUICE_FRONTIER_LAG_MAX: String(lagMax),
        SLUICE_FRONTIER_RELEASED_MAX: String(releasedMax),
      },
    });
    for (const service of ["rate-limit", "frontier", "fetcher", "result-sink"] as const) fleet.start(service);
    await Promise.all(
      (["frontier", "fetcher", "result-sink"] as const).map((service) => fleet.joined(service, 0, 240_000)),
    );
    const job = { seeds: addresses.map((address) => origin.url(address)), politeness: { delayMs: 30 } };
    await observer.submit({ id: "flow", ...job });
    await observer.until("some results", () => observer.results.length >= 20);
    fleet.kill("result-sink", 0, "SIGSTOP");
    // What was read before, what may lie in the topic, what is out, and what a second's look at the lag lets through.
    const mostMs = 60_000;
    const deadlineMs = Date.now() + mostMs;
    let seen = -1;
    while (Date.now() < deadlineMs && seen !== origin.pages().length) {
      seen = origin.pages().length;
      await sleep(6000);
    }
    const atRest = origin.pages().length;
    const all = addresses.length * pagesPerHost;
    expect(atRest).toBeLessThan(all);
    await observer.until(
      "the status says so",
      () => (observer.status("flow")?.waitingBy?.back_pressure ?? 0) > 0,
    );
    const fetcher = fleet.pid("fetcher", 0) ?? 0;
    const beforeMb = rssMbOf(fetcher);
    await sleep(8000);
    expect(origin.pages()).toHaveLength(atRest);
    expect(rssMbOf(fetcher) - beforeMb).toBeLessThan(40);
    fleet.kill("result-sink", 0, "SIGCONT");
    const status = await observer.ended("flow");
    expect(status).toMatchObject({ done: all, failed: 0, skipped: 0 });

    // Nothing is under way now, and nobody asks Kafka in short intervals: a seed is what wakes them.
    await sleep(3000);
    const seededAtMs = performance.now();
    const [address = ""] = addresses;
    const url = origin.url(address, "/late");
    await observer.produce([
      {
        topic: prefix + topics.seeds.name,
        partition: partitionOf("late", partitions),
        key: "late",
        value: url,
      },
    ]);
    await observer.until("the seed's result", () => observer.results.some((result) => result.url === url));
    const asked = origin.log.find(({ path }) => path === "/late");
    process.stdout.write(
      `a seed was asked for after ${Math.round((asked?.startMs ?? Infinity) - seededAtMs)} ms\n`,
    );
    process.stdout.write(`${atRest} of ${all} pages were asked for while the sink stood still\n`);
    expect((asked?.startMs ?? Infinity) - seededAtMs).toBeLessThan(30_000);
  });
});
