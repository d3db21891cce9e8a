import { commitFaults } from "@sluice/broker/memory";
import { topics } from "@sluice/records";
import { describe, expect, it } from "vitest";
import { asking, Bench, numbered } from "./bench.ts";

const seeds = numbered("a.example", 60);
const sent = (topic: string): readonly { metric: string; value: number }[] =>
  topic === topics.events.name ? [{ metric: "sent", value: 1 }] : [];
const read = (topic: string): readonly { metric: string; value: number }[] => [
  { metric: `read ${topic}`, value: 1 },
];

describe("what is counted of records", () => {
  it.each(commitFaults.flatMap((fault) => [1, 2, 3].map((seed) => [fault, seed] as const)))(
    "%s: is what committed transactions held, each record once at most (seed %i)",
    async (fault, seed) => {
      const bench = await Bench.open({ seed });
      const life = await bench.begin("a", { measure: sent, measureRead: read });
      for (let from = 0; from < seeds.length; from += 20) {
        if (from > 0) bench.cluster.faults.failNextCommit(fault, "bench-0");
        await bench.seeds(seeds.slice(from, from + 20));
        await bench.pass(5000);
      }
      await bench.until(() => bench.outputs().length === seeds.length, "all are out");
      await bench.pass(1000);
      const counted = life.counts.get("sent") ?? 0;
      expect(life.counts.get(`read ${topics.seeds.name}`)).toBe(counted);
      // A commit whose answer was lost has written and is not known to have: its records are not counted.
      expect(counted).toBeLessThanOrEqual(seeds.length);
      expect(counted).toBeGreaterThanOrEqual(20);
      if (fault === "refused") expect(counted).toBe(seeds.length);
    },
  );

  it("is nothing as long as nothing is committed", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", { measure: sent, measureRead: read });
    bench.cluster.stopBroker();
    await bench.pass(100);
    expect(life.counts.get("sent")).toBeUndefined();
    bench.cluster.startBroker();
    await bench.seeds(seeds);
    await bench.until(() => life.counts.get("sent") === seeds.length, "all are counted");
  });
});

describe("figures of the runtime", () => {
  it("tell what is unread, unfinished and how old it is", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", {
      limits: { partition: { recordsHigh: 10, recordsLow: 5, bytesHigh: 1_000_000, bytesLow: 500_000 } },
      step: asking,
    });
    await bench.seeds(numbered("h", 1));
    for (let host = 0; host < 30; host += 1) await bench.seeds(numbered(`h${host}`, 1));
    const writtenAtMs = bench.clock.nowMs();
    await bench.pass(3000);
    const { inputs, oldestUnfinishedMs, pausedMs, tasks, heardLately } = life.service.figures();
    const [input] = inputs;
    expect(input).toMatchObject({ topic: topics.seeds.name, partition: 0, paused: true });
    // What was written while it was paused was not fetched, so the end of the log was not seen either.
    expect(input?.unfinished).toBe(life.service.gauges().heldRecords);
    expect(input?.unfinished).toBeGreaterThanOrEqual(10);
    expect(input?.end).toBeGreaterThanOrEqual(input?.position ?? Infinity);
    for (const request of life.open.slice()) request.answer();
    await bench.until(() => bench.outputs().length > 10, "it goes on");
    for (let round = 0; round < 20; round += 1) {
      for (const request of life.open.slice()) request.answer();
      await bench.pass(500);
    }
    expect(life.service.figures()).toMatchObject({
      oldestUnfinishedMs: null,
      inputs: [{ position: 31, end: 31, unfinished: 0, span: 0, paused: false }],
    });
    expect(oldestUnfinishedMs).toBeLessThanOrEqual(writtenAtMs);
    expect(oldestUnfinishedMs).toBeGreaterThan(writtenAtMs - 3000);
    expect(pausedMs.get("records")).toBeGreaterThan(1000);
    expect({ tasks, heardLately }).toEqual({ tasks: { all: 1, running: 1 }, heardLately: true });
  });

  it("time a rebalance once, when every task runs", async () => {
    const bench = await Bench.open({ partitions: 4 });
    const first = await bench.begin("a");
    expect(first.counts.get("rebalanceEnded")).toBe(1);
    const second = await bench.begin("b");
    await bench.until(() => first.service.ready && second.service.ready, "both are ready");
    await bench.pass(2000);
    expect(first.counts.get("rebalanceEnded")).toBe(first.named("rebalancing").length + 1);
  });

  it("show a loop that has something to do and one that has not", async () => {
    const bench = await Bench.open();
    const life = await bench.begin();
    await bench.pass(5000);
    const { turns } = life.service;
    expect(life.service.isDue).toBe(false);
    bench.cluster.stopBroker();
    await bench.pass(120_000);
    expect(life.service.isDue).toBe(false);
    bench.cluster.startBroker();
    await bench.seeds(seeds);
    await bench.until(() => bench.outputs().length === seeds.length, "all are out");
    expect(life.service.turns).toBeGreaterThan(turns);
    await bench.clock.settle(life.service.stop());
    expect(life.service.isDue).toBe(false);
  });
});
