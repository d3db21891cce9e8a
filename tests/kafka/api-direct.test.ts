import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "@sluice/records";
import { afterEach, describe, expect, it } from "vitest";
import { apiFleet, messages, post, type ApiFleet } from "../fleet/api-fleet.ts";
import type { ServiceName } from "../fleet/fleet.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { Origin } from "../fleet/origin.ts";
import { testBrokers } from "./brokers.ts";

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function web(block: number, pagesPerHost: number): Promise<Graph> {
  const hosts = loopback(block, 4);
  let port = 0;
  const graph = new Graph({ hosts, pagesPerHost, port: () => port, seed: block, crossLinks: 2 });
  const origin = await Origin.start(hosts, (host, path) => graph.site(host, path));
  cleanups.push(() => origin.close());
  port = origin.port;
  return graph;
}

async function fleetOf(name: string, services: readonly ServiceName[]): Promise<ApiFleet> {
  const fleet = await apiFleet({
    brokers: testBrokers(),
    prefix: `direct-${process.pid}-${name}.`,
    services,
  });
  cleanups.push(() => fleet.close());
  return fleet;
}

/** What does not depend on when and by which way a page was reached. */
const essence = ({ url, status, outcome, redirect_to, title, links_count }: Result): string =>
  JSON.stringify([url, status, outcome, redirect_to, title, links_count]);
const essences = (results: readonly Result[]): readonly string[] => results.map(essence).toSorted();
const rowsOf = (text: string): readonly Result[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Result);

describe("a crawl that is not distributed, on a real Kafka", () => {
  it("gives the results that a distributed one gives, in the process of the API alone", async () => {
    const graph = await web(44, 10);
    const distributed = await fleetOf("others", ["frontier", "rate-limit", "fetcher"]);
    const alone = await fleetOf("alone", []);
    const seed = graph.url(0, "/");
    const urls = [seed, graph.url(1, "/p/1"), graph.url(2, "/gone/7"), graph.url(3, "/old/2")];
    const batch = { urls, session_id: "list" };
    const crawl = { id: "crawl", seeds: [seed], scope: { kind: "any" }, politeness: { delayMs: 20 } };
    for (const [{ apis }, isDistributed] of [
      [distributed, true],
      [alone, false],
    ] as const) {
      const [first = ""] = apis;
      expect((await post(`${first}/api/crawl/batch`, { ...batch, distributed: isDistributed })).status).toBe(
        201,
      );
      expect((await post(`${first}/v1/jobs`, { ...crawl, distributed: isDistributed })).status).toBe(201);
    }
    for (const job of ["list", "crawl"]) {
      await distributed.observer.ended(job);
      await alone.observer.ended(job);
      const of = ({ observer }: ApiFleet) => observer.results.filter((result) => result.job === job);
      expect(essences(of(alone))).toEqual(essences(of(distributed)));
      expect(new Set(of(alone).map(({ url }) => url))).toEqual(
        // A batch follows no links; where a redirect leads is fetched.
        job === "list" ? new Set([...urls, graph.url(3, "/p/2")]) : graph.reachable([seed]),
      );
      // Any replica tells of it, though only its own process has crawled.
      for (const api of alone.apis) {
        const answer = await fetch(`${api}/v1/jobs/${job}/results`);
        expect(essences(rowsOf(await answer.text()))).toEqual(essences(of(alone)));
        const got = await messages(`${api}/v1/jobs/${job}/events`, null, () => false);
        expect([got[0]?.type, got.at(-1)?.type]).toEqual(["stream_connected", "job_completed"]);
      }
    }
    const metrics = await (await fetch(`${alone.apis[0]}/metrics`)).text();
    for (const service of ["api", "frontier", "rate-limit", "fetcher", "result-sink"])
      expect(metrics).toContain(`service="${service}"`);
    const file = join(alone.sinkDir, "results.jsonl");
    const untilMs = performance.now() + 20_000;
    const rows = (): readonly Result[] => (existsSync(file) ? rowsOf(readFileSync(file, "utf8")) : []);
    while (rows().length < alone.observer.results.length && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, 100));
    expect(essences(rows())).toEqual(essences(alone.observer.results));
  });

  it("goes on where it was when the API's processes are killed in the middle of it", async () => {
    const graph = await web(45, 15);
    const { apis, fleet, observer } = await fleetOf("killed", []);
    const seed = graph.url(0, "/");
    const body = { id: "crawl", seeds: [seed], scope: { kind: "any" }, politeness: { delayMs: 100 } };
    expect((await post(`${apis[0]}/v1/jobs`, { ...body, distributed: false })).status).toBe(201);
    await observer.until("20 results", () => observer.results.length >= 20);
    fleet.kill("api", 0, "SIGKILL");
    fleet.kill("api", 1, "SIGKILL");
    const status = await observer.ended("crawl");
    expect(status.finishReason).toBe("completed");
    const urls = observer.results.map(({ url }) => url);
    expect(new Set(urls)).toEqual(graph.reachable([seed]));
    expect(urls).toHaveLength(new Set(urls).size);
  });
});
