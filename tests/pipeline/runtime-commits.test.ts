import { commitFaults } from "@sluice/broker/memory";
import { topics } from "@sluice/records";
import { failpoints, memoryStores } from "@sluice/runtime";
import { describe, expect, it } from "vitest";
import { asking, Bench, benchStep, counting, numbered, out, type Life } from "./bench.ts";

const seeds = numbered("a.example", 60);
const counted = seeds.map((url, index) => ({ url, count: index + 1 }));

describe("a transaction of the runtime", () => {
  it("holds outputs, state and offsets together", async () => {
    const bench = await Bench.open();
    const life = await bench.begin();
    await bench.seeds(seeds);
    await bench.until(() => bench.outputs().length === seeds.length, "all are counted");
    await bench.pass(500);
    expect(bench.outputs()).toEqual(counted);
    expect(bench.outputs<number>(topics.frontierState.name).at(-1)).toBe(seeds.length);
    expect((await bench.offset())?.offset).toBe(seeds.length);
    expect(life.fatal).toEqual([]);
  });

  it.each(failpoints.flatMap((name) => [1, 2, 3].map((pass) => [name, pass] as const)))(
    "loses and doubles nothing when the process dies at %s for the time no. %i",
    async (name, pass) => {
      const bench = await Bench.open();
      let left: number = pass;
      const first: Life = bench.life("a", {
        onFailpoint: (reached) => {
          if (reached !== name) return;
          left -= 1;
          if (left === 0) first.client.kill();
        },
      });
      await bench.clock.settle(first.service.start());
      for (let from = 0; from < seeds.length; from += 20) {
        await bench.seeds(seeds.slice(from, from + 20));
        await bench.pass(100);
      }
      // That point is passed once in a life; the others with each commit.
      if (name !== "after_assignment_before_fence" || pass === 1) expect(first.client.state).toBe("killed");
      else first.client.kill();
      const second = await bench.begin("a");
      await bench.until(() => bench.outputs().length >= seeds.length, "all are counted");
      await bench.pass(2000);
      expect(bench.outputs()).toEqual(counted);
      expect(second.service.states()[0]?.state.get("count")).toBe(seeds.length);
      expect((await bench.offset())?.offset).toBeGreaterThanOrEqual(seeds.length);
    },
  );

  it("spares after a restart what was finished above a stuck record", async () => {
    const bench = await Bench.open();
    const first = await bench.begin("a", { step: asking });
    await bench.seeds(numbered("stuck", 1));
    for (let host = 0; host < 40; host += 1) await bench.seeds(numbered(`h${host}`, 1));
    await bench.until(() => first.open.length === 41, "all are asked for");
    for (const request of first.open.slice()) if (request.request !== "stuck/0") request.answer();
    await bench.until(() => bench.outputs().length === 40, "the others are out");
    await bench.pass(1500);
    expect((await bench.offset())?.offset).toBe(0);
    first.client.kill();

    const second = await bench.begin("a", { step: asking });
    await bench.until(() => second.open.length > 0, "something is asked for again");
    await bench.pass(2000);
    expect(second.asked.map(({ request }) => request)).toEqual(["stuck/0"]);
    second.open[0]?.answer();
    await bench.until(() => bench.outputs().length === 41, "the last is out");
    await bench.pass(2000);
    expect((await bench.offset())?.offset).toBe(41);
    expect(new Set(bench.urls()).size).toBe(41);
  });

  it("still knows what was finished when retention has taken the stuck record", async () => {
    const bench = await Bench.open();
    const first = await bench.begin("a", { step: asking });
    await bench.seeds(["stuck/0", ...Array.from({ length: 20 }, (_, host) => `h${host}/0`)]);
    await bench.until(() => first.open.length === 21, "all are asked for");
    for (const request of first.open.slice()) if (request.request !== "stuck/0") request.answer();
    await bench.until(() => bench.outputs().length === 20, "the others are out");
    await bench.pass(1500);
    first.client.kill();
    bench.cluster.trim(topics.seeds.name, 0, 10);
    const second = await bench.begin("a", { step: asking });
    await bench.pass(3000);
    expect(second.named("offsets_lost_to_retention")).toMatchObject([{ committed: 0, low: 10 }]);
    expect(second.asked).toEqual([]);
    expect((await bench.offset())?.offset).toBe(21);
  });
});

describe("a commit that fails", () => {
  it.each(commitFaults.flatMap((fault) => [0, 1, 2].map((seed) => [fault, seed] as const)))(
    "%s: the state is what the changelog says, and nothing is twice (seed %i)",
    async (fault, seed) => {
      const bench = await Bench.open({ seed });
      const life = await bench.begin();
      await bench.seeds(seeds.slice(0, 20));
      await bench.pass(300);
      for (let from = 20; from < seeds.length; from += 20) {
        bench.cluster.faults.failNextCommit(fault, "bench-0");
        await bench.seeds(seeds.slice(from, from + 20));
        await bench.pass(5000);
      }
      await bench.until(() => bench.outputs().length >= seeds.length, "all are counted");
      await bench.pass(1000);
      expect(bench.outputs()).toEqual(counted);
      expect(life.named("commit_failed")).toHaveLength(2);
      expect(life.service.states()[0]?.state.get("count")).toBe(seeds.length);
    },
  );

  it("fences only after the group has answered again", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", { limits: { heartbeatIntervalMs: 1000 } });
    await bench.pass(500);
    const fences: number[] = [];
    const { client } = life;
    const make = client.transactionalProducer.bind(client);
    client.transactionalProducer = (id) => {
      fences.push(bench.clock.nowMs());
      return make(id);
    };
    bench.cluster.faults.failNextCommit("refused");
    await bench.seeds(seeds.slice(0, 5));
    await bench.until(() => life.named("commit_failed").length === 1, "the commit has failed");
    expect(life.service.phases()).toEqual(new Map([["waiting", 1]]));
    // No answer, no fence: however long it takes.
    bench.cluster.stopBroker();
    await bench.pass(60_000);
    expect(fences).toEqual([]);
    bench.cluster.startBroker();
    await bench.until(() => bench.outputs().length === 5, "it goes on");
    expect(fences).toHaveLength(1);
  });

  it("backs off and begins again when fencing fails, and never fences by a timer alone", async () => {
    const bench = await Bench.open();
    let refusals = 4;
    const attempts: number[] = [];
    const life = bench.life("a", {
      wrap: (client) => {
        const make = client.transactionalProducer.bind(client);
        client.transactionalProducer = async (id) => {
          attempts.push(bench.clock.nowMs());
          refusals -= 1;
          if (refusals >= 0) throw new Error("no coordinator");
          return make(id);
        };
        return client;
      },
    });
    await bench.clock.settle(life.service.start());
    await bench.until(() => attempts.length === 1, "the first attempt");
    bench.cluster.stopBroker();
    await bench.pass(30_000);
    // Without the broker there is no answer, and the task may be another's by now.
    expect(attempts).toHaveLength(1);
    bench.cluster.startBroker();
    await bench.until(() => life.service.ready, "it is ready");
    expect(attempts).toHaveLength(5);
    expect(life.named("prepare_failed")).toHaveLength(4);
    const gaps = attempts.slice(1).map((atMs, index) => atMs - (attempts[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(200);
    expect(gaps.at(-1)).toBeGreaterThanOrEqual(800);
  });
});

describe("durable state", () => {
  it("is forgotten where the changelog ends before it: the topic was made anew", async () => {
    const bench = await Bench.open();
    const stores = memoryStores();
    stores.open(0, bench.clock.nowMs()).apply([["count", "17"]], 99);
    const life = await bench.begin("a", { stores });
    expect(life.named("state_past_the_end")).toMatchObject([{ task: 0, nextOffset: 99, high: 0 }]);
    await bench.seeds(seeds.slice(0, 2));
    await bench.until(() => bench.outputs().length === 2, "both are counted");
    expect(bench.outputs().map(({ count }) => count)).toEqual([1, 2]);
  });

  it("has only the last of several changes of a key in one transaction, and deletes with null", async () => {
    const step = benchStep((state, input) => {
      if (input.kind !== "record") return [];
      state.delete("gone");
      return [
        { kind: "put", key: "gone", value: 1 },
        { kind: "put", key: "kept", value: 1 },
        { kind: "put", key: "gone", value: null },
        { kind: "put", key: "kept", value: 2 },
        { kind: "send", topic: topics.counters.name, key: "c", value: { n: 1 }, latest: true },
        { kind: "send", topic: topics.counters.name, key: "c", value: { n: 2 }, latest: true },
        { kind: "finish", id: input.record.id },
        out({ done: true }),
      ];
    });
    const bench = await Bench.open();
    const first = await bench.begin("a", { step });
    await bench.seeds(["x/1"]);
    await bench.until(() => bench.outputs().length === 1, "it is done");
    await bench.pass(100);
    expect(bench.outputs(topics.counters.name)).toEqual([{ n: 2 }]);
    first.client.kill();
    const second = await bench.begin("a", {
      step: { ...counting, load: (entries) => new Map(entries.all("")) },
    });
    expect([...(second.service.states()[0]?.state ?? [])]).toEqual([["kept", 2]]);
  });
});
