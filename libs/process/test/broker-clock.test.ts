import { FakeClock, memoryBroker, serviceClock, type MemoryClient } from "@sluice/broker/memory";
import { topics } from "@sluice/records";
import { systemClock, type Clock } from "@sluice/runtime";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openBrokerClock, type BrokerClock } from "../src/broker-clock.ts";
import { topicSpecs } from "../src/topic-setup.ts";

const layout = {
  prefix: "",
  partitions: 1,
  politenessKey: "host" as const,
  retentionMs: null,
  replicationFactor: null,
};
const hour = 3_600_000;

let time: FakeClock;
let client: MemoryClient;
let events: { readonly name: string; readonly fields: Readonly<Record<string, unknown>> }[];

beforeEach(async () => {
  time = new FakeClock();
  const cluster = memoryBroker({ clock: time, seed: 1, latency: { minMs: 1, maxMs: 40 } });
  client = cluster.connect("a");
  events = [];
  await time.settle(client.admin.createTopics(topicSpecs(layout)));
});

/** The clock of a machine that is ahead of the broker's by so much. */
function ahead(ms: () => number): Clock {
  const clock = serviceClock(time);
  return { ...clock, nowMs: () => clock.nowMs() + ms() };
}

function open(clock: Clock, broker: Pick<MemoryClient, "timeMs"> = client): Promise<BrokerClock> {
  const onEvent = (name: string, fields: Readonly<Record<string, unknown>>): void => {
    events.push({ name, fields });
  };
  return time.settle(openBrokerClock({ broker, layout, clock, onEvent }));
}

describe("the time of day of a process", () => {
  test.each([hour, -hour, 1000, -300])(
    "is the broker's where its machine is %i ms ahead",
    async (aheadMs) => {
      const clock = await open(ahead(() => aheadMs));
      expect(Math.abs(clock.nowMs() - time.nowMs())).toBeLessThanOrEqual(50);
      expect(events).toMatchObject([{ name: "clock_corrected" }]);
      expect(Math.abs(clock.differenceMs ?? Infinity)).toBeLessThanOrEqual(50);
    },
  );

  test("is its own where the two are as good as the same", async () => {
    const clock = await open(ahead(() => 150));
    expect(clock.nowMs()).toBe(time.nowMs() + 150);
    expect(events).toEqual([]);
  });

  test("stays what it is while it runs; that the broker's was set is told, once a minute", async () => {
    let setMs = 0;
    const broker = { timeMs: async (topic: string) => (await client.timeMs(topic)) + setMs };
    const clock = await open(
      ahead(() => 0),
      broker,
    );
    const end = clock.watch();
    await time.advance(270_000);
    expect(events).toEqual([]);
    setMs = hour;
    await time.advance(125_000);
    expect(events.map(({ name }) => name)).toEqual(["clock_apart", "clock_apart"]);
    expect(clock.nowMs()).toBe(time.nowMs());
    expect(Math.abs((clock.differenceMs ?? 0) - hour)).toBeLessThanOrEqual(50);
    setMs = 0;
    end();
    await time.advance(300_000);
    expect(events).toHaveLength(2);
  });

  test("is asked for until the broker answers, and is its own where that takes too long", async () => {
    let failures = 5;
    const broker = {
      timeMs: (topic: string) =>
        failures-- > 0 ? Promise.reject(new Error("not now")) : client.timeMs(topic),
    };
    const clock = await open(
      ahead(() => hour),
      broker,
    );
    expect(Math.abs(clock.nowMs() - time.nowMs())).toBeLessThanOrEqual(50);
    failures = Number.POSITIVE_INFINITY;
    events = [];
    const own = await open(
      ahead(() => hour),
      broker,
    );
    expect(own.nowMs()).toBe(time.nowMs() + hour);
    expect(own.differenceMs).toBeNull();
    expect(events).toMatchObject([{ name: "clock_unknown" }]);
  });

  test("is asked for from the one topic that the broker dates", () => {
    const dated = topicSpecs(layout).filter(({ configs }) => configs["message.timestamp.type"] !== undefined);
    expect(dated).toMatchObject([{ name: topics.clock.name, partitions: 1 }]);
  });
});

describe("the clock of a process", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("does not jump when the machine's is set while it runs", () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const clock = systemClock();
    const before = clock.nowMs();
    for (const byMs of [hour, -2 * hour, 24 * hour]) {
      vi.setSystemTime(Date.now() + byMs);
      expect(clock.nowMs() - before).toBeGreaterThanOrEqual(0);
      expect(clock.nowMs() - before).toBeLessThan(hour / 2);
    }
  });
});
