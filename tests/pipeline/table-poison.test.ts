import { topics } from "@sluice/records";
import { describe, expect, it } from "vitest";
import { Bench, benchStep, type Life } from "./bench.ts";

const jobs = topics.jobs.name;
const dlq = topics.jobsDlq.name;
/** Of the table of topics: the frontier alone writes dead letters of jobs. */
const frontier = { step: benchStep(() => [], { name: "frontier" }), tables: [jobs] };
const fetcher = { step: benchStep(() => [], { name: "fetcher" }), tables: [jobs] };

interface Letter {
  readonly at: string;
  readonly key: string | null;
  readonly value: string;
}

const letters = (bench: Bench): readonly Letter[] =>
  (bench.cluster.committed(dlq)[0] ?? []).map(({ key, value, headers }) => ({
    at: `${headers["dlq.original.partition"]}/${headers["dlq.original.offset"]}`,
    key: key === null ? null : String(key),
    value: String(value),
  }));

const poison = (bench: Bench, name: string, partition: number): Promise<void> =>
  bench.write(jobs, [[name, `{"id": "${name}"`]], partition);

async function kill(bench: Bench, life: Life): Promise<void> {
  life.client.kill();
  await bench.pass(8000);
}

describe("a record of a table that does not match its schema", () => {
  it("goes to the dead letters with its bytes, key and reason, once for all instances and services", async () => {
    const bench = await Bench.open({ partitions: 3 });
    await poison(bench, "early", 1);
    const lives = [
      await bench.begin("a", frontier),
      await bench.begin("b", frontier),
      await bench.begin("c", fetcher),
    ];
    const bytes = Buffer.from([0xff, 0xfe, 0x00]);
    await bench.write(jobs, [["late", bytes]], 2, { traceparent: "t" });
    await bench.pass(5000);
    expect(
      letters(bench)
        .map(({ at, key }) => `${at} ${key}`)
        .sort(),
    ).toEqual(["1/0 early", "2/0 late"]);
    const [, late] = (bench.cluster.committed(dlq)[0] ?? []).toSorted(
      (a, b) => Number(a.headers["dlq.original.partition"]) - Number(b.headers["dlq.original.partition"]),
    );
    expect(late?.value?.equals(bytes)).toBe(true);
    expect(late?.headers).toMatchObject({
      traceparent: "t",
      "dlq.original.topic": jobs,
      "dlq.error.message": "value: not UTF-8",
      "dlq.consumer.group": "frontier",
    });
    expect(lives.map((life) => life.named("table_record_invalid").length)).toEqual([2, 2, 2]);
    expect(lives.reduce((sum, life) => sum + (life.counts.get("deadLetter") ?? 0), 0)).toBe(2);
  });

  it("is one of a table of one partition, too, which the first task writes", async () => {
    const bench = await Bench.open({ partitions: 3 });
    const { policies, policiesDlq } = topics;
    const service = { ...frontier, tables: [jobs, policies.name] };
    await bench.write(policies.name, [["early.invalid", "{"]]);
    const lives = [await bench.begin("a", service), await bench.begin("b", service)];
    await bench.write(policies.name, [["late.invalid", "{"]]);
    await bench.pass(5000);
    const found = bench.cluster.committed(policiesDlq.name)[0] ?? [];
    expect(found.map(({ key }) => String(key)).sort()).toEqual(["early.invalid", "late.invalid"]);
    const committed = await bench.clock.settle(
      bench.user.admin.committedOffsets("frontier", [policies.name]),
    );
    expect(committed.map(({ partition, offset }) => ({ partition, offset }))).toEqual([
      { partition: 0, offset: 2 },
    ]);
    expect(lives.flatMap(({ fatal }) => fatal)).toEqual([]);
  });

  it("is no dead letter again after restarts, rebalances and failed commits", async () => {
    const bench = await Bench.open({ partitions: 2, faults: { commit: 0.2, fetchTwice: 0.2, lateBatch: 1 } });
    let life = await bench.begin("a", frontier);
    let other = await bench.begin("b", frontier);
    const names: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      const name = `poison-${round}`;
      names.push(`${round % 2}/${round >> 1} ${name}`);
      await poison(bench, name, round % 2);
      await bench.pass(round * 37);
      bench.cluster.rebalance("frontier");
      if (round % 3 === 1) {
        await kill(bench, life);
        life = await bench.begin("a", frontier);
      }
      if (round % 3 === 2) {
        await bench.clock.settle(other.service.stop());
        await poison(bench, `${name}-while-one-is-away`, 0);
        names.push(`0/- ${name}-while-one-is-away`);
        other = await bench.begin("b", frontier);
      }
    }
    await bench.pass(8000);
    const found = letters(bench);
    expect(found.map(({ key }) => key).sort()).toEqual(names.map((each) => each.split(" ")[1]).sort());
    expect(new Set(found.map(({ at }) => at)).size).toBe(found.length);
    expect([...life.fatal, ...other.fatal]).toEqual([]);
  });

  it("is found by who takes the partition up, where its owner died before it could write", async () => {
    const bench = await Bench.open();
    const first = await bench.begin("a", frontier);
    for (let each = 0; each < 50; each += 1) bench.cluster.faults.failNextCommit("refused");
    await poison(bench, "p", 0);
    await bench.pass(1000);
    expect(letters(bench)).toEqual([]);
    const second = bench.life("b", frontier);
    await bench.clock.settle(second.service.start());
    await kill(bench, first);
    await bench.pass(20_000);
    expect(letters(bench)).toEqual([{ at: "0/0", key: "p", value: '{"id": "p"' }]);
  });

  it("waits for room where there is more of it than a transaction may hold", async () => {
    const bench = await Bench.open();
    const count = 200;
    const value = `{"id": "${"x".repeat(500)}"`;
    await bench.write(
      jobs,
      Array.from({ length: count }, (_, index) => [`p${index}`, value] as const),
    );
    const life = await bench.begin("a", { ...frontier, limits: { outputBytesMax: 4000 } });
    await bench.until(() => letters(bench).length === count, "all are there");
    await bench.pass(3000);
    expect(letters(bench).map(({ key }) => key)).toEqual(
      Array.from({ length: count }, (_, index) => `p${index}`),
    );
    expect(life.fatal).toEqual([]);
    expect((await bench.clock.settle(bench.user.admin.committedOffsets("frontier", [jobs])))[0]?.offset).toBe(
      count,
    );
  });
});
