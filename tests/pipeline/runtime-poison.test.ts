import { topics } from "@sluice/records";
import type { Batch, GroupConsumer } from "@sluice/runtime";
import type { MemoryClient } from "@sluice/broker/memory";
import { describe, expect, it } from "vitest";
import { Bench, benchStep, counting, numbered, out } from "./bench.ts";

const dlq = topics.seedsDlq.name;

describe("a record that can't be read", () => {
  it("goes to the dead letters with its bytes, key and headers, and the partition moves on", async () => {
    const bench = await Bench.open();
    const life = await bench.begin();
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x41]);
    await bench.write(topics.seeds.name, [["k", bytes]], 0, { traceparent: "t" });
    await bench.write(topics.seeds.name, [
      [null, "{not json"],
      ["k", '{"url":""}'],
      ["k", null],
      ["good", "good/1"],
    ]);
    await bench.until(() => bench.outputs().length === 1, "the good one is counted");
    await bench.pass(1500);
    const letters = bench.cluster.committed(dlq)[0] ?? [];
    expect(
      letters.map(({ key, value }) => [
        key === null ? null : String(key),
        value === null ? null : value.toString("latin1"),
      ]),
    ).toEqual([
      ["k", bytes.toString("latin1")],
      [null, "{not json"],
      ["k", '{"url":""}'],
      ["k", null],
    ]);
    expect(letters[0]?.headers).toMatchObject({
      traceparent: "t",
      "dlq.original.topic": "crawl.seeds",
      "dlq.original.partition": "0",
      "dlq.original.offset": "0",
      "dlq.consumer.group": "bench",
      "dlq.error.message": "value: not UTF-8",
      "dlq.service": "bench",
    });
    expect(letters[3]?.headers["dlq.error.message"]).toBe("value: null");
    expect((await bench.offset())?.offset).toBe(5);
    expect(life.counts.get("deadLetter")).toBe(4);
  });

  it("is one more dead letter where the step rejects it", async () => {
    const bench = await Bench.open();
    const step = benchStep((_, input) =>
      input.kind === "record" ? [{ kind: "reject", id: input.record.id, reason: "not for us" }] : [],
    );
    await bench.begin("a", { step });
    await bench.seeds(["a/1"]);
    await bench.until(() => (bench.cluster.committed(dlq)[0] ?? []).length === 1, "it is there");
    expect(bench.cluster.committed(dlq)[0]?.[0]?.headers["dlq.error.message"]).toBe("not for us");
  });

  it("is never skipped while the dead letters can't be written", async () => {
    const bench = await Bench.open();
    const life = await bench.begin();
    await bench.pass(500);
    const failures = 6;
    for (let each = 0; each < failures; each += 1) bench.cluster.faults.failNextCommit("refused");
    await bench.seeds(["{", "good/1"]);
    await bench.until(() => life.named("commit_failed").length === failures, "that many commits have failed");
    expect((await bench.offset())?.offset).toBe(0);
    expect(bench.outputs()).toEqual([]);
    await bench.until(() => bench.outputs().length === 1, "it goes on");
    await bench.pass(1000);
    expect(bench.cluster.committed(dlq)[0]).toHaveLength(1);
    expect((await bench.offset())?.offset).toBe(2);
  });

  it("is no poison where it is the tombstone of a compacted topic", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", { inputs: [topics.counters.name, topics.outcomes.name] });
    await bench.write(topics.counters.name, [["k", null]]);
    await bench.write(topics.outcomes.name, [["k", null]]);
    await bench.pass(2000);
    expect(bench.cluster.committed(topics.countersDlq.name)[0]).toEqual([]);
    expect(bench.cluster.committed(topics.outcomesDlq.name)[0]).toHaveLength(1);
    expect((await bench.offset(0, topics.counters.name))?.offset).toBe(1);
    expect(life.fatal).toEqual([]);
  });

  it("is one without a key where the key says whose it is, however good its body", async () => {
    const bench = await Bench.open();
    await bench.begin("a", { inputs: [topics.seeds.name, topics.results.name] });
    await bench.write(topics.results.name, [[null, "{}"]]);
    await bench.write(topics.seeds.name, [[null, "good/1"]]);
    await bench.until(() => bench.outputs().length === 1, "a seed needs none");
    await bench.pass(1500);
    const letters = bench.cluster.committed(topics.resultsDlq.name)[0] ?? [];
    expect(letters.map(({ headers }) => headers["dlq.error.message"])).toEqual(["key: null"]);
    expect(bench.cluster.committed(dlq)[0]).toEqual([]);
  });

  it("loses its end rather than stop the partition where it is as large as the topic allows", async () => {
    const bench = await Bench.open();
    const life = await bench.begin();
    const huge = Buffer.alloc(8_388_608 - 100, "{");
    await bench.write(topics.seeds.name, [["k", huge]]);
    await bench.seeds(["good/1"]);
    await bench.until(() => bench.outputs().length === 1, "the next one is counted");
    await bench.pass(500);
    const letter = bench.cluster.committed(dlq)[0]?.[0];
    expect(letter?.headers["dlq.original.value.bytes"]).toBe(String(huge.length));
    expect(letter?.value?.length).toBeGreaterThan(8_300_000);
    expect(letter?.value?.equals(huge.subarray(0, letter.value.length))).toBe(true);
    expect(life.named("commit_failed")).toEqual([]);
  });
});

describe("a record that is too large to send", () => {
  const sending = (value: unknown) =>
    benchStep((_, input) =>
      input.kind === "record" ? [out(value, "the-key"), { kind: "finish", id: input.record.id }] : [],
    );

  it("ends the service with the name of its topic and key, before it reaches the broker", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", { step: sending("x".repeat(8_400_000)) });
    await bench.seeds(["a/1"]);
    await bench.until(() => life.fatal.length > 0, "it ends");
    expect(life.fatal).toMatchObject([
      {
        code: "SLUICE_RECORD_TOO_LARGE",
        message: expect.stringMatching(/crawl\.events, key the-key: 84000\d\d bytes/),
      },
    ]);
    await bench.pass(5000);
    expect((await bench.offset())?.offset).toBe(0);
  });

  it("ends the service where the broker allows less than the table of topics, and is not tried for ever", async () => {
    const bench = await Bench.open({ configs: { [topics.events.name]: { "max.message.bytes": "1000" } } });
    const life = await bench.begin("a", { step: sending("x".repeat(2000)) });
    await bench.seeds(["a/1"]);
    await bench.until(() => life.fatal.length > 0, "it ends");
    await bench.pass(5000);
    expect(life.fatal).toMatchObject([
      {
        code: "SLUICE_RECORD_TOO_LARGE",
        message: expect.stringContaining("crawl.events, key the-key, 2009 bytes"),
      },
    ]);
    expect(life.named("commit_failed")).toHaveLength(1);
    expect((await bench.offset())?.offset).toBe(0);
  });
});

describe("a log that is not the one the position was read from", () => {
  it("is read from its start where the committed offset lies past its end", async () => {
    const bench = await Bench.open();
    const producer = await bench.clock.settle(bench.user.transactionalProducer("tool"));
    await bench.clock.settle(
      producer.commit({
        group: "bench",
        records: [],
        offsets: [{ topic: topics.seeds.name, partition: 0, offset: 1000, metadata: "" }],
      }),
    );
    await bench.pass(100);
    await bench.seeds(numbered("a", 5));
    const life = await bench.begin();
    await bench.until(() => bench.outputs().length === 5, "all are counted");
    expect(life.named("offsets_past_the_end")).toMatchObject([
      { topic: topics.seeds.name, committed: 1000, low: 0, high: 5 },
    ]);
    await bench.pass(1500);
    expect((await bench.offset())?.offset).toBe(5);
  });

  /** Hands out batches as a client does that jumped back, however often it is told where to read. */
  function jumping(
    client: MemoryClient,
    topic: string,
    from: number,
    bounds: { left: number },
  ): MemoryClient {
    const make = client.groupConsumer.bind(client);
    client.groupConsumer = (options): GroupConsumer => {
      const consumer = make(options);
      const start = consumer.start.bind(consumer);
      consumer.start = (handlers) =>
        start({
          ...handlers,
          onBatch: (batch: Batch) => {
            if (batch.topic !== topic || batch.fromOffset < from || bounds.left === 0)
              return handlers.onBatch(batch);
            bounds.left -= 1;
            handlers.onBatch({ ...batch, records: [], fromOffset: 0, nextOffset: 1 });
          },
        });
      return consumer;
    };
    return client;
  }

  it("makes the task begin anew, with a word, when no batch continues its position any more", async () => {
    const bench = await Bench.open();
    const bounds = { left: 51 };
    const life = await bench.begin("a", { wrap: (client) => jumping(client, topics.seeds.name, 5, bounds) });
    await bench.seeds(numbered("a", 5));
    await bench.until(() => bench.outputs().length === 5, "the first are counted");
    await bench.seeds(numbered("b", 5));
    await bench.until(() => bench.outputs().length === 10, "the others are counted");
    expect(life.named("position_lost")).toMatchObject([{ topic: topics.seeds.name, from: 0 }]);
    expect(bench.outputs().map(({ count }) => count)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(life.fatal).toEqual([]);
  });

  it("ends the service where it is a table", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", {
      step: counting,
      tables: [topics.jobs.name],
      wrap: (client) => jumping(client, topics.jobs.name, 0, { left: Infinity }),
    });
    await bench.pass(100);
    expect(life.fatal).toEqual([]);
    for (let each = 0; each < 60; each += 1) {
      await bench.write(topics.jobs.name, [["j", "{}"]]);
      await bench.pass(200);
    }
    expect(life.fatal).toMatchObject([{ code: "SLUICE_TOPIC_DRIFT" }]);
  });
});
