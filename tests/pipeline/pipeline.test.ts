import { describe, expect, it } from "vitest";
import type { FaultRates } from "@sluice/broker/memory";
import { Graph, loopback } from "../fleet/graph.ts";
import { Simulation, serviceNames } from "./simulation.ts";
import type { Visit } from "./web.ts";

const hosts = loopback(1, 8);
const port = 8080;
const delayMs = 100;

/** `SEEDS=1000:500` runs 500 seeds from 1000 on, instead of the few that each run of the suite has. */
function seeds(first: number, count: number): readonly number[] {
  const [from, many] = (process.env["SEEDS"] ?? `${first}:${count}`).split(":").map(Number);
  return Array.from({ length: many ?? 1 }, (_, index) => (from ?? first) + index);
}

const graph = (seed: number): Graph =>
  new Graph({ hosts, pagesPerHost: 30, port: () => port, seed, crossLinks: 2 });

function simulation(seed: number, faults: Partial<FaultRates>): { sim: Simulation; web: Graph } {
  const web = graph(seed);
  const sim = new Simulation({
    seed,
    partitions: 4,
    site: (host, path) => web.site(host, path),
    faults,
    instances: { frontier: 2, "rate-limit": 1, fetcher: 2, "result-sink": 1 },
  });
  return { sim, web };
}

/** Requests to one host closer than its delay, or overlapping, as the server saw them. */
function violations(log: readonly Visit[]): string[] {
  const found: string[] = [];
  const last = new Map<string, Visit>();
  for (const visit of log.toSorted((a, b) => a.startMs - b.startMs)) {
    const before = last.get(visit.host);
    if (before !== undefined && (visit.startMs - before.startMs < delayMs || visit.startMs < before.endMs)) {
      found.push(
        `${visit.host}: ${before.url} at ${before.startMs}..${before.endMs}, ${visit.url} at ${visit.startMs}`,
      );
    }
    last.set(visit.host, visit);
  }
  return found;
}

/** Everything that has to hold at the end of a crawl, whatever happened on the way. */
async function crawl(
  seed: number,
  faults: Partial<FaultRates>,
  disturb: (sim: Simulation) => Promise<void>,
): Promise<void> {
  const { sim, web } = simulation(seed, faults);
  const context = (): string => `seed ${seed}\n${sim.log.slice(-40).join("\n")}`;
  await sim.start();
  const start = web.url(0, "/");
  await sim.submit({ id: "job", seeds: [start], scope: { kind: "any" }, politeness: { delayMs } });
  await disturb(sim);
  const ended = await sim.runUntil(() => sim.status("job")?.state === "ended", 1_800_000);
  expect(sim.fatal, context()).toEqual([]);
  expect(ended, `${context()}\n${JSON.stringify(sim.status("job"))}`).toBe(true);
  await sim.runUntil(() => sim.disk.length >= sim.results().length, 60_000);
  const terminal = (): number => sim.events().filter((event) => event.type === "job_completed").length;
  await sim.runUntil(() => terminal() > 0, 60_000);
  const expected = [...web.reachable([start])].sort();
  const urls = (results: readonly { readonly url: string }[]): string[] =>
    results.map((result) => result.url).sort();
  expect(urls(sim.results()), context()).toEqual(expected);
  expect(urls(sim.disk), context()).toEqual(expected);
  expect(violations(sim.web.log), context()).toEqual([]);
  expect(terminal(), context()).toBe(1);
  const status = sim.status("job");
  expect((status?.done ?? 0) + (status?.failed ?? 0), context()).toBe(expected.length);
  expect(status?.waiting, context()).toBe(0);
}

describe("the whole pipeline on the in-memory broker", () => {
  it("finds what breadth first finds, each page once, politely, when nothing goes wrong", async () => {
    await crawl(1, {}, async () => undefined);
  });

  it.each(seeds(100, 10))("survives failing commits, late and doubled batches (seed %i)", async (seed) => {
    await crawl(seed, { commit: 0.02, fetchTwice: 0.05, fetchDelayed: 0.05 }, async () => undefined);
  });

  it.each(seeds(200, 30))("survives kills, frozen processes and rebalances (seed %i)", async (seed) => {
    await crawl(seed, { commit: 0.01 }, async (sim) => {
      for (let fault = 0; fault < 8; fault += 1) {
        await sim.runUntil(() => false, sim.random.between(300, 4000));
        const service = serviceNames[sim.random.between(0, serviceNames.length - 1)] ?? "fetcher";
        const index = service === "frontier" || service === "fetcher" ? sim.random.between(0, 1) : 0;
        const dice = sim.random.between(1, 4);
        if (dice <= 2) sim.kill(service, index);
        else if (dice === 3) sim.freeze(service, index, sim.random.between(500, 8000));
        else sim.cluster.rebalance(service);
      }
    });
  });
});
