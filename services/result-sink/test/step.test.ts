import { readdirSync, readFileSync } from "node:fs";
import { topics } from "@sluice/records";
import { replayTrace, StepDriver, type TraceCommand } from "@sluice/topology/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultSinkOptions, type SinkOptions } from "../src/options.ts";
import { sinkStep, type ResultRecord, type SinkCall, type SinkOutcome, type SinkState } from "../src/step.ts";
import { resultAt } from "./rows.ts";

const options: SinkOptions = { ...defaultSinkOptions, batchMax: 3 };
type Driver = StepDriver<SinkState, ResultRecord, SinkCall, SinkOutcome>;

function recordAt(offset: number): ResultRecord {
  return {
    id: `${topics.results.name}/0/${offset}`,
    topic: topics.results.name,
    partition: 0,
    offset,
    key: "k",
    value: resultAt(0, offset),
    headers: {},
    timestampMs: 0,
  };
}

/** The sink's step under the commands of a trace; instants are milliseconds since its start. */
class SinkTrace {
  readonly #driver: Driver = new StepDriver({ step: sinkStep(options), nowMs: 0 });
  #offset = 0;
  readonly #known = new Set<string>();

  readonly perform = ({ name, words: [first = ""], line }: TraceCommand): readonly string[] => {
    switch (name) {
      case "results":
        for (let count = Number(first); count > 0; count -= 1) this.#driver.pipe(recordAt(this.#offset++));
        return this.#happened();
      case "written":
      case "failed": {
        const [call] = this.#driver.calls.values();
        if (call === undefined) throw new Error("nothing is being written");
        const before = new Set(this.#driver.unfinished);
        this.#known.delete(call.callId);
        this.#driver.settle(
          call.callId,
          name === "written" ? { kind: "written", repeated: 0 } : { kind: "failed", message: "disk full" },
        );
        const after = new Set(this.#driver.unfinished);
        const finished = [...before].filter((id) => !after.has(id)).map((id) => id.split("/")[2]);
        return [...(finished.length === 0 ? [] : [`finished ${finished.join(" ")}`]), ...this.#happened()];
      }
      case "advance":
        this.#driver.advance(Number(first));
        return this.#happened();
      case "crash":
        this.#driver.restartFromCommit();
        this.#known.clear();
        return this.#happened();
      case "commit":
        this.#driver.commit();
        return [];
      default:
        throw new Error(`no command ${line}`);
    }
  };

  #happened(): readonly string[] {
    return [...this.#driver.calls.values()].flatMap(({ callId, request }) => {
      if (this.#known.has(callId)) return [];
      this.#known.add(callId);
      return [`at ${this.#driver.nowMs} write ${request.rows.map(({ offset }) => offset).join(" ")}`];
    });
  }
}

describe("the sink does what its traces say", () => {
  const folder = new URL("traces/", import.meta.url);
  for (const file of readdirSync(folder).sort()) {
    test(file.replace(".txt", "").replaceAll("-", " "), async () => {
      const replayed = replayTrace(readFileSync(new URL(file, folder), "utf8"), new SinkTrace().perform);
      await expect(replayed).toMatchFileSnapshot(new URL(file, folder).pathname);
    });
  }
});

describe("the sink", () => {
  test("writes every result, in order, one batch at a time, whatever fails", () => {
    const action = fc.oneof(
      { arbitrary: fc.constant("result" as const), weight: 5 },
      fc.constantFrom(
        "written" as const,
        "written" as const,
        "failed" as const,
        "advance" as const,
        "commit" as const,
        "crash" as const,
      ),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const driver: Driver = new StepDriver({ step: sinkStep(options) });
        const written: number[] = [];
        let offset = 0;
        let committed = 0;
        const settle = (kind: "written" | "failed"): void => {
          if (driver.calls.size > 1) throw new Error("two batches are being written");
          const [call] = driver.calls.values();
          if (call === undefined) return;
          if (call.request.rows.length > options.batchMax) throw new Error("a batch is too large");
          if (kind === "written") written.push(...call.request.rows.map((row) => row.offset));
          driver.settle(
            call.callId,
            kind === "written" ? { kind, repeated: 0 } : { kind, message: "disk full" },
          );
        };
        for (const each of actions) {
          if (each === "result") driver.pipe(recordAt(offset++));
          else if (each === "advance") driver.advance(500);
          else if (each === "commit") {
            driver.commit();
            committed = written.length;
          } else if (each === "crash") {
            driver.restartFromCommit();
            // Written and not committed: it comes again, and the file leaves it out.
            written.length = committed;
          } else settle(each);
        }
        for (let round = 0; round < 1000 && driver.unfinished.length > 0; round += 1) {
          driver.advance(10_000);
          settle("written");
        }
        driver.end();
        expect(written).toEqual(Array.from({ length: offset }, (_, index) => index));
      }),
    );
  });

  test("holds no more than its limit unfinished: the rest stays in the lane", () => {
    const driver: Driver = new StepDriver({ step: sinkStep({ ...options, recordsMax: 10 }) });
    for (let offset = 0; offset < 50; offset += 1) driver.pipe(recordAt(offset));
    expect(driver.state.waiting.length + driver.state.batch.length).toBe(10);
  });

  test("writes as often as the batch is small: each write waits for the disk once, whatever is in it", () => {
    const writes = (batchMax: number): number => {
      const driver: Driver = new StepDriver({ step: sinkStep({ ...options, batchMax, lingerMs: 50 }) });
      let count = 0;
      for (let offset = 0; offset < 1000; offset += 1) driver.pipe(recordAt(offset));
      while (driver.unfinished.length > 0) {
        const [call] = driver.calls.values();
        if (call === undefined) {
          driver.advance(50);
          continue;
        }
        count += 1;
        driver.settle(call.callId, { kind: "written", repeated: 0 });
      }
      return count;
    };
    expect([1, 10, 100].map(writes)).toEqual([1000, 100, 10]);
  });

  test("by default has ten batches at most that are not in the file, the one being written included", () => {
    const driver: Driver = new StepDriver({ step: sinkStep(defaultSinkOptions) });
    for (let offset = 0; offset < 5000; offset += 1) driver.pipe(recordAt(offset));
    const held = driver.state.waiting.length + driver.state.batch.length;
    expect(held / defaultSinkOptions.batchMax).toBe(10);
    expect(driver.calls.size).toBe(1);
  });
});
