/** Traps of kafkajs 2.2.4 on the reading side, each against a real Kafka. */
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import kafkajs from "kafkajs";
import { compressFrame } from "lz4-napi";
import { compress } from "snappy";
import { Bench, high, Member, records, send, until } from "./kafkajs-bench.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

describe("positions", () => {
  it("delivers nothing before the runtime's own seek, whatever the group has committed", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    const group = bench.name("group");
    await send(broker, records(topic, ["a", "b", "c"]));
    const producer = await broker.transactionalProducer(bench.name("id"));
    await producer.commit({
      group,
      records: [],
      offsets: [{ topic, partition: 0, offset: 1, metadata: "" }],
    });
    const member = await new Member(broker, { group, inputs: [topic], tasks: 1 }).start();
    await until(() => member.heartbeats >= 4, "heartbeats while all is paused");
    expect(member.batches).toEqual([]);
    member.read(topic, 0, 2);
    await until(() => member.batches.length > 0, "a batch");
    expect(member.values(topic)).toEqual(["c"]);
    expect(member.batches[0]?.fromOffset).toBe(2);
  });

  it("pauses what was resumed before a rebalance, until the runtime resumes it again", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 2);
    const options = { group: bench.name("group"), inputs: [topic], tasks: 2 };
    const first = await new Member(broker, { ...options, instance: "a" }).start();
    await until(() => first.joins.length === 1, "the first join");
    first.read(topic, 0, 0);
    first.read(topic, 1, 0);
    const second = await new Member(bench.connect(), { ...options, instance: "b" }).start();
    await until(() => first.joins.at(-1)?.tasks.length === 1 && second.joins.length > 0, "the second join");
    const before = first.batches.length;
    await send(broker, [...records(topic, ["x"], 0), ...records(topic, ["y"], 1)]);
    const heard = first.heartbeats + 3;
    await until(() => first.heartbeats >= heard, "heartbeats after the rebalance");
    expect(first.batches.length).toBe(before);
    first.read(topic, 0, 0);
    second.read(topic, 1, 0);
    await until(() => first.values(topic, 0).includes("x"), "x at the first member");
    await until(() => second.values(topic, 1).includes("y"), "y at the second member");
  });

  it("delivers only batches that continue the position, through a hail of seeks and pauses", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    const values = Array.from({ length: 500 }, (_, index) => String(index).repeat(50));
    for (let at = 0; at < values.length; at += 25)
      await send(broker, records(topic, values.slice(at, at + 25)));
    const group = bench.name("group");
    const member = await new Member(broker, {
      group,
      inputs: [topic],
      tasks: 1,
      partitionBytesMax: 4_096,
    }).start();
    await until(() => member.joins.length === 1, "the join");
    for (let round = 0; round < 40; round++) {
      const target = (round * 37) % 450;
      const seen = member.batches.length;
      member.read(topic, 0, target);
      if (round % 3 === 0) await delay(round % 7);
      else await until(() => member.batches.length > seen + (round % 2), "batches after the seek");
      member.consumer.pause([{ topic, partition: 0 }]);
      const after = member.batches.slice(seen);
      let position = target;
      for (const batch of after) {
        expect(batch.fromOffset).toBe(position);
        position = batch.nextOffset;
      }
    }
    expect(member.joins).toHaveLength(1);
  });

  it("goes on at the log's first offset where retention overtook the reader, and commits nothing", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    await send(broker, records(topic, ["a", "b", "c", "d"]));
    const admin = bench.kafka().admin();
    await admin.connect();
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "3" }] });
    await admin.disconnect();
    const group = bench.name("group");
    const member = await new Member(broker, {
      group,
      inputs: [topic],
      tasks: 1,
      onJoined: (self) => self.read(topic, 0, 1),
    }).start();
    await until(() => member.batches.length > 0, "a batch");
    expect(member.values(topic)).toEqual(["d"]);
    expect(member.batches[0]).toMatchObject({ fromOffset: 1, nextOffset: 4 });
    expect(bench.logged.filter(({ event }) => event === "offset_out_of_range")).toEqual([
      { event: "offset_out_of_range", fields: { topic, partition: 0, oldOffset: 1, newOffset: 3 } },
    ]);
    expect(await broker.admin.committedOffsets(group, [topic])).toEqual([]);
  });

  it("goes back to the log's first offset, not to its end, where the position lies behind the end", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    await send(broker, records(topic, ["a", "b"]));
    const group = bench.name("group");
    const member = await new Member(broker, {
      group,
      inputs: [topic],
      tasks: 1,
      onJoined: (self) => self.read(topic, 0, 90),
    }).start();
    await until(() => member.batches.length > 0, "a batch");
    expect(member.values(topic)).toEqual(["a", "b"]);
    expect(member.batches[0]?.fromOffset).toBe(0);
    expect(await broker.admin.committedOffsets(group, [topic])).toEqual([]);
  });

  it("starts where the broker says, not where an aborted transaction would have committed", async () => {
    const topic = await bench.topic(bench.connect());
    const broker = bench.connect({
      onFailpoint: (name) => {
        if (name === "after_send_offsets") throw new Error("stopped");
      },
    });
    const group = bench.name("group");
    const id = bench.name("id");
    const producer = await broker.transactionalProducer(id);
    const offsets = [{ topic, partition: 0, offset: 90, metadata: "" }];
    await expect(producer.commit({ group, records: [], offsets })).rejects.toMatchObject({ fenced: false });
    await (await broker.transactionalProducer(id)).fence();
    expect(await broker.admin.committedOffsets(group, [topic])).toEqual([]);
    await send(broker, records(topic, ["a"]));
    const member = await new Member(broker, { group, inputs: [topic], tasks: 1 }).start();
    await until(() => member.joins.length > 0, "the join");
    member.consumer.resume([{ topic, partition: 0 }]);
    await until(() => member.batches.length > 0, "a batch");
    expect(member.values(topic)).toEqual(["a"]);
  });
});

describe("holes", () => {
  it("brings fetches of nothing but markers and aborted records as empty batches that move on", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    const producer = await bench.rawProducer(bench.name("id"));
    for (let round = 0; round < 3; round++) {
      const aborted = await producer.transaction();
      await aborted.send({ topic, messages: [{ value: `aborted ${round}`, partition: 0 }] });
      await aborted.abort();
    }
    const end = await high(broker, { topic, partition: 0 });
    const member = await new Member(broker, {
      group: bench.name("group"),
      inputs: [topic],
      tasks: 1,
      onJoined: (self) => self.read(topic, 0, 0),
    }).start();
    await until(() => member.position(topic) === end, "the position at the end of the log");
    expect(member.values(topic)).toEqual([]);
    const committed = await producer.transaction();
    await committed.send({ topic, messages: [{ value: "committed", partition: 0 }] });
    await committed.commit();
    await until(() => member.position(topic) === end + 2, "the position behind the commit marker");
    expect(member.values(topic)).toEqual(["committed"]);
    // A reader that begins at the marker itself.
    member.read(topic, 0, end + 1);
    await until(() => member.of(topic).at(-1)?.fromOffset === end + 1, "the batch of the marker");
    expect(member.of(topic).at(-1)).toMatchObject({ records: [], nextOffset: end + 2 });
  });

  it("hides aborted records also where the fetch begins amid two aborted transactions", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    const [one, two] = [await bench.rawProducer(bench.name("id")), await bench.rawProducer(bench.name("id"))];
    const [left, right] = [await one.transaction(), await two.transaction()];
    for (const transaction of [left, right, right, left, right]) {
      await transaction.send({ topic, messages: [{ value: "aborted", partition: 0 }] });
    }
    await left.abort();
    await right.abort();
    await send(broker, records(topic, ["seen"]));
    const end = await high(broker, { topic, partition: 0 });
    const member = await new Member(broker, {
      group: bench.name("group"),
      inputs: [topic],
      tasks: 1,
    }).start();
    await until(() => member.joins.length > 0, "the join");
    for (let from = 0; from < 5; from++) {
      const before = member.batches.length;
      member.read(topic, 0, from);
      await until(() => member.batches.length > before && member.position(topic) === end, "the end");
      const values = member.batches
        .slice(before)
        .flatMap((batch) => batch.records.map(({ value }) => `${value}`));
      expect(values).toEqual(["seen"]);
    }
  });

  it("passes batches that compaction has emptied, though a fetch brings nothing else", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 1, {
      "cleanup.policy": "compact",
      "segment.ms": "50",
      "min.cleanable.dirty.ratio": "0.01",
      "min.compaction.lag.ms": "0",
      "max.compaction.lag.ms": "100",
    });
    const at = { topic, partition: 0 };
    // Each by a producer of its own, whose last batch the cleaner keeps as an empty one.
    for (let version = 0; version < 5; version++) {
      await send(broker, records(topic, [`${version}`]));
      await delay(60);
    }
    const values = async (): Promise<number> => {
      const end = await high(broker, at);
      const seen: string[] = [];
      let position = 0;
      const tail = await broker.tail({
        from: [{ ...at, offset: "start" }],
        onBatch: (batch) => {
          position = batch.nextOffset;
          seen.push(...batch.records.map(({ value }) => `${value}`));
        },
        onFailed: () => undefined,
      });
      await until(() => position >= end, "the tail's end");
      await tail.close();
      return seen.length;
    };
    await until(async () => {
      // Rolls the segment, for the cleaner leaves the active one alone.
      await send(broker, [{ ...at, key: "other", value: "roll" }]);
      return (await values()) <= 3;
    }, "the compaction");
    const end = await high(broker, at);
    const options = { group: bench.name("group"), inputs: [topic], tasks: 1, partitionBytesMax: 1 };
    const member = await new Member(broker, {
      ...options,
      onJoined: (self) => self.read(topic, 0, 0),
    }).start();
    await until(() => member.position(topic) === end, "the end of the log");
    expect(member.values(topic)).toContain("4");
    expect(member.batches.some((batch) => batch.records.length === 0)).toBe(true);
  });

  it("waits behind an open transaction and goes on when it ends", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    const producer = await bench.rawProducer(bench.name("id"));
    const open = await producer.transaction();
    await open.send({ topic, messages: [{ value: "late", partition: 0 }] });
    await send(broker, records(topic, ["behind"]));
    const member = await new Member(broker, {
      group: bench.name("group"),
      inputs: [topic],
      tasks: 1,
      onJoined: (self) => self.read(topic, 0, 0),
    }).start();
    await until(() => member.heartbeats >= 3, "heartbeats");
    expect(member.values(topic)).toEqual([]);
    await open.commit();
    await until(() => member.position(topic) === 3, "all of it");
    expect(member.values(topic)).toEqual(["late", "behind"]);
  });
});

describe("compression", () => {
  it("reads gzip and zstd", async () => {
    for (const compression of ["gzip", "zstd"] as const) {
      const broker = bench.connect({ compression });
      const topic = await bench.topic(broker);
      const values = Array.from({ length: 100 }, (_, index) => `value ${index} `.repeat(20));
      await send(broker, records(topic, values));
      const seen: string[] = [];
      const tail = await broker.tail({
        from: [{ topic, partition: 0, offset: "start" }],
        onBatch: (batch) => seen.push(...batch.records.map(({ value }) => `${value}`)),
        onFailed: () => undefined,
      });
      await until(() => seen.length === values.length, `all values through ${compression}`);
      expect(seen).toEqual(values);
      await tail.close();
    }
  });

  it("reads what other clients compress with snappy or lz4", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    const value = `{"text":"${"squeezed ".repeat(500)}"}`;
    const seen: string[] = [];
    const tail = await broker.tail({
      from: [{ topic, partition: 0, offset: "start" }],
      onBatch: (batch) => seen.push(...batch.records.map((record) => `${record.value}`)),
      onFailed: () => undefined,
    });
    const written: Squeeze[] = [
      ["Snappy", (buffer) => compress(buffer)],
      ["Snappy", async (buffer) => snappyStream(await compress(buffer))],
      ["LZ4", (buffer) => compressFrame(buffer)],
    ];
    for (const [index, [name, squeeze]] of written.entries()) {
      await sendSqueezed(topic, [value, `${value} `], name, squeeze);
      await until(() => seen.length === 2 * (index + 1), `what was written as ${name}`);
    }
    expect(seen).toEqual([value, `${value} `, value, `${value} `, value, `${value} `]);
    await tail.close();
  });
});

describe("tails", () => {
  it("read from a start, an offset and the end, and leave no group behind", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 3);
    const all = ["a", "b", "c"];
    await send(
      broker,
      [0, 1, 2].flatMap((partition) => records(topic, all, partition)),
    );
    const admin = bench.kafka().admin();
    await admin.connect();
    const groupsBefore = (await admin.listGroups()).groups.length;
    const seen: string[] = [];
    const tail = await broker.tail({
      from: [
        { topic, partition: 0, offset: "start" },
        { topic, partition: 1, offset: 2 },
        { topic, partition: 2, offset: "end" },
      ],
      onBatch: ({ partition, records: found }) =>
        seen.push(...found.map(({ value }) => `${partition}${value}`)),
      onFailed: () => undefined,
    });
    await until(() => seen.length === 4, "what is there");
    await send(broker, records(topic, ["d"], 2));
    await until(() => seen.length === 5, "what came later");
    expect(seen.toSorted()).toEqual(["0a", "0b", "0c", "1c", "2d"]);
    expect((await admin.listGroups()).groups.length).toBe(groupsBefore);
    await tail.close();
    await admin.disconnect();
  });
});

type Squeeze = readonly [codec: "Snappy" | "LZ4", squeeze: (buffer: Buffer) => Promise<Buffer>];

/** One batch by a plain client, compressed as the codec's name says and the function really does. */
async function sendSqueezed(
  topic: string,
  values: readonly string[],
  ...[name, squeeze]: Squeeze
): Promise<void> {
  const { CompressionCodecs, CompressionTypes, Partitioners } = kafkajs;
  const original = CompressionCodecs[CompressionTypes[name]];
  // Readers of this process go on with the codec's own way back.
  CompressionCodecs[CompressionTypes[name]] = () => ({
    ...original(),
    compress: ({ buffer }: { buffer: Buffer }) => squeeze(buffer),
  });
  const producer = bench.kafka().producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const messages = values.map((value) => ({ value, partition: 0 }));
  await producer.send({ topic, messages, compression: CompressionTypes[name] });
  await producer.disconnect();
  CompressionCodecs[CompressionTypes[name]] = original;
}

/** A block in the stream that Java clients frame it with. */
function snappyStream(block: Buffer): Buffer {
  const header = Buffer.from([
    0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0,
  ]);
  header.writeInt32BE(block.length, 16);
  return Buffer.concat([header, block]);
}
