import { topics } from "@sluice/records";
import { describe, expect, it } from "vitest";
import { Bench, benchStep, numbered, out, type Life } from "./bench.ts";

const hosts = topics.hosts.name;
const host = (domain: string, delayMs: number): readonly [string, string] => [
  domain,
  JSON.stringify({
    domain,
    hold: "none",
    holdUntilMs: null,
    delayMs,
    crawlDelayMs: null,
    failuresInRow: 0,
    updatedAtMs: 1,
  }),
];

/** Says with each record what the table has for its key. */
const looking = benchStep((_, input, _nowMs, { tables }) => {
  if (input.kind !== "record") return [];
  const entry = tables[hosts]?.get(input.record.key ?? "") as { readonly delayMs: number } | undefined;
  return [
    out({ url: input.record.value.url, count: entry?.delayMs ?? -1 }),
    { kind: "finish", id: input.record.id },
  ];
});

const told = (life: Life): string[] =>
  life.inputs.flatMap(({ input, context }) =>
    input.kind === "table" ? [`${context.task} ${input.key}`] : [],
  );

describe("tables of the runtime", () => {
  it("are whole before any record is stepped", async () => {
    const bench = await Bench.open({ partitions: 2, latency: { minMs: 1, maxMs: 40 } });
    const domains = Array.from({ length: 400 }, (_, index) => `h${index}`);
    for (const partition of [0, 1])
      await bench.write(
        hosts,
        domains.filter((_, index) => index % 2 === partition).map((domain, index) => host(domain, index)),
        partition,
      );
    await bench.seeds(
      domains.map((domain) => `${domain}/1`),
      0,
    );
    const life = bench.life("a", { step: looking, tables: [hosts], limits: { partitionBytesMax: 2000 } });
    await bench.run(life);
    await bench.until(() => bench.outputs().length === 400, "all are stepped");
    expect(bench.outputs().filter(({ count }) => count === -1)).toEqual([]);
    // What was there before is no change.
    expect(told(life)).toEqual([]);
  });

  it("tell each change to every running task once, removals included", async () => {
    const bench = await Bench.open({ partitions: 3, faults: { fetchTwice: 0.5 } });
    const life = await bench.begin("a", { step: looking, tables: [hosts] });
    await bench.write(hosts, [host("a", 1)]);
    await bench.pass(500);
    expect(told(life).sort()).toEqual(["0 a", "1 a", "2 a"]);
    await bench.write(hosts, [host("a", 2), host("b", 3), host("a", 4)]);
    await bench.pass(500);
    expect(told(life).slice(3).sort()).toEqual(["0 a", "0 b", "1 a", "1 b", "2 a", "2 b"]);
    await bench.write(hosts, [["a", null]]);
    await bench.pass(500);
    expect(told(life)).toHaveLength(12);
    await bench.seeds(["a/1", "b/1"]);
    await bench.until(() => bench.outputs().length === 2, "both are stepped");
    expect(bench.outputs().map(({ count }) => count)).toEqual([-1, 3]);
  });

  it("leave out what does not match its schema, report it, and keep the good entry of before", async () => {
    const bench = await Bench.open();
    await bench.write(hosts, [host("a", 7), ["a", "{}"], ["b", "not json"]]);
    const life = await bench.begin("a", { step: looking, tables: [hosts] });
    await bench.seeds(["a/1", "b/1"]);
    await bench.until(() => bench.outputs().length === 2, "both are stepped");
    expect(bench.outputs().map(({ count }) => count)).toEqual([7, -1]);
    expect(life.named("table_record_invalid")).toMatchObject([
      { topic: hosts, offset: 1 },
      { topic: hosts, offset: 2 },
    ]);
  });

  it("keep their position over rebalances", async () => {
    const bench = await Bench.open({ partitions: 2, faults: { lateBatch: 1 } });
    const life = await bench.begin("a", { step: looking, tables: [hosts] });
    for (let round = 0; round < 20; round += 1) {
      await bench.write(hosts, [host(`h${round}`, round)], round % 2);
      bench.cluster.rebalance("bench");
      await bench.pass(40 + round * 10);
    }
    await bench.pass(2000);
    const expected = Array.from({ length: 20 }, (_, round) => [`0 h${round}`, `1 h${round}`]).flat();
    expect(told(life).sort()).toEqual(expected.sort());
    await bench.seeds(numbered("h7", 1));
    await bench.until(() => bench.outputs().length === 1, "it is stepped");
    expect(bench.outputs()[0]?.count).toBe(7);
    expect(life.fatal).toEqual([]);
  });
});
