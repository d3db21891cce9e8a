import { FakeClock, memoryBroker, serviceClock } from "@sluice/broker/memory";
import { defaultLimits, type Figures, type InputFigures } from "@sluice/runtime";
import { Metrics, type Measurement } from "@sluice/telemetry";
import { describe, expect, test } from "vitest";
import { Gathering } from "../src/gathering.ts";
import { InputLag } from "../src/input-lag.ts";
import { counted } from "../src/measurements.ts";

const topic = "crawl.permits";
const input: InputFigures = {
  topic,
  partition: 0,
  position: 100,
  end: 140,
  unfinished: 10,
  span: 12,
  paused: false,
};
const figures: Figures = {
  inputs: [input],
  oldestUnfinishedMs: null,
  unpersistedBytes: 5,
  checkpointAgeMs: 4000,
  stateEntries: 6,
  restore: { read: 7, target: 8 },
  pausedMs: new Map(),
  tasks: { all: 1, running: 1 },
  heartbeatAgeMs: 1500,
  heardLately: true,
  draining: false,
};

/** A service that shows what the test says, and the value of each series that is asked for. */
function gathered(gauges?: () => readonly Measurement[]) {
  const clock = new FakeClock();
  const cluster = memoryBroker({ clock, seed: 1 });
  const client = cluster.connect("test");
  const shown = { figures, paused: new Map<string, number>(), looks: 0, clockDifferenceMs: 0 };
  const service = {
    gauges: () => ({
      heldRecords: 10,
      heldBytes: 20,
      calls: 1,
      callsSlow: 1,
      callsWaiting: 2,
      unpersisted: 3,
      paused: shown.paused,
    }),
    figures: () => {
      shown.looks += 1;
      return shown.figures;
    },
    phases: () => new Map([["running", 1]]),
    states: () => [],
  };
  const metrics = new Metrics({ service: "fetcher", values: { topic: [topic] } });
  const gathering = new Gathering({
    service,
    metrics,
    clock: serviceClock(client.clock),
    limits: defaultLimits,
    lag: new InputLag(client.admin, ""),
    gauges,
    clockDifferenceMs: () => shown.clockDifferenceMs,
  });
  const value = async (start: string, labels = ""): Promise<number> => {
    gathering.gather();
    const lines = (await metrics.text()).split("\n");
    const line = lines.find((each) => each.startsWith(`sluice_runtime_${start}{${labels}`));
    return Number(line?.split(" ").at(-1));
  };
  return { clock, client, shown, value };
}

describe("the gauges of a service", () => {
  test("have the figures of the runtime beside their limits", async () => {
    const { clock, shown, value } = gathered();
    shown.figures = { ...figures, oldestUnfinishedMs: clock.nowMs() - 4000 };
    expect(await value("held_records")).toBe(10);
    expect(await value("held_records_limit")).toBe(2000);
    expect(await value("span_offsets")).toBe(12);
    expect(await value("oldest_unfinished_seconds")).toBe(4);
    expect(await value("heartbeat_age_seconds")).toBe(1.5);
    expect(await value("heartbeat_age_seconds_limit")).toBe(defaultLimits.sessionTimeoutMs / 2000);
  });

  test("tell what the broker's clock is ahead, and lose no other by it", async () => {
    const { shown, value } = gathered();
    shown.clockDifferenceMs = 1500;
    expect(await value("clock_difference_seconds")).toBe(1.5);
    expect(await value("held_records_limit")).toBe(2000);
  });

  test("split the lag into what is held on purpose and what is ready", async () => {
    const held: Measurement = {
      metric: "sluice_runtime_lag_records",
      value: 7,
      labels: { topic, state: "held" },
    };
    const { value } = gathered(() => [held]);
    expect(await value("lag_records", `topic="${topic}",state="held"`)).toBe(7);
    // 40 unread and 10 unfinished, of which 7 wait.
    expect(await value("lag_records", `topic="${topic}",state="ready"`)).toBe(43);
  });

  test("are looked at once a second, however many ask", async () => {
    const { clock, shown, value } = gathered();
    for (let ask = 0; ask < 5; ask += 1) await value("held_records");
    expect(shown.looks).toBe(1);
    await clock.advance(1001);
    await value("held_records");
    expect(shown.looks).toBe(2);
  });

  test("count the seconds of pauses as they go on, each once", async () => {
    const { clock, shown, value } = gathered();
    const label = 'reason="bytes"';
    shown.figures = { ...figures, pausedMs: new Map([["bytes", 2500]]) };
    expect(await value("paused_seconds_total", label)).toBe(2.5);
    await clock.advance(1001);
    expect(await value("paused_seconds_total", label)).toBe(2.5);
    shown.figures = { ...figures, pausedMs: new Map([["bytes", 4000]]) };
    await clock.advance(1001);
    expect(await value("paused_seconds_total", label)).toBe(4);
  });

  test("forget a reason of pausing that no partition has any more", async () => {
    const { clock, shown, value } = gathered();
    shown.paused = new Map([["span", 3]]);
    expect(await value("paused_partitions", 'reason="span"')).toBe(3);
    shown.paused = new Map();
    await clock.advance(1001);
    expect(await value("paused_partitions", 'reason="span"')).toBe(0);
  });

  test("see the lag of a paused partition grow, though nothing of it is fetched", async () => {
    const { clock, client, shown, value } = gathered();
    await clock.settle(client.admin.createTopics([{ name: topic, partitions: 1, configs: {} }]));
    const producer = await clock.settle(client.producer());
    const record = { topic, partition: 0, key: "k", value: "v" };
    await clock.settle(producer.send(Array.from({ length: 500 }, () => record)));
    shown.figures = { ...figures, inputs: [{ ...input, paused: true }] };
    await value("held_records");
    await clock.advance(2000);
    expect(await value("lag_records", `topic="${topic}",state="ready"`)).toBe(410);
  });
});

describe("calls that are counted", () => {
  test("are told with how long they took, and answered as they were", async () => {
    const clock = new FakeClock();
    const client = memoryBroker({ clock, seed: 1 }).connect("test");
    const told: Measurement[] = [];
    const perform = counted(
      async (request: string) => `${request}!`,
      (request, outcome, { durationMs }) => [
        { metric: "sluice_fetcher_expired_urls_total", value: durationMs, labels: { request, outcome } },
      ],
      { record: (each) => told.push(each) },
      serviceClock(client.clock),
    );
    expect(await perform("a", new AbortController().signal)).toBe("a!");
    expect(told).toEqual([
      { metric: "sluice_fetcher_expired_urls_total", value: 0, labels: { request: "a", outcome: "a!" } },
    ]);
  });
});
