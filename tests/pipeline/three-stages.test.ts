import { topics, type CrawlEvent, type Link } from "@sluice/records";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Bench, benchStep, type BenchEffect } from "./bench.ts";

const send = (topic: string, value: unknown): BenchEffect => ({
  kind: "send",
  topic,
  key: "numbers",
  partition: 0,
  value,
});

/** Emits the numbers below the one it is given, a few at a time: where it stands is its state. */
const counter = benchStep((state, input, nowMs) => {
  if (input.kind === "record") {
    const end = Number(new URL(input.record.value.url).pathname.slice(1));
    state.set("end", end);
    return [
      { kind: "put", key: "end", value: end },
      ...goOn(state, nowMs),
      { kind: "finish", id: input.record.id },
    ];
  }
  return input.kind === "wake" || input.kind === "restored" ? goOn(state, nowMs) : [];
});

function goOn(state: Map<string, unknown>, nowMs: number): BenchEffect[] {
  const from = Number(state.get("next") ?? 0);
  const to = Math.min(Number(state.get("end") ?? 0), from + 7);
  if (to <= from) return [];
  state.set("next", to);
  const numbers = Array.from({ length: to - from }, (_, index) =>
    send(topics.links.name, linkOf(from + index)),
  );
  return [
    ...numbers,
    { kind: "put", key: "next", value: to },
    { kind: "wake", lane: "numbers", atMs: nowMs + 5 },
  ];
}

const linkOf = (depth: number): Link => ({
  job: "numbers",
  run: 1,
  kind: "link",
  parent: null,
  depth,
  root: null,
  redirects: 0,
  urls: ["https://numbers.example/"],
});

const doubler = benchStep((_, input) => {
  if (input.kind !== "record") return [];
  const { depth } = input.record.value as unknown as Link;
  const doubled: CrawlEvent = {
    type: "urls_discovered",
    job: "numbers",
    run: 1,
    atMs: 0,
    url: "https://numbers.example/",
    count: 2 * depth,
    admitted: 0,
  };
  return [send(topics.events.name, doubled), { kind: "finish", id: input.record.id }];
});

const printer = benchStep((_, input) => {
  if (input.kind !== "record") return [];
  const event = input.record.value as unknown as Extract<CrawlEvent, { type: "urls_discovered" }>;
  return [send(topics.hosts.name, event.count), { kind: "finish", id: input.record.id }];
});

const stages = [
  { name: "counter", step: counter, inputs: [topics.seeds.name] },
  { name: "doubler", step: doubler, inputs: [topics.links.name] },
  { name: "printer", step: printer, inputs: [topics.events.name] },
] as const;
const numbers = 300;

describe("a stream of numbers through three stages", () => {
  it("comes out in order and whole, each once, though every stage is killed and commits fail on the way", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 10_000 }), async (seed) => {
        const bench = await Bench.open({ seed, faults: { commit: 0.05, fetchTwice: 0.1 } });
        const begin = (index: number, life: number) => {
          const stage = stages[index];
          if (stage === undefined) throw new Error(`no stage ${index}`);
          const { name, step, inputs } = stage;
          return bench.begin(`${name}-${life}`, { step: { ...step, name }, inputs });
        };
        const lives = [await begin(0, 1), await begin(1, 1), await begin(2, 1)];
        await bench.seeds([`https://numbers.example/${numbers}`]);
        const printed = (): readonly number[] =>
          (bench.cluster.committed(topics.hosts.name)[0] ?? []).map(({ value }) => Number(String(value)));
        for (const [index, life] of lives.entries()) {
          await bench.until(() => printed().length > 50 * (index + 1), "some are printed");
          life.client.kill();
          await begin(index, 2);
        }
        await bench.until(() => printed().length >= numbers, "all are printed");
        await bench.pass(5000);
        expect(printed()).toEqual(Array.from({ length: numbers }, (_, index) => 2 * index));
      }),
      { numRuns: 5 },
    );
  });
});
