import { describe, expect, test } from "vitest";
import type { Effect, InputRecord, Step } from "../src/index.ts";
import { replayTrace, StepDriver } from "../src/testing.ts";

type Say = readonly Effect<string>[];
interface Told {
  readonly steps: string[];
  total: number;
}

/** A step that does what its records tell it to, and remembers what it was given. */
function echo(laneWidth = 1): Step<Told, InputRecord<Say>, string, string> {
  return {
    name: "echo",
    load: (entries) => ({ steps: [], total: Number(entries.get("total") ?? 0) }),
    laneOf: (record) => record.key ?? "",
    laneWidth: () => laneWidth,
    step: (state, input, nowMs) => {
      state.steps.push(`${nowMs} ${input.kind}${"lane" in input ? ` ${input.lane}` : ""}`);
      if (input.kind === "record") {
        state.total += 1;
        return [...input.record.value, { kind: "put", key: "total", value: state.total }];
      }
      if (input.kind === "settled") return [{ kind: "finish", id: input.outcome }];
      return [];
    },
  };
}

const record = (id: string, value: Say, key = "a"): InputRecord<Say> => ({
  id,
  topic: "t",
  partition: 0,
  offset: 0,
  key,
  value,
  headers: {},
  timestampMs: 0,
});
const finish = (id: string): Effect<string> => ({ kind: "finish", id });
const send = (value: unknown, latest = false): Effect<string> => ({
  kind: "send",
  topic: "out",
  key: "k",
  value,
  latest,
});

describe("the step driver", () => {
  test("fails where a record is finished twice, was never given, or is never finished", () => {
    const driver = (): StepDriver<Told, InputRecord<Say>, string, string> => new StepDriver({ step: echo() });
    expect(() => driver().pipe(record("1", [finish("1"), finish("1")]))).toThrow(/1 was finished twice/);
    expect(() => driver().pipe(record("1", [finish("2")]))).toThrow(/2 was finished and never given/);
    const forgetful = driver();
    forgetful.pipe(record("1", []));
    expect(() => forgetful.end()).toThrow(/never finished: 1/);
  });

  test("finishing a record of before the last commit again is an error, and one that waits in its lane is too", () => {
    const driver = new StepDriver({ step: echo() });
    driver.pipe(record("1", [finish("1")]));
    driver.commit();
    expect(() => driver.pipe(record("2", [finish("1")]))).toThrow(/1 was finished and never given/);
    const other = new StepDriver({ step: echo() });
    other.pipe(record("1", []));
    other.pipe(record("2", []));
    expect(() => other.pipe(record("3", [finish("2")], "b"))).toThrow(/before its lane let it start/);
  });

  test("a call settles once, after it has started", () => {
    const driver = new StepDriver({ step: echo() });
    driver.pipe(record("1", [{ kind: "call", lane: "a", callId: "c", request: "?" }]));
    expect(driver.state.steps.at(-1)).toMatch(/started a/);
    driver.settle("c", "1");
    expect(() => driver.settle("c", "1")).toThrow(/c is not open/);
    driver.end();
  });

  test("records of one lane go one after the other, as wide as the lane is", () => {
    for (const width of [1, 2]) {
      const driver = new StepDriver({ step: echo(width) });
      for (const id of ["1", "2", "3"]) driver.pipe(record(id, id === "1" ? [] : [finish(id)]));
      driver.pipe(record("4", [finish("4")], "b"));
      // The first holds its lane; beside it there is room for width - 1.
      expect(driver.unfinished).toEqual(width === 1 ? ["1", "2", "3"] : ["1"]);
    }
  });

  test("wakes come at their instants, in order, the earliest of a lane only", () => {
    const driver = new StepDriver({ step: echo(), nowMs: 0 });
    const wake = (lane: string, atMs: number): Effect<string> => ({ kind: "wake", lane, atMs });
    driver.pipe(record("1", [wake("x", 50), wake("y", 20), wake("x", 30), wake("x", 90), finish("1")]));
    driver.advance(100);
    expect(driver.state.steps).toEqual(["0 restored", "0 record", "20 wake y", "30 wake x"]);
    expect(driver.nowMs).toBe(100);
  });

  test("a crash drops what was not committed and delivers its records again; a restart drops nothing", () => {
    const driver = new StepDriver({ step: echo() });
    driver.pipe(record("1", [send("a"), finish("1")]));
    expect(driver.commit().map(({ value }) => value)).toEqual(["a"]);
    driver.pipe(record("2", [send("b"), finish("2")]));
    driver.restartFromCommit();
    expect(driver.sent("out")).toEqual(["a", "b"]);
    expect(driver.state.total).toBe(2);
    driver.restart();
    expect(driver.state).toMatchObject({ total: 2, steps: [expect.stringMatching(/restored/)] });
    expect(driver.sent("out")).toEqual(["a", "b"]);
    driver.end();
  });

  test("a transaction has the last of each key that was sent as latest, and values as they were when sent", () => {
    const driver = new StepDriver({ step: echo() });
    const changing = { n: 1 };
    driver.pipe(record("1", [send(changing), send("old", true), send("new", true), finish("1")]));
    changing.n = 2;
    expect(driver.commit().map(({ value }) => value)).toEqual([{ n: 1 }, "new"]);
    expect(driver.sent("out")).toEqual([{ n: 1 }, "old", "new"]);
  });
});

describe("a trace", () => {
  test("comes out as it went in where the same happens, with its comments", () => {
    const text = "# what\nadd 1 by=2\nadd 2\n----\n1 by 2\n2 by -\n\n# and\nnone\n----\nnothing\n";
    const replayed = replayTrace(text, ({ name, words, fields }) =>
      name === "none" ? [] : [`${words[0]} by ${fields["by"] ?? "-"}`],
    );
    expect(replayed).toBe(text);
  });

  test("what happened is written anew, and a file without it gets it", () => {
    expect(replayTrace("say\n----\nold\nlines\n\nsay", () => ["new"])).toBe(
      "say\n----\nnew\n\nsay\n----\nnew\n",
    );
  });

  test("a line that would end the block is an error", () => {
    expect(() => replayTrace("say", () => [""])).toThrow(/blank/);
    expect(() => replayTrace("----", () => [])).toThrow(/without a command/);
  });
});
