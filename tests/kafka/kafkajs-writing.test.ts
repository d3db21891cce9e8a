/** Traps of kafkajs 2.2.4 on the writing side, each against a real Kafka. */
import { CommitFailed, type Failpoint } from "@sluice/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Bench, high, records, send, until } from "./kafkajs-bench.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

async function failure(work: Promise<unknown>): Promise<CommitFailed> {
  const error = await work.then(
    () => new Error("it did not fail"),
    (cause: unknown) => cause,
  );
  if (!(error instanceof CommitFailed)) throw error;
  return error;
}

describe("transactions", () => {
  it("commit records and offsets with their metadata, and tell the last offsets", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 2);
    const group = bench.name("group");
    const producer = await broker.transactionalProducer(bench.name("id"));
    await producer.fence();
    const metadata = "m".repeat(4_096);
    const offsets = [{ topic, partition: 1, offset: 7, metadata }];
    const first = await producer.commit({ group, records: records(topic, ["a", "b"], 1), offsets });
    expect(first).toEqual([{ topic, partition: 1, lastOffset: 1 }]);
    // The first transaction's marker lies at offset 2.
    const second = await producer.commit({ group, records: records(topic, ["c"], 1), offsets });
    expect(second).toEqual([{ topic, partition: 1, lastOffset: 3 }]);
    expect(await broker.admin.committedOffsets(group, [topic])).toEqual(offsets);
  });

  it("commit offsets alone many times in a row, though each meets the last one's markers", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 12);
    const group = bench.name("group");
    const producer = await broker.transactionalProducer(bench.name("id"));
    const wide = Array.from({ length: 12 }, (_, partition) => records(topic, ["wide"], partition)).flat();
    for (let offset = 1; offset <= 10; offset++) {
      await producer.commit({ group, records: wide, offsets: [] });
      await producer.commit({ group, records: [], offsets: [{ topic, partition: 0, offset, metadata: "" }] });
    }
    expect(await broker.admin.committedOffsets(group, [topic])).toMatchObject([{ offset: 10 }]);
  });

  it("of nothing do nothing", async () => {
    const broker = bench.connect();
    const producer = await broker.transactionalProducer(bench.name("id"));
    expect(await producer.commit({ group: "none", records: [], offsets: [] })).toEqual([]);
  });

  it("of an older holder fail as fenced, even one that was open when the new holder came", async () => {
    const topic = await bench.topic(bench.connect());
    const id = bench.name("id");
    const group = bench.name("group");
    const newer = await bench.connect().transactionalProducer(id);
    const fencing: Promise<void>[] = [];
    const old = bench.connect({
      onFailpoint: (name) => {
        if (name === "after_send_offsets") fencing.push(newer.fence());
      },
    });
    const older = await old.transactionalProducer(id);
    await older.fence();
    const offsets = [{ topic, partition: 0, offset: 5, metadata: "" }];
    let outcome = await older
      .commit({ group, records: records(topic, ["one"]), offsets })
      .catch((error: unknown) => error);
    await Promise.all(fencing);
    // The race may let the first one through; the next can't pass.
    if (!(outcome instanceof CommitFailed)) {
      outcome = await older
        .commit({ group, records: records(topic, ["two"]), offsets })
        .catch((error: unknown) => error);
    }
    expect(outcome).toBeInstanceOf(CommitFailed);
    expect(outcome).toMatchObject({ fenced: true });
    await newer.commit({ group, records: records(topic, ["three"]), offsets: [] });
  });

  it("left open by a holder that is gone are aborted by the next one's fence, and readers go on", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    const id = bench.name("id");
    const gone = await bench.rawProducer(id);
    const open = await gone.transaction();
    await open.send({ topic, messages: [{ value: "orphan", partition: 0 }] });
    await send(broker, records(topic, ["behind"]));
    await (await broker.transactionalProducer(id)).fence();
    const seen: string[] = [];
    await broker.tail({
      from: [{ topic, partition: 0, offset: "start" }],
      onBatch: (batch) => seen.push(...batch.records.map(({ value }) => `${value}`)),
      onFailed: () => undefined,
    });
    await until(() => seen.length > 0, "a record");
    expect(seen).toEqual(["behind"]);
    await expect(open.commit()).rejects.toMatchObject({ type: "INVALID_PRODUCER_EPOCH" });
  });

  it("larger in all than a record batch may be go in several, in order", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    const values = Array.from({ length: 40 }, (_, index) => `${index}:`.padEnd(100_000, "x"));
    const producer = await broker.transactionalProducer(bench.name("id"));
    const last = await producer.commit({ group: "none", records: records(topic, values), offsets: [] });
    expect(last).toEqual([{ topic, partition: 0, lastOffset: 39 }]);
    const seen: string[] = [];
    await broker.tail({
      from: [{ topic, partition: 0, offset: "start" }],
      onBatch: (batch) => seen.push(...batch.records.map(({ value }) => `${value}`)),
      onFailed: () => undefined,
    });
    await until(() => seen.length === 40, "all records");
    expect(seen).toEqual(values);
  });

  it("with a record larger than the topic allows fail with its code, and write nothing", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 1, { "max.message.bytes": "10000" });
    const producer = await broker.transactionalProducer(bench.name("id"));
    const error = await failure(
      producer.commit({ group: "none", records: records(topic, ["x".repeat(20_000)]), offsets: [] }),
    );
    expect(error).toMatchObject({ fenced: false, cause: { code: "SLUICE_RECORD_TOO_LARGE" } });
    await expect(
      producer.commit({ group: "none", records: records(topic, ["x"]), offsets: [] }),
    ).rejects.toThrow("spent");
  });

  it("with a partition that the topic does not have fail instead of losing its records", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 2);
    const producer = await broker.transactionalProducer(bench.name("id"));
    const mixed = [...records(topic, ["a"], 0), ...records(topic, ["b"], 7)];
    const error = await failure(producer.commit({ group: "none", records: mixed, offsets: [] }));
    expect(error.message).toContain(`${topic}-7`);
  });

  it("stop at each failpoint: before the commit nothing counts, behind it everything does", async () => {
    const topic = await bench.topic(bench.connect());
    const group = bench.name("group");
    const before: Record<string, number> = { after_send: 0, after_send_offsets: 0, after_commit_sent: 1 };
    for (const [stop, committed] of Object.entries(before)) {
      const reached: Failpoint[] = [];
      const broker = bench.connect({
        onFailpoint: (name) => {
          reached.push(name);
          if (name === stop) throw new Error(`stopped at ${name}`);
        },
      });
      const id = bench.name("id");
      const offsets = [{ topic, partition: 0, offset: 42, metadata: stop }];
      const producer = await broker.transactionalProducer(id);
      const error = await failure(producer.commit({ group, records: records(topic, [stop]), offsets }));
      expect(error.fenced).toBe(false);
      expect(reached.at(-1)).toBe(stop);
      await (await broker.transactionalProducer(id)).fence();
      const found = await broker.admin.committedOffsets(group, [topic]);
      expect(found.filter(({ metadata }) => metadata === stop)).toHaveLength(committed);
    }
  });
});

describe("sends outside transactions", () => {
  it("overlap without disorder or loss", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    const producer = await broker.producer();
    const values = Array.from({ length: 100 }, (_, index) => `${index}`);
    await Promise.all(values.map((value) => producer.send(records(topic, [value]))));
    const seen: string[] = [];
    await broker.tail({
      from: [{ topic, partition: 0, offset: "start" }],
      onBatch: (batch) => seen.push(...batch.records.map(({ value }) => `${value}`)),
      onFailed: () => undefined,
    });
    await until(() => seen.length === 100, "all records");
    expect(seen).toEqual(values);
  });

  it("fail with a code where a record is too large, and go on with the next", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 1, { "max.message.bytes": "10000" });
    const producer = await broker.producer();
    await expect(producer.send(records(topic, ["x".repeat(20_000)]))).rejects.toMatchObject({
      code: "SLUICE_RECORD_TOO_LARGE",
    });
    await producer.send(records(topic, ["small"]));
    expect(await high(broker, { topic, partition: 0 })).toBe(1);
  });
});
