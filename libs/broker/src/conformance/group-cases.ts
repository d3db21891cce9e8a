/** Who owns what: joins, assignment, rebalances. */
import type { AssignTasks, MemberClaim, OutRecord, TopicPartition } from "@sluice/runtime";
import { expect } from "vitest";
import { byInstance, Member, type MemberOptions } from "./member.ts";
import { type ConformanceCase, errorTypes, type World } from "./world.ts";

const tasks = 4;
const all = [0, 1, 2, 3];

const oneEach = (topic: string, value = ""): OutRecord[] =>
  all.map((partition) => ({ topic, partition, key: "k", value: `${topic}/${partition}${value}` }));

async function setting(world: World): Promise<Pick<MemberOptions, "group" | "inputs" | "tasks">> {
  return { group: world.name("group"), inputs: [await world.topic(tasks), await world.topic(tasks)], tasks };
}

/** All tasks are owned, each by one of the members, as the default assignment has it. */
const shared = (...members: readonly Member[]) =>
  members
    .flatMap((member) => member.tasks)
    .sort((a, b) => a - b)
    .join() === all.join() && members.every((member) => member.tasks.length === tasks / members.length);

async function joined(world: World, ...members: readonly Member[]): Promise<void> {
  for (const member of members) await member.start();
  await world.until(() => shared(...members), `${members.length} members share the tasks`);
}

export const groupCases: readonly ConformanceCase[] = [
  {
    name: "gives a lone member all tasks",
    async run(world) {
      const a = new Member(world, { ...(await setting(world)), instance: "a" });
      await joined(world, a);
      const [join] = a.joins;
      expect(join?.memberId).not.toBe("");
      expect(join?.generation).toBeGreaterThan(0);
      expect(a.calls[0]).toBe("joined");
    },
  },
  {
    name: "splits tasks by the given function, the same for each co-partitioned input and the changelog",
    async run(world) {
      const { group, inputs } = await setting(world);
      const changelog = await world.topic(tasks);
      const topics = [...inputs, changelog];
      for (const topic of topics) await world.send(oneEach(topic));
      const [a, b] = ["a", "b"].map(
        (instance) => new Member(world, { group, inputs, changelog, tasks, instance }),
      ) as [Member, Member];
      await joined(world, a, b);
      expect([a.tasks, b.tasks]).toEqual([
        [0, 2],
        [1, 3],
      ]);
      for (const member of [a, b]) {
        const mine = topics.flatMap((topic) => member.tasks.map((partition) => ({ topic, partition })));
        for (const at of mine) member.read(at, 0);
        await world.until(() => mine.every((at) => member.position(at) === 1), "all of mine is read");
        for (const at of mine) expect(member.values(at)).toEqual([`${at.topic}/${at.partition}`]);
        expect(member.batches.filter(({ partition }) => !member.tasks.includes(partition))).toEqual([]);
      }
    },
  },
  {
    name: "hands every member's claim to the function, whoever calls it",
    async run(world) {
      const options = await setting(world);
      const seen: (readonly (MemberClaim | null)[])[] = [];
      const assign: AssignTasks = (members, count) => {
        seen.push(members.map(({ claim }) => claim));
        return byInstance(members, count);
      };
      const claims = [
        { instance: "a", owned: [0, 3], onDisk: [1], heardAtMs: 1_700_000_000_123 },
        { instance: "b", owned: [], onDisk: [0, 1, 2, 3], heardAtMs: 0 },
      ];
      const members = claims.map(
        (claim) => new Member(world, { ...options, assign, claim, instance: claim.instance }),
      );
      await joined(world, ...members);
      const last = [...(seen.at(-1) ?? [])].sort((a, b) =>
        (a?.instance ?? "") < (b?.instance ?? "") ? -1 : 1,
      );
      expect(last).toEqual(claims);
    },
  },
  {
    name: "brings every partition of a table to every member, beside its tasks",
    async run(world) {
      const table = await world.topic(tasks, { "cleanup.policy": "compact" });
      await world.send(oneEach(table));
      const options = { ...(await setting(world)), tables: [table] };
      const members = ["a", "b"].map((instance) => new Member(world, { ...options, instance }));
      await joined(world, ...members);
      const partitions = all.map((partition) => ({ topic: table, partition }));
      for (const member of members) {
        for (const at of partitions) member.read(at, 0);
        await world.until(() => partitions.every((at) => member.position(at) === 1), "the table is read");
        for (const at of partitions) expect(member.values(at)).toEqual([`${table}/${at.partition}`]);
      }
    },
  },
  {
    name: "refuses to start where an input is not partitioned as the tasks are",
    async run(world) {
      const inputs = [await world.topic(tasks), await world.topic(tasks + 1)];
      const a = new Member(world, { group: world.name("group"), inputs, tasks, instance: "a" });
      const error = await a.start().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(errorTypes(error)).toContain("SLUICE_TOPIC_DRIFT");
      expect(a.calls).toEqual([]);
    },
  },
  {
    name: "rebalances when a member joins: first a warning, then a newer generation",
    async run(world) {
      const options = await setting(world);
      const [a, b] = ["a", "b"].map((instance) => new Member(world, { ...options, instance })) as [
        Member,
        Member,
      ];
      await joined(world, a);
      const before = a.joins.at(-1)?.generation ?? 0;
      await b.start();
      await world.until(() => shared(a, b), "both share the tasks");
      expect(a.joins.at(-1)?.generation).toBeGreaterThan(before);
      expect(a.joins.at(-1)?.generation).toBe(b.joins.at(-1)?.generation);
      const turns = a.calls.filter((call) => call === "joined" || call === "rebalancing");
      expect(turns.slice(0, 3)).toEqual(["joined", "rebalancing", "joined"]);
    },
  },
  {
    name: "gives a leaving member's tasks to those who stay",
    async run(world) {
      const options = await setting(world);
      const [a, b] = ["a", "b"].map((instance) => new Member(world, { ...options, instance })) as [
        Member,
        Member,
      ];
      await joined(world, a, b);
      await b.stop();
      const calls = b.calls.length;
      await world.until(() => shared(a), "the one that stays has all tasks");
      expect(b.calls).toHaveLength(calls);
    },
  },
  {
    name: "gives a dead member's tasks to those who live, once its session has timed out",
    needs: "kill",
    async run(world) {
      const options = await setting(world);
      const [a, b] = ["a", "b"].map((instance) => new Member(world, { ...options, instance })) as [
        Member,
        Member,
      ];
      await joined(world, a, b);
      await world.kill(b.client);
      const calls = b.calls.length;
      await world.until(() => shared(a), "the one that lives has all tasks");
      expect(b.calls).toHaveLength(calls);
    },
  },
  {
    name: "hears heartbeats while every partition is paused, and delivers nothing before seek and resume",
    async run(world) {
      const options = await setting(world);
      const [topic] = options.inputs as [string];
      await world.send(oneEach(topic));
      const a = new Member(world, { ...options, instance: "a" });
      await joined(world, a);
      await world.until(() => a.count("heartbeat") >= 5, "five heartbeats were answered");
      expect(a.batches).toEqual([]);
      const at = { topic, partition: 2 };
      a.read(at, 0);
      await world.until(() => a.position(at) === 1, "the resumed partition is read");
      const read = new Set(a.batches.map((batch) => `${batch.topic}/${batch.partition}`));
      expect([...read]).toEqual([`${topic}/2`]);
    },
  },
  {
    name: "pauses what was read before a rebalance: nothing comes until seek and resume",
    async run(world) {
      const options = await setting(world);
      const [topic] = options.inputs as [string];
      const [a, b] = ["a", "b"].map((instance) => new Member(world, { ...options, instance })) as [
        Member,
        Member,
      ];
      await joined(world, a);
      const partitions: TopicPartition[] = all.map((partition) => ({ topic, partition }));
      for (const at of partitions) a.read(at, 0);
      await world.send(oneEach(topic));
      await world.until(() => partitions.every((at) => a.position(at) === 1), "a has read all");
      await b.start();
      await world.until(() => shared(a, b), "both share the tasks");
      const [callsA, callsB] = [a, b].map((m) => m.calls.lastIndexOf("joined")) as [number, number];
      await world.send(oneEach(topic, " later"));
      const beats = [a.count("heartbeat"), b.count("heartbeat")] as const;
      await world.until(
        () => a.count("heartbeat") >= beats[0] + 3 && b.count("heartbeat") >= beats[1] + 3,
        "three more heartbeats each",
      );
      expect(a.calls.slice(callsA)).not.toContain("batch");
      expect(b.calls.slice(callsB)).not.toContain("batch");
      for (const member of [a, b]) {
        const mine = member.tasks.map((partition) => ({ topic, partition }));
        for (const at of mine) member.read(at, 1);
        await world.until(() => mine.every((at) => member.position(at) === 2), "what came later is read");
        for (const at of mine) expect(member.values(at).at(-1)).toBe(`${topic}/${at.partition} later`);
      }
    },
  },
];
