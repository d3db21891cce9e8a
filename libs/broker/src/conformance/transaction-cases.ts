/** Transactions: all or nothing, holes in the log, offsets in the commit, fencing. */
import { CommitFailed, type CommittedOffset, type OutRecord, type TopicPartition } from "@sluice/runtime";
import { expect } from "vitest";
import { type ConformanceCase, errorTypes, type World } from "./world.ts";

const record = (at: TopicPartition, value: string): OutRecord => ({ ...at, key: value, value });
const records = (at: TopicPartition, ...values: readonly string[]) =>
  values.map((value) => record(at, value));

async function place(world: World): Promise<{ at: TopicPartition; group: string; id: string }> {
  const at = { topic: await world.topic(1), partition: 0 };
  return { at, group: world.name("group"), id: world.name("id") };
}

async function fenced(world: World, id: string, client = world.shared) {
  const producer = await client.transactionalProducer(id);
  await producer.fence();
  return producer;
}

async function failure(promise: Promise<unknown>): Promise<CommitFailed> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CommitFailed);
  return error as CommitFailed;
}

async function committed(world: World, group: string, at: TopicPartition) {
  const offsets = await world.shared.admin.committedOffsets(group, [at.topic]);
  return offsets.find(({ partition }) => partition === at.partition);
}

export const transactionCases: readonly ConformanceCase[] = [
  {
    name: "shows a committed transaction whole, and tells the last offset of each partition",
    async run(world) {
      const topic = await world.topic(2);
      const [p0, p1] = [0, 1].map((partition) => ({ topic, partition })) as [TopicPartition, TopicPartition];
      await world.send(records(p0, "before"));
      const producer = await fenced(world, world.name("id"));
      const both = [...records(p0, "a", "b"), ...records(p1, "c")];
      const written = await producer.commit({ group: world.name("group"), records: both, offsets: [] });
      expect(written).toHaveLength(2);
      expect(written).toEqual(
        expect.arrayContaining([
          { ...p0, lastOffset: 2 },
          { ...p1, lastOffset: 0 },
        ]),
      );
      const read = await world.tail([p0, p1].map((at) => ({ ...at, offset: "start" as const })));
      await world.until(() => read.position(p0) === 4 && read.position(p1) === 2, "all is read");
      expect(read.values(p0)).toEqual(["before", "a", "b"]);
      expect(read.values(p1)).toEqual(["c"]);
    },
  },
  {
    name: "leaves a hole where a marker lies, and nextOffset passes it to the high watermark",
    async run(world) {
      const { at, group, id } = await place(world);
      const producer = await fenced(world, id);
      await producer.commit({ group, records: records(at, "a"), offsets: [] });
      await producer.commit({ group, records: records(at, "b"), offsets: [] });
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.position(at) === 4, "the reader is past the last marker");
      expect(read.records(at).map(({ offset }) => offset)).toEqual([0, 2]);
      expect(await world.highWatermark(at)).toBe(4);
    },
  },
  {
    name: "reaches the high watermark where the last thing in the log is an aborted transaction",
    needs: "openTransaction",
    async run(world) {
      const { at, group, id } = await place(world);
      await world.send(records(at, "before"));
      await world.openTransaction(id, { group, records: records(at, "x", "y"), offsets: [] });
      await fenced(world, id);
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.position(at) === 4, "the reader is past the abort's marker");
      expect(await world.highWatermark(at)).toBe(4);
      expect(read.values(at)).toEqual(["before"]);
      const later = await world.tail([{ ...at, offset: 1 }]);
      await world.until(() => later.position(at) === 4, "a reader of nothing but holes passes them");
      expect(later.values(at)).toEqual([]);
    },
  },
  {
    name: "shows nothing of an open transaction nor what lies behind it, and all in order once it commits",
    needs: "openTransaction",
    async run(world) {
      const topic = await world.topic(2);
      const [p0, p1] = [0, 1].map((partition) => ({ topic, partition })) as [TopicPartition, TopicPartition];
      const open = { group: world.name("group"), records: records(p0, "open"), offsets: [] };
      const held = await world.openTransaction(world.name("id"), open);
      await world.send([...records(p0, "behind"), ...records(p1, "aside")]);
      const read = await world.tail([p0, p1].map((at) => ({ ...at, offset: "start" as const })));
      await world.until(() => read.position(p1) === 1, "the other partition is read");
      expect(read.values(p0)).toEqual([]);
      await held.commit();
      await world.until(() => read.position(p0) === 3, "the first partition is read to its end");
      expect(read.values(p0)).toEqual(["open", "behind"]);
    },
  },
  {
    name: "commits offsets and metadata with the records, whole",
    async run(world) {
      const { at, group, id } = await place(world);
      const producer = await fenced(world, id);
      const offset: CommittedOffset = { ...at, offset: 7, metadata: `map ${"m".repeat(4_000)}` };
      await producer.commit({ group, records: records(at, "a"), offsets: [offset] });
      await world.until(async () => (await committed(world, group, at)) !== undefined, "the offset is there");
      expect(await committed(world, group, at)).toEqual(offset);
    },
  },
  {
    name: "commits offsets without records, again and again",
    async run(world) {
      const { at, group, id } = await place(world);
      const producer = await fenced(world, id);
      for (let offset = 1; offset <= 5; offset++) {
        await producer.commit({ group, records: [], offsets: [{ ...at, offset, metadata: "" }] });
      }
      await world.until(
        async () => (await committed(world, group, at))?.offset === 5,
        "the last one is there",
      );
      expect(await world.highWatermark(at)).toBe(0);
    },
  },
  {
    name: "has the offsets of every commit before a fence in place after it",
    async run(world) {
      const { at, group, id } = await place(world);
      for (let offset = 1; offset <= 3; offset++) {
        const producer = await fenced(world, id);
        const before = await committed(world, group, at);
        expect(before?.offset ?? 0).toBe(offset - 1);
        await producer.commit({
          group,
          records: records(at, "r"),
          offsets: [{ ...at, offset, metadata: "" }],
        });
      }
    },
  },
  {
    name: "hides the offsets of an open transaction that nobody fences, and lands them later",
    needs: "openTransaction",
    async run(world) {
      const { at, group, id } = await place(world);
      const offsets = [{ ...at, offset: 90, metadata: "old owner" }];
      const held = await world.openTransaction(id, { group, records: records(at, "r"), offsets });
      expect(await committed(world, group, at)).toBeUndefined();
      await held.commit();
      await world.until(async () => (await committed(world, group, at))?.offset === 90, "the offset landed");
    },
  },
  {
    name: "never lands the offsets nor the records of a transaction that was fenced",
    needs: "openTransaction",
    async run(world) {
      const { at, group, id } = await place(world);
      const first = await fenced(world, id);
      await first.commit({ group, records: [], offsets: [{ ...at, offset: 1, metadata: "" }] });
      const offsets = [{ ...at, offset: 90, metadata: "zombie" }];
      const held = await world.openTransaction(id, { group, records: records(at, "zombie"), offsets });
      const owner = await fenced(world, id);
      expect((await committed(world, group, at))?.offset).toBe(1);
      expect((await failure(held.commit())).fenced).toBe(true);
      expect((await committed(world, group, at))?.offset).toBe(1);
      await owner.commit({
        group,
        records: records(at, "owner"),
        offsets: [{ ...at, offset: 2, metadata: "" }],
      });
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.position(at) === 4, "all is read");
      expect(read.values(at)).toEqual(["owner"]);
      await world.until(
        async () => (await committed(world, group, at))?.offset === 2,
        "the owner's offset landed",
      );
    },
  },
  {
    name: "refuses the commit of a producer that was fenced, for good, and lets its successor work",
    async run(world) {
      const { at, group, id } = await place(world);
      const older = await fenced(world, id, world.connect("older"));
      await older.commit({ group, records: records(at, "old"), offsets: [] });
      const newer = await fenced(world, id, world.connect("newer"));
      const offsets = [{ ...at, offset: 5, metadata: "" }];
      const refused = await failure(older.commit({ group, records: records(at, "zombie"), offsets }));
      expect(refused.fenced).toBe(true);
      await expect(older.commit({ group, records: records(at, "zombie"), offsets })).rejects.toThrow();
      await newer.commit({
        group,
        records: records(at, "new"),
        offsets: [{ ...at, offset: 1, metadata: "" }],
      });
      await world.until(async () => (await committed(world, group, at)) !== undefined, "the offset is there");
      expect((await committed(world, group, at))?.offset).toBe(1);
      const end = await world.highWatermark(at);
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.position(at) >= end, "all is read");
      expect(read.values(at)).toEqual(["old", "new"]);
    },
  },
  {
    name: "tells who races others for a transactional id either that it wrote or that it was fenced",
    async run(world) {
      const { at, group, id } = await place(world);
      const wrote: string[] = [];
      const race = async (name: string): Promise<void> => {
        const client = world.connect(name);
        for (let round = 0; round < 100; round += 1) {
          const value = `${name} ${round}`;
          const producer = await client.transactionalProducer(id);
          // Among so many it may come to no turn.
          const hasTurn = await producer.fence().then(
            () => true,
            () => false,
          );
          try {
            if (hasTurn) await producer.commit({ group, records: records(at, value), offsets: [] });
            if (hasTurn) wrote.push(value);
          } catch (error) {
            expect(error, `${value}: ${String(error)}`).toMatchObject({ fenced: true });
          } finally {
            await producer.close();
          }
        }
      };
      await Promise.all(["one", "two", "three", "four"].map(race));
      const end = await world.highWatermark(at);
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.position(at) >= end, "all is read");
      expect(read.values(at).toSorted()).toEqual(wrote.toSorted());
      expect(wrote.length).toBeGreaterThan(0);
    },
  },
  {
    name: "fails the commit of a record that is too large with a cause, and shows nothing of it",
    async run(world) {
      const { at, group, id } = await place(world);
      const narrow = { topic: await world.topic(1, { "max.message.bytes": "10000" }), partition: 0 };
      const spent = await fenced(world, id);
      const tooLarge = [...records(at, "with it"), record(narrow, "x".repeat(20_000))];
      const offsets = [{ ...at, offset: 1, metadata: "" }];
      const refused = await failure(spent.commit({ group, records: tooLarge, offsets }));
      expect(refused.fenced).toBe(false);
      expect(errorTypes(refused)).toContain("SLUICE_RECORD_TOO_LARGE");
      await expect(spent.commit({ group, records: records(at, "spent"), offsets })).rejects.toThrow();
      await spent.close();
      const next = await fenced(world, id);
      expect(await committed(world, group, at)).toBeUndefined();
      await next.commit({ group, records: records(at, "next"), offsets: [] });
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.values(at).includes("next"), "the next commit is read");
      expect(read.values(at)).toEqual(["next"]);
    },
  },
  {
    name: "rejects a commit while another one of the same producer is under way",
    async run(world) {
      const { at, group, id } = await place(world);
      const producer = await fenced(world, id);
      const first = producer.commit({ group, records: records(at, "a"), offsets: [] });
      await expect(producer.commit({ group, records: records(at, "b"), offsets: [] })).rejects.toThrow();
      await first;
      const read = await world.tail([{ ...at, offset: "start" }]);
      await world.until(() => read.position(at) === 2, "the first commit is read");
      expect(read.values(at)).toEqual(["a"]);
    },
  },
];
