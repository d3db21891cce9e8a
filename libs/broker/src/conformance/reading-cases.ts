/** A member's seek, pause, resume and stop, with fetches in flight. */
import type { OutRecord, TopicPartition } from "@sluice/runtime";
import { expect } from "vitest";
import { Member } from "./member.ts";
import type { ConformanceCase, World } from "./world.ts";

const padding = "x".repeat(2_000);
const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
const large = (at: TopicPartition, from: number, count: number): OutRecord[] =>
  numbers(from, count).map((n) => ({ ...at, key: `${n}`, value: `${n} ${padding}` }));
const numbersOf = (values: readonly (string | null)[]) =>
  values.map((value) => Number.parseInt(value ?? "", 10));

/** A lone member that has joined, its two partitions paused; the first has `count` records. */
async function reader(world: World, count: number) {
  const topic = await world.topic(2);
  const [at, other] = [0, 1].map((partition) => ({ topic, partition })) as [TopicPartition, TopicPartition];
  for (let from = 0; from < count; from += 100)
    await world.send(large(at, from, Math.min(100, count - from)));
  const member = new Member(world, { instance: "a", group: world.name("group"), inputs: [topic], tasks: 2 });
  await member.start();
  await world.until(() => member.tasks.length === 2, "the member has both tasks");
  return { at, other, member };
}

const beats = (world: World, member: Member, more: number) => {
  const enough = member.count("heartbeat") + more;
  return world.until(() => member.count("heartbeat") >= enough, `${more} more heartbeats`);
};

export const readingCases: readonly ConformanceCase[] = [
  {
    name: "reads from where the seek said, and again after a seek back",
    async run(world) {
      const { at, member } = await reader(world, 20);
      member.read(at, 5);
      await world.until(() => member.position(at) === 20, "all is read");
      expect(numbersOf(member.values(at))).toEqual(numbers(5, 15));
      member.forget(at);
      member.seek(at, 12);
      await world.until(() => member.position(at) === 20, "all is read again");
      expect(numbersOf(member.values(at))).toEqual(numbers(12, 8));
    },
  },
  {
    name: "lets a batch that a seek overtook be told by fromOffset",
    async run(world) {
      const { at, member } = await reader(world, 400);
      member.read(at, 0);
      for (const offset of [300, 10, 200, 150, 0]) {
        const before = member.batches.length;
        await world.until(() => member.batches.length > before, "something more is read");
        member.forget(at);
        member.seek(at, offset);
      }
      await world.until(() => member.position(at) === 400, "all is read");
      expect(numbersOf(member.values(at))).toEqual(numbers(0, 400));
    },
  },
  {
    name: "stops delivering soon after a pause, and goes on without loss or repetition after the resume",
    async run(world) {
      const { at, other, member } = await reader(world, 300);
      member.read(other, 0);
      member.read(at, 0);
      for (let pauses = 0; pauses < 4; pauses++) {
        const before = member.batches.length;
        await world.until(
          () => member.batches.length > before || member.position(at) === 300,
          "more is read",
        );
        member.pause(at);
        await beats(world, member, 3);
        const position = member.position(at);
        await beats(world, member, 3);
        expect(member.position(at)).toBe(position);
        member.resume(at);
      }
      await world.send(large(at, 300, 10));
      await world.until(() => member.position(at) === 310, "all is read");
      expect(numbersOf(member.values(at))).toEqual(numbers(0, 310));
    },
  },
  {
    name: "keeps reading the others while one partition is paused",
    async run(world) {
      const { at, other, member } = await reader(world, 10);
      member.read(at, 0);
      member.read(other, 0);
      await world.until(() => member.position(at) === 10, "the first partition is read");
      member.pause(at);
      await beats(world, member, 2);
      await world.send([...large(at, 10, 5), ...large(other, 0, 5)]);
      await world.until(() => member.position(other) === 5, "the other partition is read");
      expect(numbersOf(member.values(other))).toEqual(numbers(0, 5));
      expect(member.position(at)).toBe(10);
    },
  },
  {
    name: "passes the markers of transactions by nextOffset, also where nothing else is left to read",
    async run(world) {
      const { at, member } = await reader(world, 0);
      const producer = await world.shared.transactionalProducer(world.name("id"));
      await producer.fence();
      for (const value of ["a", "b", "c"]) {
        await producer.commit({
          group: world.name("group"),
          records: [{ ...at, key: value, value }],
          offsets: [],
        });
      }
      member.read(at, 0);
      await world.until(() => member.position(at) === 6, "the last marker is passed");
      expect(member.values(at)).toEqual(["a", "b", "c"]);
      member.forget(at);
      member.seek(at, 5);
      await world.until(() => member.position(at) === 6, "a marker alone is passed");
      expect(member.values(at)).toEqual([]);
      expect(await world.highWatermark(at)).toBe(6);
    },
  },
  {
    name: "goes to the earliest record where a seek lies beyond the end, never to the end",
    async run(world) {
      const { at, member } = await reader(world, 5);
      member.read(at, 1_000);
      await world.until(() => member.batches.length > 0, "something is read");
      const [first] = member.batches;
      expect(first?.fromOffset).toBe(0);
      expect(first?.records[0]?.offset).toBe(0);
      expect(member.strays).toBeGreaterThan(0);
    },
  },
  {
    name: "goes to the earliest record where retention took the one that was sought, as if over a hole",
    needs: "trim",
    async run(world) {
      const { at, member } = await reader(world, 8);
      await world.broker.trim?.(at, 6);
      member.read(at, 2);
      await world.until(() => member.position(at) === 8, "all that is left is read");
      expect(numbersOf(member.values(at))).toEqual([6, 7]);
      expect(member.strays).toBe(0);
    },
  },
  {
    name: "calls no handler any more once it has stopped",
    async run(world) {
      const { at, member } = await reader(world, 400);
      member.read(at, 0);
      await world.until(() => member.batches.length > 0, "something is read");
      await member.stop();
      const calls = member.calls.length;
      await world.send(large(at, 400, 1));
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.position(at) === 401, "somebody else has read all");
      expect(member.calls).toHaveLength(calls);
    },
  },
];
