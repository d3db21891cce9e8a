import { CommitFailed, type TopicPartition, type Transaction } from "@sluice/runtime";
import { describe, expect, it } from "vitest";
import { Member } from "../src/conformance/member.ts";
import { type CommitFault, commitFaults, isBrokerErrorOf, simulation } from "./memory-simulation.ts";

const transaction = (at: TopicPartition, group: string, value: string, offset: number): Transaction => ({
  group,
  records: [{ ...at, key: "k", value }],
  offsets: [{ ...at, offset, metadata: "" }],
});

async function failedCommit(fault: CommitFault, seed: number) {
  const { world, cluster, clock } = simulation(seed);
  const at = { topic: await world.topic(1), partition: 0 };
  const group = world.name("group");
  const id = world.name("id");
  const producer = await world.shared.transactionalProducer(id);
  await producer.fence();
  cluster.faults.failNextCommit(fault, id);
  const error = await producer
    .commit(transaction(at, group, "doubtful", 1))
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CommitFailed);
  expect((error as CommitFailed).fenced).toBe(false);
  await expect(producer.commit(transaction(at, group, "spent", 1))).rejects.toThrow();
  const offset = async () => (await world.shared.admin.committedOffsets(group, [at.topic]))[0]?.offset;
  return { world, cluster, clock, at, group, id, offset };
}

describe("a commit made to fail", () => {
  for (const fault of commitFaults) {
    it(`${fault}: is either wholly there or not at all once it is fenced`, async () => {
      const landed = new Set<boolean>();
      for (let seed = 0; seed < 10; seed++) {
        const { world, cluster, at, id, offset } = await failedCommit(fault, seed);
        const next = await world.shared.transactionalProducer(id);
        await next.fence();
        const isThere = (await offset()) === 1;
        landed.add(isThere);
        const values = cluster.committed(at.topic)[0]?.map(({ value }) => value?.toString());
        expect(values).toEqual(isThere ? ["doubtful"] : []);
        await world.close();
      }
      expect([...landed]).toEqual([fault === "unknown_landed"]);
    });
  }

  it("unknown_delayed: lands later where nobody fences it", async () => {
    const { world, offset } = await failedCommit("unknown_delayed", 1);
    expect(await offset()).toBeUndefined();
    await world.until(async () => (await offset()) === 1, "the delayed commit landed");
    await world.close();
  });

  it("unknown_lost: stalls readers until the transaction times out, where nobody fences it", async () => {
    const { world, clock, at, offset } = await failedCommit("unknown_lost", 1);
    const sinceMs = clock.nowMs();
    const read = await world.tail([{ ...at, offset: "start" }]);
    await world.send([{ ...at, key: "k", value: "behind" }]);
    await world.until(() => read.values(at).includes("behind"), "the record behind it is read");
    expect(clock.nowMs() - sinceMs).toBeGreaterThan(9_000);
    expect(read.values(at)).toEqual(["behind"]);
    expect(await offset()).toBeUndefined();
    await world.close();
  });

  it("fails at the given rate, in all four ways", async () => {
    const { world } = simulation(3, { commit: 0.5 });
    const at = { topic: await world.topic(1), partition: 0 };
    let failures = 0;
    for (let i = 0; i < 60; i++) {
      const producer = await world.shared.transactionalProducer("id");
      await producer.fence();
      await producer.commit(transaction(at, "group", `${i}`, i)).catch(() => failures++);
    }
    expect(failures).toBeGreaterThan(15);
    expect(failures).toBeLessThan(45);
    await world.close();
  });
});

describe("faults of reading", () => {
  it("delivers a batch twice, the second one recognisable", async () => {
    const { world, cluster } = simulation(1);
    const at = { topic: await world.topic(1), partition: 0 };
    await world.send([{ ...at, key: "k", value: "v" }]);
    cluster.faults.repeatNextBatch();
    const read = await world.tail([{ ...at, offset: "start" }]);
    await world.until(() => read.batches.length === 2, "both are there");
    expect(read.batches[1]).toEqual(read.batches[0]);
    await world.send([{ ...at, key: "k", value: "next" }]);
    await world.until(() => read.batches.length === 3, "the next one is there");
    expect(read.batches[2]?.fromOffset).toBe(1);
    await world.close();
  });

  it("keeps the second copy back where the reader was closed in between", async () => {
    const { world, cluster } = simulation(1);
    const at = { topic: await world.topic(1), partition: 0 };
    await world.send([{ ...at, key: "k", value: "v" }]);
    cluster.faults.repeatNextBatch();
    let copies = 0;
    const tail = await world.shared.tail({
      from: [{ ...at, offset: "start" }],
      onBatch: () => {
        copies++;
        void tail.close();
      },
      onFailed: (error) => expect.unreachable(error.message),
    });
    const other = await world.tail([{ ...at, offset: "start" }]);
    await world.until(() => other.position(at) === 1, "somebody else has read it");
    expect(copies).toBe(1);
    await world.close();
  });

  it("lets the answer of one node come later than that of another", async () => {
    const { world, cluster, clock } = simulation(1);
    const topic = await world.topic(3);
    cluster.faults.delayNextFetch(5_000);
    await world.send([0, 1, 2].map((partition) => ({ topic, partition, key: "k", value: "v" })));
    const sinceMs = clock.nowMs();
    const arrivedMs: number[] = [];
    await world.shared.tail({
      from: [0, 1, 2].map((partition) => ({ topic, partition, offset: "start" as const })),
      onBatch: () => arrivedMs.push(clock.nowMs() - sinceMs),
      onFailed: (error) => expect.unreachable(error.message),
    });
    await world.until(() => arrivedMs.length === 3, "all is there");
    expect(arrivedMs.filter((ms) => ms >= 5_000)).toHaveLength(1);
    await world.close();
  });

  it("delivers batches that a pause overtook at rate 1, and none at rate 0", async () => {
    for (const lateBatch of [0, 1]) {
      const { world, cluster, clock } = simulation(2, { lateBatch });
      const at = { topic: await world.topic(1), partition: 0 };
      const member = new Member(world, { instance: "a", group: "g", inputs: [at.topic], tasks: 1 });
      await member.start();
      await world.until(() => member.joins.length === 1, "joined");
      member.read(at, 0);
      await world.until(() => member.count("heartbeat") > 0, "a fetch waits at the broker");
      cluster.faults.delayNextFetch(500);
      await world.send([{ ...at, key: "k", value: "v" }]);
      member.pause(at);
      const nowMs = clock.nowMs();
      await world.until(() => clock.nowMs() > nowMs + 1_000, "a second has passed");
      expect(member.batches).toHaveLength(lateBatch);
      member.resume(at);
      await world.until(() => member.position(at) === 1, "read in the end");
      expect(member.values(at)).toEqual(["v"]);
      await world.close();
    }
  });
});

describe("faults of the cluster", () => {
  it("bears an outage: sends are retried once each, consumers crash and come back, sessions survive", async () => {
    const { world, cluster } = simulation(4);
    const at = { topic: await world.topic(1), partition: 0 };
    const member = new Member(world, { instance: "a", group: "g", inputs: [at.topic], tasks: 1 });
    await member.start();
    await world.until(() => member.joins.length === 1, "joined");
    const tail = await world.tail([{ ...at, offset: "start" }]);
    const producer = await world.shared.producer();
    cluster.outage(200);
    await producer.send([{ ...at, key: "k", value: "during a short one" }]);
    cluster.outage(20_000);
    const error = await producer
      .send([{ ...at, key: "k", value: "lost" }])
      .catch((thrown: unknown) => thrown);
    expect(isBrokerErrorOf(error, "NETWORK_EXCEPTION")).toBe(true);
    await world.until(() => member.count("failed") > 3, "the consumer crashed again and again");
    await world.until(() => member.calls.at(-1) === "heartbeat", "the member is back");
    await producer.send([{ ...at, key: "k", value: "after" }]);
    member.read(at, 0);
    await world.until(() => member.position(at) === 2 && tail.position(at) === 2, "all is read");
    for (const read of [member, tail]) expect(read.values(at)).toEqual(["during a short one", "after"]);
    expect(tail.failures.length).toBeGreaterThan(0);
    expect(cluster.memberIds("g")).toHaveLength(1);
    await world.close();
  });

  it("crashes a consumer for good or until it restarts by itself", async () => {
    const { world, client } = simulation(5);
    const topic = await world.topic(2);
    const [a, b] = ["a", "b"].map(
      (instance) =>
        new Member(world, { instance, group: "g", inputs: [topic], tasks: 2, client: client(instance) }),
    ) as [Member, Member];
    await a.start();
    await b.start();
    await world.until(() => a.tasks.length === 1 && b.tasks.length === 1, "both have a task");
    client("a").crashConsumers("g", true);
    await world.until(() => a.calls.lastIndexOf("joined") > a.calls.indexOf("failed"), "a has joined again");
    client("b").crashConsumers("g", false);
    const calls = b.calls.length;
    expect(b.calls.at(-1)).toBe("failed");
    await world.until(() => a.tasks.length === 2, "a has both tasks");
    expect(b.calls).toHaveLength(calls);
    await world.close();
  });

  it("breaks a join that waits for others when the broker goes", async () => {
    const { world, cluster, client, clock } = simulation(9);
    const topic = await world.topic(2);
    const [a, b] = ["a", "b"].map(
      (instance) =>
        new Member(world, { instance, group: "g", inputs: [topic], tasks: 2, client: client(instance) }),
    ) as [Member, Member];
    await a.start();
    await b.start();
    await world.until(() => a.tasks.length === 1 && b.tasks.length === 1, "both have a task");
    client("b").freeze();
    cluster.rebalance("g");
    await world.until(() => a.calls.at(-1) === "rebalancing", "a waits for b");
    const stoppedAtMs = clock.nowMs() + 100;
    await world.until(() => clock.nowMs() >= stoppedAtMs, "a's join is at the broker");
    cluster.stopBroker();
    await world.until(() => a.calls.at(-1) === "failed", "a has heard of it");
    expect(clock.nowMs() - stoppedAtMs).toBeLessThan(1_000);
    cluster.startBroker();
    client("b").thaw();
    await world.until(
      () => a.calls.at(-1) === "heartbeat" && b.calls.at(-1) === "heartbeat",
      "both are back",
    );
    await world.close();
  });

  it("fences the holder of a transaction that timed out", async () => {
    const { world, clock } = simulation(1);
    const at = { topic: await world.topic(1), partition: 0 };
    const held = await world.openTransaction("id", transaction(at, "g", "too late", 1));
    const sinceMs = clock.nowMs();
    await world.until(() => clock.nowMs() > sinceMs + 11_000, "the transaction has timed out");
    await expect(held.commit()).rejects.toMatchObject({ fenced: true });
    await world.close();
  });

  it("makes a fence wait until the last marker of an earlier commit is written", async () => {
    const { world, cluster } = simulation(2, {}, { markerDelayMsMax: 250 });
    const at = { topic: await world.topic(1), partition: 0 };
    const first = await world.shared.transactionalProducer("id");
    await first.commit(transaction(at, "g", "v", 1));
    expect(await world.shared.admin.committedOffsets("g", [at.topic])).toEqual([]);
    expect(cluster.committed(at.topic)[0]).toEqual([]);
    const second = await world.shared.transactionalProducer("id");
    await second.fence();
    expect((await world.shared.admin.committedOffsets("g", [at.topic]))[0]?.offset).toBe(1);
    expect(cluster.committed(at.topic)[0]).toHaveLength(1);
    await world.close();
  });

  it("serves the requests of one connection in the order they were sent, whatever their latency", async () => {
    for (let seed = 0; seed < 30; seed++) {
      const { world } = simulation(seed);
      const { admin } = world.connect("a");
      const created = admin.createTopics([{ name: "t", partitions: 1, configs: {} }]);
      expect(await admin.watermarks("t")).toEqual([{ low: 0, high: 0 }]);
      await created;
      await world.close();
    }
  });

  it("rebalances on demand", async () => {
    const { world, cluster } = simulation(6);
    const member = new Member(world, { instance: "a", group: "g", inputs: [await world.topic(1)], tasks: 1 });
    await member.start();
    await world.until(() => member.joins.length === 1, "joined");
    cluster.rebalance("g");
    await world.until(() => member.joins.length === 2, "joined again");
    expect(member.joins[1]?.memberId).toBe(member.joins[0]?.memberId);
    await world.close();
  });

  it("ends a consumer whose handler throws or whose assignment gives a task twice", async () => {
    const { world } = simulation(7);
    const topic = await world.topic(2);
    const assign = (members: readonly { readonly memberId: string }[]) =>
      new Map(members.map(({ memberId }) => [memberId, [0, 0]]));
    const member = new Member(world, { instance: "a", group: "g", inputs: [topic], tasks: 2, assign });
    await member.start();
    await world.until(() => member.failures.length > 0, "it has failed");
    expect(member.failures[0]?.message).toContain("assigned twice");
    await world.close();
  });

  it("refuses a record without key in a compacted topic, and compacting one that is not", async () => {
    const { world, cluster } = simulation(8);
    const compacted = await world.topic(1, { "cleanup.policy": "compact,delete" });
    const refused = world.send([{ topic: compacted, partition: 0, key: null, value: "v" }]);
    expect(isBrokerErrorOf(await refused.catch((thrown: unknown) => thrown), "INVALID_RECORD")).toBe(true);
    const plain = await world.topic(1);
    expect(() => cluster.compact(plain)).toThrow("not a compacted topic");
    await world.close();
  });
});

it("gives the failpoints inside a commit, in order, and a throw there fails it with the transaction open", async () => {
  const { world, cluster } = simulation(9);
  const at = { topic: await world.topic(1), partition: 0 };
  const seen: string[] = [];
  const client = cluster.connect("p", { onFailpoint: (name) => seen.push(name) });
  const producer = await client.transactionalProducer("id");
  await producer.commit(transaction(at, "g", "v", 1));
  expect(seen).toEqual(["after_send", "after_send_offsets", "after_commit_sent"]);
  for (const [failpoint, landed] of [
    ["after_send", 1],
    ["after_send_offsets", 1],
    ["after_commit_sent", 2],
  ] as const) {
    const onFailpoint = (name: string) => {
      if (name === failpoint) throw new Error(`failed at ${name}`);
    };
    const failing = await cluster.connect("p", { onFailpoint }).transactionalProducer("id");
    await failing.fence();
    await expect(failing.commit(transaction(at, "g", failpoint, 2))).rejects.toThrow(failpoint);
    const nowMs = client.clock.nowMs();
    await world.until(() => client.clock.nowMs() > nowMs + 100, "what was sent has arrived");
    const next = await client.transactionalProducer("id");
    await next.fence();
    expect(cluster.committed(at.topic)[0]).toHaveLength(landed);
  }
  await world.close();
});

it("kills at a failpoint: what was sent counts, nothing more is sent", async () => {
  const { world, cluster } = simulation(10);
  const at = { topic: await world.topic(1), partition: 0 };
  for (const [failpoint, landed] of [
    ["after_send", 0],
    ["after_send_offsets", 0],
    ["after_commit_sent", 1],
  ] as const) {
    const client = cluster.connect("victim", {
      onFailpoint: (name) => {
        if (name === failpoint) client.kill();
      },
    });
    let settled = false;
    const settle = () => {
      settled = true;
    };
    const producer = await client.transactionalProducer("id");
    producer.commit(transaction(at, "g", failpoint, 1)).then(settle, settle);
    await world.until(() => client.state === "killed", "killed");
    const { clock } = world.shared as typeof client;
    const nowMs = clock.nowMs();
    await world.until(() => clock.nowMs() > nowMs + 100, "what was sent has arrived");
    const next = await world.shared.transactionalProducer("id");
    await next.fence();
    expect(cluster.committed(at.topic)[0]).toHaveLength(landed);
    expect(settled).toBe(false);
  }
  await world.close();
});
