import { describe, expect, it } from "vitest";
import { asking, Bench, benchStep, counting, numbered } from "./bench.ts";

const settledWith = async (promise: Promise<unknown>): Promise<string> => {
  let state = "pending";
  promise.then(
    () => (state = "done"),
    () => (state = "failed"),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return state;
};

describe("stop", () => {
  it("lets running calls end, commits what they bring, begins nothing new, and leaves the group", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", { step: asking, limits: { callsMax: 2 } });
    await bench.seeds(["a/1", "b/1", "c/1", "a/2"]);
    await bench.until(() => life.open.length === 2, "two are asked for");
    await bench.pass(1000);
    const stopped = life.service.stop();
    await bench.seeds(["d/1"]);
    await bench.pass(2000);
    expect(await settledWith(stopped)).toBe("pending");
    expect(life.asked).toHaveLength(2);
    for (const request of life.open.slice()) request.answer();
    await bench.clock.settle(stopped, 2000);
    await bench.pass(100);
    expect(bench.urls()).toEqual(["a/1", "b/1"]);
    expect(bench.cluster.memberIds("bench")).toEqual([]);
    expect(life.asked).toHaveLength(2);
    const heir = await bench.begin("b", { step: asking });
    await bench.until(() => {
      heir.open[0]?.answer();
      return bench.outputs().length === 5;
    }, "the heir does the rest");
    expect(heir.asked.map(({ request }) => request).sort()).toEqual(["a/2", "c/1", "d/1"]);
  });

  it("ends soon although more keeps coming in", async () => {
    const bench = await Bench.open();
    const life = await bench.begin();
    await bench.pass(500);
    const writer = await bench.clock.settle(bench.user.transactionalProducer("upstream"));
    let isWriting = true;
    // Poison and markers: each batch of them would be something to commit.
    const write = (): void => {
      if (!isWriting) return;
      void writer
        .commit({
          group: "upstream",
          records: [{ topic: "crawl.seeds", partition: 0, key: "k", value: "{" }],
          offsets: [],
        })
        .then(write);
    };
    write();
    await bench.pass(2000);
    await bench.clock.settle(life.service.stop(), 1000);
    isWriting = false;
    await bench.pass(1000);
    expect(life.fatal).toEqual([]);
  });

  it("aborts at the drain limit what has not ended, and still commits that", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", { step: asking, limits: { drainMs: 3000 } });
    await bench.seeds(["a/1"]);
    await bench.until(() => life.open.length === 1, "it is asked for");
    const startedAtMs = bench.clock.nowMs();
    await bench.clock.settle(life.service.stop());
    expect(bench.clock.nowMs() - startedAtMs).toBeGreaterThanOrEqual(3000);
    expect(bench.clock.nowMs() - startedAtMs).toBeLessThan(4000);
    await bench.pass(100);
    expect(bench.urls()).toEqual(["aborted"]);
    expect(life.named("drain_limit")).toEqual([{ calls: 1 }]);
  });

  it("gives up on a call that does not even end when it is aborted", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", {
      step: asking,
      limits: { drainMs: 3000, drainGraceMs: 1000 },
      perform: () => new Promise(() => undefined),
    });
    await bench.seeds(["a/1"]);
    await bench.until(() => life.service.gauges().calls === 1, "it is asked for");
    await bench.clock.settle(life.service.stop(), 5000);
    expect(bench.outputs()).toEqual([]);
  });

  it("is one stop, however often it is asked for", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", { step: asking });
    await bench.seeds(["a/1"]);
    await bench.until(() => life.open.length === 1, "it is asked for");
    const stops = [life.service.stop(), life.service.stop()];
    await bench.pass(1000);
    expect(await Promise.all(stops.map(settledWith))).toEqual(["pending", "pending"]);
    life.open[0]?.answer();
    await bench.clock.settle(Promise.all(stops), 2000);
    await bench.clock.settle(life.service.stop(), 1);
  });

  it("ends at once before anything was joined, and after the end", async () => {
    const bench = await Bench.open();
    const life = bench.life();
    await bench.clock.settle(life.service.stop(), 100);
    const dead = await bench.begin("b", { perform: () => Promise.reject(new Error("a bug")), step: asking });
    await bench.seeds(["a/1"]);
    await bench.until(() => dead.fatal.length === 1, "it is dead");
    await bench.clock.settle(dead.service.stop(), 1000);
    expect(dead.fatal).toHaveLength(1);
  });
});

describe("destroy", () => {
  it("commits nothing more, and cuts a stop short that is under way", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", { step: asking });
    await bench.seeds(["a/1"]);
    await bench.until(() => life.open.length === 1, "it is asked for");
    await bench.pass(1000);
    const stopped = life.service.stop();
    await bench.pass(100);
    await bench.clock.settle(Promise.all([life.service.destroy(), stopped]), 1000);
    await bench.pass(3000);
    expect(bench.outputs()).toEqual([]);
    expect((await bench.offset())?.offset).toBe(0);
  });
});

describe("a bug", () => {
  it.each([
    [
      "a step that throws",
      () => {
        throw new Error("broken");
      },
      "broken",
    ],
    [
      "a record finished twice",
      (id: string) =>
        [
          { kind: "finish", id },
          { kind: "finish", id },
        ] as const,
      "finished twice",
    ],
    [
      "a call asked for twice",
      () => [1, 2].map(() => ({ kind: "call", lane: "l", callId: "c", request: "r" }) as const),
      "asked for twice",
    ],
    [
      "a topic that is not in the table",
      () => [{ kind: "send", topic: "crawl.unknown", key: "k", value: 1 }] as const,
      "no topic crawl.unknown",
    ],
    [
      "a value that is none",
      () => [{ kind: "put", key: "k", value: undefined }] as const,
      "nothing that JSON has",
    ],
  ])("(%s) ends the service once, without a commit of that turn", async (_, effects, message) => {
    const bench = await Bench.open();
    const step = benchStep((state, input, ...rest) =>
      input.kind === "record" && input.record.value.url === "bad/0"
        ? effects(input.record.id)
        : counting.step(state, input, ...rest),
    );
    const life = await bench.begin("a", { step });
    await bench.seeds(numbered("good", 3));
    await bench.until(() => bench.outputs().length === 3, "those before are counted");
    await bench.pass(1500);
    await bench.seeds(["fine/0", "bad/0", "bad/0", "fine/1"]);
    await bench.until(() => life.fatal.length > 0, "it ends");
    await bench.seeds(["bad/0"]);
    await bench.pass(5000);
    expect(life.fatal.map((error) => error.message)).toEqual([expect.stringContaining(message)]);
    expect(bench.outputs()).toHaveLength(3);
    expect((await bench.offset())?.offset).toBe(3);
  });

  it("(a rejected call) ends it as well", async () => {
    const bench = await Bench.open();
    const life = await bench.begin("a", {
      step: asking,
      perform: () => Promise.reject(new Error("unexpected")),
    });
    await bench.seeds(["a/1", "b/1"]);
    await bench.pass(1000);
    expect(life.fatal.map(({ message }) => message)).toEqual(["unexpected"]);
  });

  it("(a consumer that is dead for good) ends it as well; one that restarts goes on", async () => {
    const bench = await Bench.open();
    const life = await bench.begin();
    life.client.crashConsumers("bench", true);
    await bench.seeds(["a/1"]);
    await bench.until(() => bench.outputs().length === 1, "it goes on");
    expect(life.fatal).toEqual([]);
    life.client.crashConsumers("bench", false);
    await bench.pass(100);
    expect(life.fatal).toMatchObject([{ code: "SLUICE_CONSUMER_DEAD" }]);
  });
});
