import { defaultLimits } from "@sluice/runtime";
import { describe, expect, it } from "vitest";
import { asking, Bench, benchStep, counting, numbered, out } from "./bench.ts";

const manyHosts = (count: number, path: string): string[] =>
  Array.from({ length: count }, (_, host) => `h${host}/${path}`);

describe("back-pressure of the runtime", () => {
  it("pauses a partition at its high mark, lets the others flow, and resumes it at its low mark", async () => {
    const bench = await Bench.open({ partitions: 2 });
    const step = {
      ...asking,
      step: (...[state, input, ...rest]: Parameters<typeof asking.step>) =>
        input.kind === "record" && input.record.partition === 1
          ? counting.step(state, input, ...rest)
          : asking.step(state, input, ...rest),
    };
    const limits = {
      partition: { ...defaultLimits.partition, recordsHigh: 40, recordsLow: 20 },
      partitionBytesMax: 2000,
      callsMax: 1000,
    };
    const life = await bench.begin("a", { step, limits });
    await bench.seeds(manyHosts(300, "0"), 0);
    await bench.pass(2000);
    await bench.seeds(numbered("other", 200), 1);
    await bench.until(() => bench.outputs().length === 200, "the other partition flows");
    const { heldRecords, paused } = life.service.gauges();
    expect(paused).toEqual(new Map([["records", 1]]));
    // What one fetch brings may come on top.
    expect(heldRecords).toBeGreaterThanOrEqual(40);
    expect(heldRecords).toBeLessThan(40 + 2 * (2000 / 70));
    expect(life.open).toHaveLength(heldRecords);
    while (life.service.gauges().heldRecords > 21) {
      life.open[0]?.answer();
      await bench.pass(5);
    }
    await bench.pass(1000);
    expect(life.service.gauges().paused).toEqual(new Map([["records", 1]]));
    life.open[0]?.answer();
    await bench.until(() => life.service.gauges().heldRecords >= 40, "it has read on");
    await bench.until(() => {
      life.open[0]?.answer();
      return bench.outputs().length === 500;
    }, "all are answered");
    expect(life.service.gauges()).toMatchObject({
      heldRecords: 0,
      heldBytes: 0,
      calls: 0,
      callsSlow: 0,
      callsWaiting: 0,
      paused: new Map(),
    });
  });

  it("pauses by bytes as well", async () => {
    const bench = await Bench.open();
    const limits = {
      partition: { ...defaultLimits.partition, bytesHigh: 10_000, bytesLow: 5000 },
      partitionBytesMax: 2000,
    };
    const life = await bench.begin("a", { step: asking, limits });
    await bench.seeds(manyHosts(50, "x".repeat(1000)));
    await bench.pass(2000);
    const { heldBytes, paused } = life.service.gauges();
    expect(paused).toEqual(new Map([["bytes", 1]]));
    expect(heldBytes).toBeGreaterThanOrEqual(10_000);
    expect(heldBytes).toBeLessThan(14_000);
  });

  it.each([
    ["span", { spanMax: 300 }],
    ["offset_map", {}],
  ] as const)(
    "pauses at the limit of the %s above a stuck record, and goes on when that is finished",
    async (reason, limits) => {
      const bench = await Bench.open();
      // Every other record of this step stays open as long as the first does: the worst case for the map.
      const open: string[] = [];
      let isStuck = true;
      const step = benchStep(
        (_, input, nowMs) => {
          if (input.kind === "wake") {
            if (isStuck) return [{ kind: "wake", lane: "tick", atMs: nowMs + 100 }];
            return open.splice(0).map((id) => ({ kind: "finish", id }));
          }
          if (input.kind !== "record") return [];
          const { id, offset, value } = input.record;
          const wake = { kind: "wake", lane: "tick", atMs: nowMs + 100 } as const;
          if (value.url === "stuck/0" || (reason === "offset_map" && isStuck && isOpen(offset))) {
            open.push(id);
            return [wake];
          }
          return [out({ url: value.url }), { kind: "finish", id }];
        },
        { laneWidth: () => 100_000 },
      );
      const isOpen = (offset: number): boolean => (offset * 2_654_435_761) % 4096 < 1500;
      const life = await bench.begin("a", {
        step,
        limits: {
          ...limits,
          partitionBytesMax: 20_000,
          partition: { ...defaultLimits.partition, recordsHigh: 50_000 },
        },
      });
      await bench.seeds(["stuck/0", ...numbered("a", 40_000)]);
      await bench.until(() => life.service.gauges().paused.has(reason), "it is paused");
      await bench.pass(3000);
      expect([...life.service.gauges().paused.keys()]).toEqual([reason]);
      const read = life.inputs.filter(({ input }) => input.kind === "record").length;
      expect(read).toBeLessThan(reason === "span" ? 2000 : 30_000);
      expect((await bench.offset())?.offset).toBe(0);
      expect((await bench.offset())?.metadata.length).toBeLessThanOrEqual(4096);
      isStuck = false;
      await bench.until(
        () => life.inputs.filter(({ input }) => input.kind === "record").length === 40_001,
        "all are read",
      );
      await bench.pass(2000);
      expect((await bench.offset())?.offset).toBeGreaterThanOrEqual(40_001);
      expect(life.service.gauges().paused).toEqual(new Map());
    },
  );

  it("takes no further record while more output than its limit waits for the transaction", async () => {
    const bench = await Bench.open();
    const step = benchStep((_, input) =>
      input.kind === "record"
        ? [out({ url: "x".repeat(1000) }), { kind: "finish", id: input.record.id }]
        : [],
    );
    const life = await bench.begin("a", { step, limits: { outputBytesMax: 10_000 } });
    await bench.pass(500);
    await bench.seeds(numbered("a", 200));
    bench.cluster.faults.delayNextFetch(1);
    await bench.until(() => life.service.gauges().unpersisted > 0, "something waits");
    let most = 0;
    await bench.until(() => {
      most = Math.max(most, life.service.gauges().unpersisted);
      return bench.outputs().length === 200;
    }, "all are out");
    expect(most).toBeLessThanOrEqual(11);
    expect(life.counts.get("committed")).toBeGreaterThanOrEqual(18);
  });
});

describe("at scale", () => {
  it("leaves nothing behind of 200,000 records", async () => {
    const bench = await Bench.open({ partitions: 4 });
    let done = 0;
    const step = benchStep((_, input, nowMs) => {
      if (input.kind !== "record") return [];
      done += 1;
      const { id, key } = input.record;
      return done % 100 === 0
        ? [{ kind: "wake", lane: key ?? "", atMs: nowMs + 50 }, { kind: "finish", id }, out({ done })]
        : [{ kind: "finish", id }];
    });
    const life = bench.life("a", { step });
    // What a test sees of each step would itself be what is left behind.
    life.inputs.push = () => 0;
    await bench.run(life);
    for (let round = 0; round < 10; round += 1) {
      for (let partition = 0; partition < 4; partition += 1) {
        await bench.seeds(
          Array.from({ length: 5000 }, (_, index) => `h${round}-${index}/1`),
          partition,
        );
      }
      await bench.until(() => done === (round + 1) * 20_000, "the round is done", 600_000);
    }
    await bench.pass(3000);
    expect(life.service.gauges()).toEqual({
      heldRecords: 0,
      heldBytes: 0,
      calls: 0,
      callsSlow: 0,
      callsWaiting: 0,
      unpersisted: 0,
      paused: new Map(),
    });
    expect(life.service.leftovers()).toEqual({
      inbox: 0,
      preparing: 0,
      held: 0,
      lanes: 0,
      wakes: 0,
      calls: 0,
    });
    expect(bench.outputs()).toHaveLength(2000);
    for (let partition = 0; partition < 4; partition += 1)
      expect((await bench.offset(partition))?.metadata).toBe("");
    expect(life.fatal).toEqual([]);
  });
});

describe("a broker that is away", () => {
  it("for two minutes ends nothing, and the service does not spin meanwhile", async () => {
    const bench = await Bench.open({ partitions: 2 });
    const life = bench.life("a", { step: asking, tables: ["crawl.jobs"] });
    let timers = 0;
    const { clock } = life.client;
    const setTimer = clock.setTimer.bind(clock);
    clock.setTimer = (atMs, fire) =>
      setTimer(atMs, () => {
        timers += 1;
        fire();
      });
    await bench.run(life);
    await bench.seeds(manyHosts(30, "0"), 0);
    await bench.until(() => life.open.length === 30, "all are asked for");
    for (const request of life.open.slice(0, 10)) request.answer();
    bench.cluster.stopBroker();
    await bench.pass(20_000);
    const withheld = life.counts.get("callsWithheld") ?? 0;
    timers = 0;
    await bench.pass(100_000);
    // Some 20 a second are the client's own: heartbeats, fetches and their retries.
    expect(timers).toBeGreaterThan(0);
    expect(timers / 100).toBeLessThan(60);
    expect(withheld).toBeLessThanOrEqual(1);
    bench.cluster.startBroker();
    await bench.until(() => {
      life.open[0]?.answer();
      return bench.outputs().length === 30;
    }, "it goes on");
    await bench.pass(2000);
    expect(new Set(bench.urls()).size).toBe(30);
    expect((await bench.offset())?.offset).toBe(30);
    expect(life.fatal).toEqual([]);
  });

  it("when the service starts, is waited for", async () => {
    const bench = await Bench.open({ partitions: 3 });
    const life = bench.life("a", { tables: ["crawl.jobs"] });
    let asked = 0;
    const watermarks = life.client.admin.watermarks.bind(life.client.admin);
    life.client.admin.watermarks = (topic) => {
      asked += 1;
      return watermarks(topic);
    };
    await bench.clock.settle(life.service.start());
    await bench.until(() => life.named("joined").length > 0, "it has joined");
    bench.cluster.stopBroker();
    await bench.pass(60_000);
    // One after the other, not one more with each heartbeat and each failed task.
    expect(asked).toBeLessThan(200);
    bench.cluster.startBroker();
    await bench.until(() => life.service.ready, "it is ready");
    expect(life.fatal).toEqual([]);
  });
});
