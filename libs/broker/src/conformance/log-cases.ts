/** Records in, records out: order, content, positions. */
import type { OutRecord, TopicPartition } from "@sluice/runtime";
import { expect } from "vitest";
import { type ConformanceCase, errorTypes } from "./world.ts";

const numbered = (at: TopicPartition, from: number, count: number): OutRecord[] =>
  Array.from({ length: count }, (_, i) => ({ ...at, key: `k${from + i}`, value: `v${from + i}` }));

export const logCases: readonly ConformanceCase[] = [
  {
    name: "gives each partition's records back in the order they were written, with consecutive offsets",
    async run(world) {
      const topic = await world.topic(2);
      const [p0, p1] = [0, 1].map((partition) => ({ topic, partition })) as [TopicPartition, TopicPartition];
      await world.send([...numbered(p0, 0, 3), ...numbered(p1, 100, 2)]);
      await world.send(numbered(p0, 3, 2));
      const read = await world.tail([p0, p1].map((at) => ({ ...at, offset: "start" as const })));
      await world.until(() => read.position(p0) === 5 && read.position(p1) === 2, "all is read");
      expect(read.values(p0)).toEqual(["v0", "v1", "v2", "v3", "v4"]);
      expect(read.records(p0).map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);
      expect(read.values(p1)).toEqual(["v100", "v101"]);
      expect(read.failures).toEqual([]);
    },
  },
  {
    name: "brings headers, null keys, empty values, bytes and tombstones through",
    async run(world) {
      const at = { topic: await world.topic(1), partition: 0 };
      const bytes = Buffer.from([0, 255, 128, 10]);
      await world.send([
        {
          ...at,
          key: null,
          value: "no key",
          headers: { "content-type": "text/plain", traceparent: "größe" },
        },
        { ...at, key: "k", value: null },
        { ...at, key: "k", value: "" },
        { ...at, key: bytes, value: bytes, headers: { empty: "" } },
      ]);
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.position(at) === 4, "all is read");
      const [noKey, tombstone, empty, binary] = read.records(at);
      expect(noKey?.key).toBeNull();
      expect(noKey?.headers).toEqual({ "content-type": "text/plain", traceparent: "größe" });
      expect(tombstone?.key?.toString()).toBe("k");
      expect(tombstone?.value).toBeNull();
      expect(tombstone?.headers).toEqual({});
      expect(empty?.value).toEqual(Buffer.alloc(0));
      expect(binary?.key).toEqual(bytes);
      expect(binary?.value).toEqual(bytes);
      expect(binary?.headers).toEqual({ empty: "" });
      for (const { timestampMs } of read.records(at)) expect(timestampMs).toBeGreaterThan(1e12);
    },
  },
  {
    name: "makes every batch continue where the last one ended, over fetches of limited size",
    async run(world) {
      const at = { topic: await world.topic(1), partition: 0 };
      const large = "x".repeat(30_000);
      for (let i = 0; i < 5; i++) {
        await world.send(
          Array.from({ length: 20 }, (_, n) => ({ ...at, key: `${i * 20 + n}`, value: large })),
        );
      }
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.position(at) === 100, "all is read");
      expect(read.records(at).map(({ key }) => Number(key))).toEqual(
        Array.from({ length: 100 }, (_, n) => n),
      );
      let position = 0;
      for (const { fromOffset, nextOffset, highWatermark } of read.of(at)) {
        expect(fromOffset).toBe(position);
        expect(highWatermark).toBe(100);
        position = nextOffset;
      }
    },
  },
  {
    name: "tails from the start, from the end and from an offset",
    async run(world) {
      const at = { topic: await world.topic(1), partition: 0 };
      await world.send(numbered(at, 0, 4));
      const start = await world.tail([{ ...at, offset: "start" }]);
      const end = await world.tail([{ ...at, offset: "end" }]);
      const middle = await world.tail([{ ...at, offset: 2 }]);
      await world.send(numbered(at, 4, 1));
      await world.until(() => [start, end, middle].every((read) => read.position(at) === 5), "all is read");
      expect(start.values(at)).toEqual(["v0", "v1", "v2", "v3", "v4"]);
      expect(end.values(at)).toEqual(["v4"]);
      expect(middle.values(at)).toEqual(["v2", "v3", "v4"]);
    },
  },
  {
    name: "starts a tail at the earliest record where its offset lies beyond the end, never at the end",
    async run(world) {
      const at = { topic: await world.topic(1), partition: 0 };
      await world.send(numbered(at, 0, 3));
      const read = await world.tail([{ ...at, offset: 1_000 }]);
      await world.until(() => read.position(at) === 3, "all is read");
      expect(read.values(at)).toEqual(["v0", "v1", "v2"]);
    },
  },
  {
    name: "starts a tail at the earliest record where retention took its offset, as if over a hole",
    needs: "trim",
    async run(world) {
      const at = { topic: await world.topic(1), partition: 0 };
      await world.send(numbered(at, 0, 5));
      await world.broker.trim?.(at, 3);
      expect(await world.shared.admin.watermarks(at.topic)).toEqual([{ low: 3, high: 5 }]);
      const read = await world.tail([{ ...at, offset: 1 }]);
      await world.until(() => read.position(at) === 5, "all is read");
      expect(read.values(at)).toEqual(["v3", "v4"]);
      expect(read.of(at)[0]?.fromOffset).toBe(1);
    },
  },
  {
    name: "delivers nothing to a tail that is closed",
    async run(world) {
      const at = { topic: await world.topic(1), partition: 0 };
      const closed = await world.tail([{ ...at, offset: "start" }]);
      const other = await world.tail([{ ...at, offset: "start" }]);
      await world.send(numbered(at, 0, 1));
      await world.until(() => closed.position(at) === 1, "the first record is read");
      await closed.close();
      await world.send(numbered(at, 1, 1));
      await world.until(() => other.position(at) === 2, "the other tail has read both");
      expect(closed.values(at)).toEqual(["v0"]);
    },
  },
  {
    name: "refuses a record that is too large, and says why",
    async run(world) {
      const at = { topic: await world.topic(1, { "max.message.bytes": "10000" }), partition: 0 };
      const producer = await world.shared.producer();
      const sent = producer.send([{ ...at, key: "k", value: "x".repeat(20_000) }]);
      const error = await sent.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(errorTypes(error)).toContain("SLUICE_RECORD_TOO_LARGE");
      await producer.send([{ ...at, key: "k", value: "small" }]);
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.position(at) === 1, "the small record is read");
      expect(read.values(at)).toEqual(["small"]);
    },
  },
];
