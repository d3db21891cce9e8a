/** Topics, settings, watermarks, groups. */
import { expect } from "vitest";
import { Member } from "./member.ts";
import type { ConformanceCase } from "./world.ts";

export const adminCases: readonly ConformanceCase[] = [
  {
    name: "names its cluster, always by the same id",
    async run(world) {
      const { admin } = world.shared;
      const id = await admin.clusterId();
      expect(id).toMatch(/^[\w-]+$/);
      expect(await admin.clusterId()).toBe(id);
    },
  },
  {
    name: "creates what is missing, names it, and leaves what is there as it is",
    async run(world) {
      const { admin } = world.shared;
      const [first, second] = [world.name("topic"), world.name("topic")];
      const spec = (name: string, partitions: number) => ({ name, partitions, configs: {} });
      expect(await admin.createTopics([spec(first, 2)])).toEqual([first]);
      expect(await admin.createTopics([spec(first, 5), spec(second, 1)])).toEqual([second]);
      expect(await admin.createTopics([spec(first, 2), spec(second, 1)])).toEqual([]);
      expect(await admin.watermarks(first)).toHaveLength(2);
    },
  },
  {
    name: "tells the broker's time, which goes on, from a topic that the broker dates",
    async run(world) {
      const { shared } = world;
      const [dated, other] = [world.name("dated"), world.name("other")];
      await shared.admin.createTopics([
        { name: dated, partitions: 1, configs: { "message.timestamp.type": "LogAppendTime" } },
        { name: other, partitions: 1, configs: {} },
      ]);
      const first = await shared.timeMs(dated);
      expect(first).toBeGreaterThan(Date.UTC(2025, 0));
      expect(await shared.timeMs(dated)).toBeGreaterThanOrEqual(first);
      await expect(shared.timeMs(other)).rejects.toThrow("not dated by the broker");
      expect(await shared.timeMs(dated)).toBeGreaterThanOrEqual(first);
    },
  },
  {
    name: "finds no drift where topics are as specified",
    async run(world) {
      const { admin } = world.shared;
      const configs = { "cleanup.policy": "compact", "max.message.bytes": "2000000" };
      const spec = { name: world.name("topic"), partitions: 3, configs };
      await admin.createTopics([spec]);
      expect(await admin.topicDrift([spec])).toEqual([]);
      expect(await admin.topicDrift([{ ...spec, configs: {} }])).toEqual([]);
    },
  },
  {
    name: "names the partitions and the configs that drifted, with both values",
    async run(world) {
      const { admin } = world.shared;
      const name = world.name("topic");
      await admin.createTopics([{ name, partitions: 2, configs: { "retention.ms": "60000" } }]);
      const configs = { "retention.ms": "70000", "cleanup.policy": "compact" };
      const drift = await admin.topicDrift([{ name, partitions: 3, configs }]);
      expect(drift).toHaveLength(3);
      expect(drift).toEqual(
        expect.arrayContaining([
          { topic: name, setting: "partitions", expected: "3", actual: "2" },
          { topic: name, setting: "retention.ms", expected: "70000", actual: "60000" },
          { topic: name, setting: "cleanup.policy", expected: "compact", actual: "delete" },
        ]),
      );
    },
  },
  {
    name: "reports a topic that does not exist as drift",
    async run(world) {
      const name = world.name("topic");
      const there = await world.topic(1);
      const specs = [name, there].map((topic) => ({ name: topic, partitions: 1, configs: {} }));
      const drift = await world.shared.admin.topicDrift(specs);
      expect(drift.map(({ topic }) => topic)).toEqual([name]);
    },
  },
  {
    name: "tells the first and the next offset of each partition",
    async run(world) {
      const topic = await world.topic(2);
      await world.send([0, 0, 0].map((partition) => ({ topic, partition, key: "k", value: "v" })));
      expect(await world.shared.admin.watermarks(topic)).toEqual([
        { low: 0, high: 3 },
        { low: 0, high: 0 },
      ]);
    },
  },
  {
    name: "shows no offsets for a group that committed none, and deletes a group that is not there",
    async run(world) {
      const topic = await world.topic(2);
      const group = world.name("group");
      expect(await world.shared.admin.committedOffsets(group, [topic])).toEqual([]);
      await world.shared.admin.deleteGroup(group);
    },
  },
  {
    name: "deletes a group's offsets with the group",
    async run(world) {
      const topic = await world.topic(1);
      const group = world.name("group");
      const { admin } = world.shared;
      const member = new Member(world, { instance: "a", group, inputs: [topic], tasks: 1 });
      await member.start();
      await world.until(() => member.joins.length > 0, "the member has joined");
      await member.stop();
      const producer = await world.shared.transactionalProducer(world.name("id"));
      await producer.fence();
      const offsets = [{ topic, partition: 0, offset: 0, metadata: "m" }];
      await producer.commit({ group, records: [], offsets });
      await producer.close();
      const committed = () => admin.committedOffsets(group, [topic]);
      await world.until(async () => (await committed()).length === 1, "the offset is committed");
      await admin.deleteGroup(group);
      await world.until(async () => (await committed()).length === 0, "the offset is gone");
    },
  },
];
