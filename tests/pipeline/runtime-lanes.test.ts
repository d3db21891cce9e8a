import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asking, Bench, benchStep, numbered, out, type BenchEffect, type Life } from "./bench.ts";

const openOf = (life: Life): string[] => life.open.map(({ request }) => request);
const answer = (life: Life, request: string): void =>
  life.open.find((open) => open.request === request)?.answer();

describe("lanes of the runtime", () => {
  it("keep the order within a domain while domains run side by side", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", { step: asking });
    await bench.seeds(["a/1", "a/2", "b/1", "a/3", "b/2", "c/1"]);
    await bench.until(() => life.open.length === 3, "one of each domain is asked for");
    expect(openOf(life)).toEqual(["a/1", "b/1", "c/1"]);
    answer(life, "b/1");
    await bench.until(() => life.asked.length === 4, "the next of b follows");
    expect(openOf(life)).toEqual(["a/1", "c/1", "b/2"]);
    answer(life, "a/1");
    await bench.until(() => life.asked.length === 5, "the next of a follows");
    expect(openOf(life)).toEqual(["c/1", "b/2", "a/2"]);
  });

  it("let as many records of a lane start as the step says now, also after it says more", async () => {
    let width = 1;
    const bench = await Bench.open();
    const step = { ...asking, laneWidth: () => width };
    const life = await bench.begin("a", { step });
    await bench.seeds([...numbered("a", 6), "b/0"]);
    await bench.until(() => life.open.length === 2, "one each");
    await bench.pass(300);
    expect(openOf(life)).toEqual(["a/0", "b/0"]);
    width = 3;
    answer(life, "a/0");
    await bench.until(() => life.open.length === 4, "three of a");
    expect(openOf(life)).toEqual(["b/0", "a/1", "a/2", "a/3"]);
    width = 1;
    answer(life, "a/1");
    answer(life, "a/2");
    await bench.pass(300);
    expect(openOf(life)).toEqual(["b/0", "a/3"]);
  });

  it("look at a closed lane again after a step that opens it", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", {
      step: benchStep(
        (state, input, nowMs): readonly BenchEffect[] => {
          if (input.kind === "restored") return [{ kind: "wake", lane: "a", atMs: nowMs + 2000 }];
          if (input.kind === "wake") state.set("open", true);
          return input.kind === "record"
            ? [out({ url: input.record.value.url }), { kind: "finish", id: input.record.id }]
            : [];
        },
        { laneWidth: (_, state) => (state.has("open") ? 1 : 0) },
      ),
    });
    await bench.seeds(["a/1", "a/2"]);
    await bench.pass(1000);
    expect(bench.urls()).toEqual([]);
    await bench.pass(1500);
    expect(bench.urls()).toEqual(["a/1", "a/2"]);
    expect(life.fatal).toEqual([]);
  });

  it("start the next record of a lane at once when the one before is finished as its call begins", async () => {
    const bench = await Bench.open();
    const step = benchStep((_, input) => {
      if (input.kind === "record")
        return [
          {
            kind: "call",
            lane: input.record.key ?? "",
            callId: input.record.id,
            request: input.record.value.url,
          },
        ];
      return input.kind === "started" ? [{ kind: "finish", id: input.callId }] : [];
    });
    const life = await bench.begin("a", { step, limits: { heartbeatIntervalMs: 900 } });
    await bench.pass(100);
    await bench.seeds(numbered("a", 20));
    await bench.until(() => life.asked.length > 0, "the first is asked for");
    await bench.pass(20);
    expect(life.asked).toHaveLength(20);
  });

  it("give every partition its turn, however much work one has", async () => {
    // Three of seven, led by one node: they arrive in one answer.
    const bench = await Bench.open({ partitions: 7 });
    const order: number[] = [];
    const step = benchStep((_, input, _nowMs, { task }) => {
      if (input.kind === "record") order.push(task);
      return input.kind === "record" ? [{ kind: "finish", id: input.record.id }] : [];
    });
    for (const partition of [0, 3, 6]) await bench.seeds(numbered("a", 300), partition);
    await bench.begin("a", { step, limits: { stepsPerTurn: 10 } });
    await bench.until(() => order.length === 900, "all are done");
    const lastOf = (task: number): number => order.lastIndexOf(task);
    // One after the other would be 299 steps of one partition before the next has any.
    for (const task of [0, 3, 6]) expect(lastOf(task), `the last of ${task}`).toBeGreaterThan(800);
  });
});

describe("wakes of the runtime", () => {
  it("are never early and come once for each time asked, whatever was asked for", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: -50, max: 5000 })), {
          maxLength: 30,
        }),
        async (asks) => {
          const bench = await Bench.open();
          const life = await bench.begin("a", {
            step: benchStep((_, input, nowMs) =>
              input.kind === "restored"
                ? asks.map(([lane, inMs]) => ({ kind: "wake", lane: `lane${lane}`, atMs: nowMs + inMs }))
                : [],
            ),
          });
          const restoredAtMs =
            life.inputs.find(({ input }) => input.kind === "restored")?.nowMs ?? Number.NaN;
          await bench.pass(6000);
          const woken = life.inputs.flatMap(({ input, nowMs }) =>
            input.kind === "wake" ? [[input.lane, nowMs - restoredAtMs] as const] : [],
          );
          const earliest = new Map<string, number>();
          for (const [lane, inMs] of asks)
            earliest.set(`lane${lane}`, Math.max(0, Math.min(inMs, earliest.get(`lane${lane}`) ?? Infinity)));
          expect(new Map(woken)).toEqual(earliest);
          expect(woken).toHaveLength(earliest.size);
          bench.user.kill();
          life.client.kill();
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("calls of the runtime", () => {
  it("have begun before they settle, settle once, and never more run than there are slots", async () => {
    const bench = await Bench.open({ partitions: 2 });
    let most = 0;
    const life = await bench.begin("a", { step: asking, limits: { callsMax: 7 } });
    for (const partition of [0, 1])
      await bench.seeds(
        Array.from({ length: 50 }, (_, host) => `h${host}/${partition}`),
        partition,
      );
    let answered = 0;
    await bench.until(() => {
      most = Math.max(most, life.open.length, life.service.gauges().calls);
      // The newest first, so that they come back in another order.
      const next = life.open.at(-1);
      if (life.open.length === 7 || answered > 80) {
        next?.answer();
        if (next !== undefined) answered += 1;
      }
      return bench.outputs().length === 100;
    }, "all are answered");
    expect(most).toBe(7);
    const kinds = new Map<string, string[]>();
    for (const { input } of life.inputs) {
      if (input.kind !== "started" && input.kind !== "settled") continue;
      kinds.set(input.callId, [...(kinds.get(input.callId) ?? []), input.kind]);
    }
    expect(kinds.size).toBe(100);
    for (const order of kinds.values()) expect(order).toEqual(["started", "settled"]);
  });

  it("settle when they are aborted, also one that had not begun", async () => {
    const bench = await Bench.open();
    const step = benchStep((_, input) => {
      if (input.kind === "wake")
        return [
          { kind: "abort", callId: "running" },
          { kind: "abort", callId: "queued" },
          { kind: "abort", callId: "unknown" },
        ];
      if (input.kind !== "record") return [];
      return [
        { kind: "call", lane: "l", callId: "running", request: "r" },
        { kind: "call", lane: "l", callId: "queued", request: "q" },
        { kind: "wake", lane: "l", atMs: 0 },
        { kind: "finish", id: input.record.id },
      ];
    });
    const life = await bench.begin("a", { step, limits: { callsMax: 1 } });
    await bench.seeds(["a/1"]);
    await bench.pass(500);
    const settled = life.inputs.flatMap(({ input }) =>
      input.kind === "settled" ? [[input.callId, input.outcome]] : [],
    );
    expect(settled).toEqual([
      ["running", "aborted"],
      ["queued", "aborted"],
    ]);
    expect(life.service.gauges()).toMatchObject({ calls: 0, callsWaiting: 0 });
  });
});
