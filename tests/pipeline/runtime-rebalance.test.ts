import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readinessChecks } from "@sluice/process";
import { topics } from "@sluice/records";
import {
  diskStores,
  memoryStores,
  type GroupHandlers,
  type MemberClaim,
  type StateStores,
} from "@sluice/runtime";
import type { MemoryClient } from "@sluice/broker/memory";
import { describe, expect, it, onTestFinished } from "vitest";
import { asking, Bench, benchStep, numbered, type Life } from "./bench.ts";

const taskOf = (id: string): number => Number(id.split("/")[1]);
const tasksOf = (life: Life): number[] =>
  life.service
    .states()
    .map(({ task }) => task)
    .sort();

/** Records counted in all. */
const total = (bench: Bench): number => bench.outputs().length;

/** Holds back what the client tells the service, to make several things happen within one turn. */
function handlersOf(client: MemoryClient, taken: (handlers: GroupHandlers) => void): MemoryClient {
  const make = client.groupConsumer.bind(client);
  client.groupConsumer = (options) => {
    const consumer = make(options);
    const start = consumer.start.bind(consumer);
    consumer.start = (handlers) => {
      taken(handlers);
      return start(handlers);
    };
    return consumer;
  };
  return client;
}

describe("a rebalance", () => {
  it("leaves kept tasks their lanes and calls, and aborts those of lost ones at once", async () => {
    const bench = await Bench.open({ partitions: 4 });
    const first = await bench.begin("a", { step: asking });
    for (let partition = 0; partition < 4; partition += 1)
      await bench.seeds(["h/1", "h/2", "i/1"], partition);
    await bench.until(() => first.open.length === 8, "two of each are asked for");
    const before = [...first.asked];
    const second = await bench.begin("b", { step: asking });
    await bench.until(
      () => tasksOf(first).length === 2 && tasksOf(second).length === 2 && second.open.length === 4,
      "each has two",
    );
    const kept = new Set(tasksOf(first));
    expect(before.filter(({ signal }) => signal.aborted)).toHaveLength(4);
    expect(first.open).toHaveLength(4);
    expect(first.asked).toHaveLength(8);
    await bench.pass(100);
    expect(first.counts.get("staleSettle")).toBe(4);
    const settled = (life: Life): string[] =>
      life.inputs.flatMap(({ input }) => (input.kind === "settled" ? [input.callId] : []));
    expect(settled(first)).toEqual([]);
    // Each record of a kept task is asked for once, and its second one only after the first.
    while (first.open.length + second.open.length > 0) {
      for (const life of [first, second]) life.open[0]?.answer();
      await bench.pass(50);
    }
    await bench.pass(2000);
    expect(first.asked).toHaveLength(8 + 2);
    expect(second.asked).toHaveLength(6);
    expect(settled(first).every((id) => kept.has(taskOf(id)))).toBe(true);
    expect(bench.outputs()).toHaveLength(12);
    for (let partition = 0; partition < 4; partition += 1)
      expect((await bench.offset(partition))?.offset).toBe(3);
  });

  it("leaves positions ours: nothing is read twice and nothing missed, however often it comes", async () => {
    const bench = await Bench.open({
      seed: 7,
      partitions: 2,
      faults: { fetchTwice: 0.3, fetchDelayed: 0.3, lateBatch: 1 },
    });
    const life = await bench.begin();
    for (let round = 0; round < 30; round += 1) {
      await bench.seeds(numbered(`r${round}`, 10), round % 2);
      bench.cluster.rebalance("bench");
      await bench.pass(round * 7);
    }
    await bench.until(() => bench.outputs().length === 300, "all are counted");
    for (const task of [0, 1])
      expect(
        life.service
          .states()
          .find((each) => each.task === task)
          ?.state.get("count"),
      ).toBe(150);
    expect(life.named("joined").length).toBeGreaterThan(10);
    expect(life.named("joined").at(-1)).toMatchObject({ lost: 0, fresh: 0 });
    expect(life.counts.get("staleBatch")).toBeGreaterThan(0);
    expect(life.fatal).toEqual([]);
  });

  it("can come in the middle of fencing and restoring, again and again", async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const bench = await Bench.open({ seed, partitions: 4, latency: { minMs: 1, maxMs: 20 } });
      for (let partition = 0; partition < 4; partition += 1) await bench.seeds(numbered("a", 20), partition);
      const old = await bench.begin("a");
      await bench.until(() => bench.outputs().length === 80, "all are counted");
      await bench.pass(1500);
      old.client.kill();
      const lives = [bench.life("b"), bench.life("c"), bench.life("d")];
      for (const [index, life] of lives.entries()) {
        await bench.clock.settle(life.service.start());
        await bench.pass(seed * 3 + index * 11);
        bench.cluster.rebalance("bench");
      }
      for (let partition = 0; partition < 4; partition += 1) await bench.seeds(numbered("b", 20), partition);
      await bench.until(() => bench.outputs().length >= 160, `all are counted (seed ${seed})`);
      await bench.pass(3000);
      const counts = bench
        .outputs()
        .map(({ count }) => count)
        .sort((a, b) => a - b);
      expect(counts, `seed ${seed}`).toEqual(
        Array.from({ length: 160 }, (_, index) => Math.floor(index / 4) + 1),
      );
      for (const life of lives) expect(life.fatal, `seed ${seed}`).toEqual([]);
    }
  });

  it("may find a batch of a lost partition in the same turn: nothing is sought where nothing is ours", async () => {
    const bench = await Bench.open({ partitions: 2 });
    const life = await bench.begin("a", {
      wrap: (client) => {
        const make = client.groupConsumer.bind(client);
        client.groupConsumer = (options) => {
          const consumer = make(options);
          const start = consumer.start.bind(consumer);
          consumer.start = (handlers) =>
            start({
              ...handlers,
              onJoined: (join) => {
                for (const partition of [0, 1]) {
                  handlers.onBatch({
                    topic: topics.seeds.name,
                    partition,
                    records: [],
                    fromOffset: 77,
                    nextOffset: 78,
                    highWatermark: 78,
                  });
                }
                handlers.onJoined(join);
              },
            });
          return consumer;
        };
        return client;
      },
    });
    const other = await bench.begin("b");
    await bench.until(() => tasksOf(life).length === 1 && tasksOf(other).length === 1, "each has one");
    for (const partition of [0, 1]) await bench.seeds(numbered("a", 3), partition);
    await bench.until(() => bench.outputs().length === 6, "all are counted");
    expect(life.fatal).toEqual([]);
  });

  it("whose assignment was never seen gives the task up: another may have had it", async () => {
    const bench = await Bench.open();
    const taken: { handlers?: GroupHandlers } = {};
    const life = await bench.begin("a", {
      step: asking,
      wrap: (client) => handlersOf(client, (handlers) => Object.assign(taken, { handlers })),
    });
    await bench.seeds(["a/1"]);
    await bench.until(() => life.open.length === 1, "it is asked for");
    const [memberId = ""] = bench.cluster.memberIds("bench");
    taken.handlers?.onJoined({ memberId, generation: 2, tasks: [0] });
    await bench.pass(100);
    expect(life.open).toHaveLength(1);
    expect(life.named("joined").at(-1)).toMatchObject({ kept: 1, lost: 0 });
    taken.handlers?.onJoined({ memberId, generation: 4, tasks: [0] });
    await bench.pass(100);
    expect(life.named("joined").at(-1)).toMatchObject({ kept: 0, lost: 1, fresh: 1 });
    expect(life.asked[0]?.signal.aborted).toBe(true);
    await bench.until(() => life.open.length === 1, "it is asked for anew");
    expect(life.fatal).toEqual([]);
  });

  it("that brings a task back finds what was committed meanwhile, and nothing that was not", async () => {
    const bench = await Bench.open({ partitions: 2 });
    const stores = memoryStores();
    const first = await bench.begin("a", { stores });
    for (const partition of [0, 1]) await bench.seeds(numbered("a", 10), partition);
    await bench.until(() => bench.outputs().length === 20, "all are counted");
    await bench.pass(1500);
    const second = await bench.begin("b");
    const [moved = -1] = tasksOf(second);
    // What b does not commit must not be seen either.
    bench.cluster.faults.failNextCommit("refused", `bench-${moved}`);
    await bench.seeds(numbered("b", 5), moved);
    await bench.until(() => second.named("commit_failed").length === 1, "a commit of b failed");
    second.client.kill();
    await bench.until(
      () => tasksOf(first).length === 2 && bench.outputs().length === 25,
      "it is back",
      30_000,
    );
    await bench.pass(500);
    expect(
      first.service
        .states()
        .map(({ state }) => state.get("count"))
        .sort(),
    ).toEqual([10, 15]);
    expect(
      bench
        .outputs()
        .map(({ count }) => count)
        .filter((count) => count > 10),
    ).toEqual([11, 12, 13, 14, 15]);
    expect(bench.outputs<number>(topics.frontierState.name, moved).at(-1)).toBe(15);
  });

  it("brings tasks back to the instance that has their state, which reads only what came since and tells how far it is", async () => {
    const bench = await Bench.open({ partitions: 4, latency: { minMs: 5, maxMs: 20 } });
    const root = mkdtempSync(join(tmpdir(), "sluice-rebalance-"));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    const storesOf = (instance: string): StateStores =>
      diskStores({ dir: root, instance, nowMs: () => bench.clock.nowMs(), onEvent: () => undefined });
    const limits = { partitionBytesMax: 100 };
    const first = await bench.begin("b", { stores: storesOf("b"), limits });
    for (const partition of [0, 1, 2, 3]) await bench.seeds(numbered("a", 20), partition);
    await bench.until(() => total(bench) === 80, "all are counted");
    // b keeps the first two tasks. Whoever has all and knows of no state elsewhere would keep these, too.
    const other = await bench.begin("a", { stores: storesOf("a"), limits });
    await bench.until(() => tasksOf(first).length === 2 && tasksOf(other).length === 2, "each has two");
    const had = tasksOf(first);
    await bench.clock.settle(first.service.stop());
    for (const task of tasksOf(other)) rmSync(join(root, "b", `task-${task}.db`));
    await bench.until(() => tasksOf(other).length === 4, "the other has all");
    const whole = Object.fromEntries(
      other.named("task_running").map(({ task, readFrom, readTo }) => [task, [readFrom, readTo]]),
    );
    for (const task of had) expect(whole[task]).toEqual([0, expect.any(Number)]);
    for (const partition of [0, 1, 2, 3]) await bench.seeds(numbered("b", 20), partition);
    await bench.until(() => total(bench) === 160, "all are counted");
    await bench.pass(2000);

    const again = bench.life("b", { stores: storesOf("b"), limits });
    await bench.clock.settle(again.service.start());
    const told = new Set<string>();
    await bench.until(() => {
      const { restore } = again.service.figures();
      if (restore.target > 0) {
        told.add(`${restore.read} of ${restore.target}`);
        expect(readinessChecks(again.service)["tasks"]).toMatchObject({
          ok: false,
          detail: expect.stringContaining(`changelog ${restore.read} of ${restore.target}`) as string,
        });
      }
      return again.service.ready && tasksOf(again).length === 2;
    }, "it runs again");
    expect(tasksOf(again)).toEqual(had);
    expect(told.size).toBeGreaterThan(3);
    for (const { task, readFrom, readTo } of again.named("task_running")) {
      const [, stood] = whole[Number(task)] ?? [];
      // The one that took over has left a marker when it fenced.
      expect(Number(readFrom)).toBe(Number(stood) - 1);
      expect(Number(readTo)).toBeGreaterThan(Number(stood));
    }
    expect(readinessChecks(again.service)["tasks"]?.ok).toBe(true);
    expect(again.service.states().map(({ state }) => state.get("count"))).toEqual([40, 40]);
  });

  it("that brings a task back hours later does not trust a state older than the tombstones", async () => {
    const bench = await Bench.open();
    const stores = memoryStores();
    const step = benchStep((state, input) => {
      if (input.kind !== "record") return [];
      const { url } = input.record.value;
      if (url === "drop/0") state.delete("entry");
      else state.set("entry", 1);
      return [
        { kind: "put", key: "entry", value: state.get("entry") ?? null },
        { kind: "put", key: "last", value: url },
        { kind: "finish", id: input.record.id },
      ];
    });
    const first = await bench.begin("a", { step, stores });
    await bench.seeds(["put/0"]);
    await bench.pass(2000);
    await bench.clock.settle(first.service.stop());
    const second = await bench.begin("b", { step });
    await bench.seeds(["drop/0"]);
    // More than a state is kept for.
    await bench.pass(13 * 3_600_000);
    await bench.clock.settle(second.service.stop());
    bench.cluster.compact(topics.frontierState.name, { dropTombstones: true });
    const third = await bench.begin("a", { step, stores });
    expect([...(third.service.states()[0]?.state ?? [])]).toEqual([["last", "drop/0"]]);
  });
});

describe("a process that was stopped for longer than its session", () => {
  it("starts no call before the group has answered anew, is fenced, joins again and goes on", async () => {
    const bench = await Bench.open({ latency: { minMs: 20, maxMs: 20 } });
    const zombie = await bench.begin("a", { step: asking });
    await bench.seeds(["a/1", "a/2", "a/3"]);
    await bench.until(() => zombie.open.length === 1, "the first is asked for");
    zombie.client.freeze();
    await bench.pass(4000);
    const heir = await bench.begin("b", { step: asking });
    await bench.until(() => heir.open.length === 1, "the other has it");
    // Its answer lay there all the time.
    zombie.open[0]?.answer();
    zombie.client.thaw();
    const thawedAtMs = bench.clock.nowMs();
    await bench.until(() => zombie.named("joined").length === 2, "it has joined again");
    expect(zombie.asked).toHaveLength(1);
    expect(zombie.named("commit_failed").every(({ fenced }) => fenced === true)).toBe(true);
    expect(bench.clock.nowMs()).toBeGreaterThan(thawedAtMs);
    await bench.until(() => {
      for (const life of [zombie, heir]) life.open[0]?.answer();
      return bench.outputs().length === 3;
    }, "all are asked for");
    await bench.pass(3000);
    expect(bench.urls()).toEqual(["a/1", "a/2", "a/3"]);
    for (const life of [zombie, heir]) expect(life.fatal).toEqual([]);
  });

  it("does not take an answer for new that lay in its socket while it was stopped", async () => {
    const bench = await Bench.open({ latency: { minMs: 50, maxMs: 50 } });
    const zombie = await bench.begin("a", { step: asking, limits: { callsMax: 1 } });
    await bench.pass(1000);
    await bench.seeds(["a/1", "b/1"]);
    await bench.until(() => zombie.open.length === 1, "one is asked for");
    for (let offsetMs = 0; offsetMs < 400; offsetMs += 20) {
      const [asked] = zombie.open;
      if (offsetMs === 0) await bench.pass(1000);
      else await bench.seeds([`c${offsetMs}/1`]);
      await bench.pass(500 + offsetMs);
      const before = zombie.asked.length;
      const joins = zombie.named("joined").length;
      zombie.client.freeze();
      // The slot is free when it wakes, and a call waits for it.
      asked?.answer();
      await bench.pass(10_000);
      zombie.client.thaw();
      await bench.until(() => zombie.named("joined").length > joins, "it joins again");
      expect(zombie.asked.length, `frozen at ${offsetMs}`).toBe(before);
      await bench.until(() => zombie.open.length > 0, "it goes on");
    }
    expect(zombie.counts.get("callsWithheld")).toBeGreaterThan(0);
  });

  it("claims its tasks as of the time when it last heard from the group", async () => {
    const bench = await Bench.open();
    const taken: { claim?: () => MemberClaim } = {};
    const zombie = await bench.begin("a", {
      wrap: (client) => {
        const make = client.groupConsumer.bind(client);
        client.groupConsumer = (options) => {
          taken.claim = options.claim;
          return make(options);
        };
        return client;
      },
    });
    await bench.pass(2000);
    const frozenAtMs = bench.clock.nowMs();
    zombie.client.freeze();
    await bench.pass(60_000);
    const claim = taken.claim?.();
    expect(claim?.owned).toEqual([0]);
    expect(claim?.heardAtMs).toBeLessThanOrEqual(frozenAtMs);
    expect(claim?.heardAtMs).toBeGreaterThan(frozenAtMs - 1000);
  });
});
