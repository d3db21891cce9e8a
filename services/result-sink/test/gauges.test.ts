import { topics } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import { gaugeSink } from "../src/gauges.ts";
import { measureWrite } from "../src/measure.ts";
import { defaultSinkOptions } from "../src/options.ts";
import { sinkStep, type ResultRecord, type SinkCall, type SinkOutcome, type SinkState } from "../src/step.ts";
import { resultAt, rowAt } from "./rows.ts";

type Driver = StepDriver<SinkState, ResultRecord, SinkCall, SinkOutcome>;

function gauges({ state, context, nowMs }: Driver): Readonly<Record<string, number>> {
  const told = gaugeSink({ bytes: 77, knownIds: 5 })([{ task: 0, state, context }], nowMs);
  return Object.fromEntries(
    told.map(({ metric, value }) => [metric.replace("sluice_result_sink_", ""), value]),
  );
}

describe("gauges of the sink", () => {
  test("tell what waits, what is being written and which tasks fail", () => {
    const driver: Driver = new StepDriver({
      step: sinkStep({ ...defaultSinkOptions, batchMax: 3 }),
      nowMs: 0,
    });
    for (let offset = 0; offset < 5; offset += 1) driver.feed(topics.results.name, "k", resultAt(0, offset));
    expect(gauges(driver)).toEqual({
      waiting_rows: 2,
      batch_rows: 3,
      unwritten_rows_limit: 1000,
      failing_tasks: 0,
      file_bytes: 77,
      known_rows: 5,
      known_rows_limit: 200_000,
    });
    const [call] = driver.calls.keys();
    driver.settle(call ?? "", { kind: "failed", message: "disk full" });
    expect(gauges(driver)).toMatchObject({ waiting_rows: 2, batch_rows: 3, failing_tasks: 1 });
  });
});

describe("what the sink counts", () => {
  const rows = [rowAt(0, 1), rowAt(0, 2)];
  const fetchedAtMs = rows[0]?.result.fetched_at_ms ?? 0;

  test("rows that are safe, how long the write took and how old they were", () => {
    const told = measureWrite(
      { rows },
      { kind: "written", repeated: 1 },
      { durationMs: 20, nowMs: fetchedAtMs + 1500 },
    );
    expect(told).toEqual([
      { metric: "sluice_result_sink_writes_total", value: 1, labels: { outcome: "written" } },
      { metric: "sluice_result_sink_write_seconds", value: 0.02 },
      { metric: "sluice_result_sink_written_rows_total", value: 1 },
      { metric: "sluice_result_sink_repeated_rows_total", value: 1 },
      { metric: "sluice_result_sink_delivery_seconds", value: 1.5 },
      { metric: "sluice_result_sink_delivery_seconds", value: 1.5 },
    ]);
  });

  test("a failed write, and no rows", () => {
    const told = measureWrite({ rows }, { kind: "failed", message: "no" }, { durationMs: 20, nowMs: 0 });
    expect(told).toEqual([
      { metric: "sluice_result_sink_writes_total", value: 1, labels: { outcome: "failed" } },
    ]);
  });
});
