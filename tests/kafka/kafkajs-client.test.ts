/** Traps of kafkajs 2.2.4 around connections, groups and administration, each against a real Kafka. */
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Bench, high, Member, records, send, until } from "./kafkajs-bench.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

describe("connections", () => {
  it("arm no timers while idle, and Node warns of no negative one", async () => {
    const warnings: string[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning.name);
    process.on("warning", onWarning);
    const broker = bench.connect();
    const producer = await broker.transactionalProducer(bench.name("id"));
    await producer.fence();
    await (await broker.producer()).send([]);
    await broker.admin.committedOffsets(bench.name("group"), []);
    const original = globalThis.setTimeout;
    let armed = 0;
    globalThis.setTimeout = Object.assign((...given: Parameters<typeof original>) => {
      armed += 1;
      return original(...given);
    }, original);
    try {
      await delay(500);
    } finally {
      globalThis.setTimeout = original;
      process.off("warning", onWarning);
    }
    expect(armed).toBe(0);
    expect(warnings).not.toContain("TimeoutNegativeWarning");
  });

  it("are all gone when the broker is closed", async () => {
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
    const before = sockets();
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    await send(broker, records(topic, ["a"]));
    await broker.producer();
    await (await broker.transactionalProducer(bench.name("id"))).fence();
    await broker.tail({
      from: [{ topic, partition: 0, offset: "start" }],
      onBatch: () => undefined,
      onFailed: () => undefined,
    });
    const member = await new Member(broker, {
      group: bench.name("group"),
      inputs: [topic],
      tasks: 1,
    }).start();
    await until(() => member.joins.length > 0, "the join");
    expect(sockets()).toBeGreaterThan(before);
    await broker.close();
    await until(() => sockets() <= before, "no sockets");
    const { events } = member;
    const told = events.length;
    await delay(300);
    expect(events.length).toBe(told);
  });
});

describe("groups", () => {
  it("keep a member that has paused everything far beyond its session timeout", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 3);
    const options = { group: bench.name("group"), inputs: [topic], tasks: 3, sessionTimeoutMs: 2_000 };
    const member = await new Member(broker, options).start();
    await until(() => member.heartbeats >= 10, "ten heartbeats");
    expect(member.joins).toHaveLength(1);
    // The same while fetches wait for records that do not come.
    for (const partition of [0, 1, 2]) member.read(topic, partition, 0);
    await until(() => member.heartbeats >= 20, "twenty heartbeats");
    expect(member.joins).toHaveLength(1);
    expect(member.failures).toEqual([]);
  });

  it("give partition p of inputs and changelog to the owner of task p, and tables to every member", async () => {
    const broker = bench.connect();
    const [left, right, changelog, table] = await Promise.all([
      bench.topic(broker, 4),
      bench.topic(broker, 4),
      bench.topic(broker, 4, { "cleanup.policy": "compact" }),
      bench.topic(broker, 2, { "cleanup.policy": "compact" }),
    ]);
    const options = {
      group: bench.name("group"),
      inputs: [left, right],
      changelog,
      tables: [table],
      tasks: 4,
    };
    const members = [
      new Member(broker, { ...options, instance: "a" }),
      new Member(bench.connect(), { ...options, instance: "b" }),
    ];
    for (const member of members) await member.start();
    await until(() => members.every(({ joins }) => joins.at(-1)?.tasks.length === 2), "two tasks each");
    expect(members.map(({ joins }) => joins.at(-1)?.tasks)).toEqual([
      [0, 2],
      [1, 3],
    ]);
    const all = [left, right, changelog].flatMap((topic) =>
      [0, 1, 2, 3].map((partition) => ({ topic, partition })),
    );
    await send(broker, [
      ...all.map(({ topic, partition }) => ({ topic, partition, key: "k", value: `${partition}` })),
      ...records(table, ["t"], 0),
      ...records(table, ["t"], 1),
    ]);
    for (const member of members) {
      for (const partition of member.joins.at(-1)?.tasks ?? []) {
        for (const topic of [left, right, changelog]) member.read(topic, partition, 0);
      }
      for (const partition of [0, 1]) member.read(table, partition, 0);
    }
    await until(() => members.every(({ batches }) => batches.length === 8), "all batches");
    for (const member of members) {
      for (const topic of [left, right, changelog]) {
        const found = member.batches
          .filter((batch) => batch.topic === topic)
          .map(({ partition }) => partition);
        expect(found.toSorted()).toEqual(member.joins.at(-1)?.tasks);
      }
      const [partition = -1] = [0, 1, 2, 3].filter((task) => !member.joins.at(-1)?.tasks.includes(task));
      expect(() => member.consumer.seek({ topic: left, partition }, 0)).toThrow("not assigned");
    }
  });

  it("tell of a rebalance before the join that ends it, and move all tasks to who stays", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 2);
    const options = { group: bench.name("group"), inputs: [topic], tasks: 2 };
    const stays = await new Member(broker, { ...options, instance: "a" }).start();
    await until(() => stays.joins.length === 1, "the first join");
    const leaves = await new Member(bench.connect(), { ...options, instance: "b" }).start();
    await until(() => stays.joins.at(-1)?.tasks.length === 1, "one task each");
    await leaves.consumer.stop();
    await until(() => stays.joins.at(-1)?.tasks.length === 2, "both tasks");
    const joins = stays.events.flatMap((event, at) => (event === "joined" ? [stays.events[at - 1]] : []));
    expect(joins).toEqual([undefined, ...joins.slice(1).map(() => "rebalancing")]);
    expect(stays.failures).toEqual([]);
  });

  it("refuse to start on an input whose partitions are not the tasks", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 3);
    const member = new Member(broker, { group: bench.name("group"), inputs: [topic], tasks: 4 });
    await expect(member.start()).rejects.toMatchObject({ code: "SLUICE_TOPIC_DRIFT" });
  });

  it("lose nothing of a task that moves while records flow", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 2);
    const options = { group: bench.name("group"), inputs: [topic], tasks: 2 };
    const from = new Map<number, number>();
    const onJoined = (self: Member, { tasks }: { readonly tasks: readonly number[] }): void => {
      for (const partition of tasks) {
        // What the runtime reads from the broker's offsets: here, what any member has been given.
        self.read(
          topic,
          partition,
          Math.max(0, ...members.map((member) => member.position(topic, partition))),
        );
        from.set(partition, 0);
      }
    };
    const members: Member[] = ["a", "b"].map(
      (instance) => new Member(bench.connect(), { ...options, instance, onJoined }),
    );
    await members[0]?.start();
    const producer = await broker.producer();
    for (let round = 0; round < 30; round++) {
      if (round === 5) await members[1]?.start();
      if (round === 20) await members[1]?.consumer.stop();
      await producer.send([...records(topic, [`${round}`], 0), ...records(topic, [`${round}`], 1)]);
      await delay(40);
    }
    const end = await high(broker, { topic, partition: 1 });
    await until(() => members.some((member) => member.position(topic, 1) === end), "the end of partition 1");
    const seen = new Set(members.flatMap((member) => member.values(topic, 1)));
    expect(seen.size).toBe(30);
  });
});

describe("administration", () => {
  it("creates each topic once, though many create it at a time", async () => {
    const name = bench.name("topic");
    const brokers = [bench.connect(), bench.connect(), bench.connect()];
    const specs = [0, 1, 2].map((index) => ({ name: `${name}.${index}`, partitions: 2, configs: {} }));
    const created = await Promise.all(brokers.map((broker) => broker.admin.createTopics(specs)));
    expect(created.flat().toSorted()).toEqual(specs.map((spec) => spec.name));
    expect(await brokers[0]?.admin.createTopics(specs)).toEqual([]);
  });

  it("finds every difference between a topic and its spec, and none where there is none", async () => {
    const { admin } = bench.connect();
    const spec = {
      name: bench.name("topic"),
      partitions: 2,
      configs: { "cleanup.policy": "compact,delete" },
    };
    await admin.createTopics([spec]);
    expect(await admin.topicDrift([{ ...spec, configs: { "cleanup.policy": "delete,compact" } }])).toEqual(
      [],
    );
    const configs = { "cleanup.policy": "delete", "retention.ms": "1000" };
    const drift = await admin.topicDrift([
      { ...spec, partitions: 3, replicationFactor: 2, configs },
      { ...spec, name: bench.name("absent") },
    ]);
    expect(drift.map(({ setting }) => setting).toSorted()).toEqual([
      "cleanup.policy",
      "existence",
      "partitions",
      "replicationFactor",
      "retention.ms",
    ]);
  });

  it("tells high watermarks that count open transactions", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker, 2);
    const open = await (await bench.rawProducer(bench.name("id"))).transaction();
    await open.send({ topic, messages: [{ value: "open", partition: 1 }] });
    expect(await broker.admin.watermarks(topic)).toEqual([
      { low: 0, high: 0 },
      { low: 0, high: 1 },
    ]);
    await open.abort();
    await expect(broker.admin.watermarks(bench.name("absent"))).rejects.toThrow("no topic");
  });

  it("deletes a group that has no members, and minds neither a missing one nor a second time", async () => {
    const broker = bench.connect();
    const topic = await bench.topic(broker);
    const group = bench.name("group");
    const producer = await broker.transactionalProducer(bench.name("id"));
    await producer.commit({
      group,
      records: [],
      offsets: [{ topic, partition: 0, offset: 3, metadata: "x" }],
    });
    await broker.admin.deleteGroup(group);
    expect(await broker.admin.committedOffsets(group, [topic])).toEqual([]);
    await broker.admin.deleteGroup(group);
    const member = await new Member(broker, { group, inputs: [topic], tasks: 1 }).start();
    await until(() => member.joins.length > 0, "the join");
    await expect(broker.admin.deleteGroup(group)).rejects.toMatchObject({ type: "NON_EMPTY_GROUP" });
  });
});
