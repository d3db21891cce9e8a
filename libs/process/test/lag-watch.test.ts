import { FakeClock, memoryBroker, serviceClock, type MemoryClient } from "@sluice/broker/memory";
import { describe, expect, test } from "vitest";
import { LagWatch } from "../src/lag-watch.ts";

const topic = "crawl.results";
const partitions = 2;

async function watched(
  groups: readonly { readonly group: string; readonly topic: string }[] = [{ group: "sink", topic }],
) {
  const clock = new FakeClock();
  const cluster = memoryBroker({ clock, seed: 1 });
  const client: MemoryClient = cluster.connect("test");
  await clock.settle(client.admin.createTopics([{ name: topic, partitions, configs: {} }]));
  const logged: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const changes: boolean[] = [];
  const watch: LagWatch = new LagWatch({
    broker: client,
    clock: serviceClock(client.clock),
    groups,
    lagMax: 100,
    everyMs: 1000,
    log: (event, fields) => logged.push({ event, fields }),
    onChanged: () => changes.push(watch.flow.has("release")),
  });
  const producer = await clock.settle(client.producer());
  const write = async (count: number, partition = 0): Promise<void> => {
    await clock.settle(
      producer.send(Array.from({ length: count }, () => ({ topic, partition, key: "k", value: "v" }))),
    );
  };
  const commits = await clock.settle(client.transactionalProducer("sink"));
  const commit = async (offset: number, partition = 0, group = "sink"): Promise<void> => {
    await clock.settle(
      commits.commit({ group, records: [], offsets: [{ topic, partition, offset, metadata: "" }] }),
    );
    await clock.advance(50);
  };
  const look = (): Promise<void> => clock.advance(1500);
  return { clock, cluster, watch, logged, changes, write, commit, look };
}

describe("the look at readers downstream", () => {
  test("holds release above the limit, and lets it go at half of it, not in between", async () => {
    const { watch, changes, logged, write, commit, look } = await watched();
    await commit(0, 0);
    await commit(0, 1);
    watch.start();
    await write(60, 0);
    await write(40, 1);
    await look();
    expect(watch.flow.get("release")).toBeUndefined();
    await write(1, 1);
    await look();
    expect(watch.flow.get("release")).toEqual({ group: "sink", topic, lag: 101 });
    await commit(50, 0);
    await look();
    expect(watch.flow.has("release")).toBe(true);
    await commit(51, 0);
    await look();
    expect(watch.flow.has("release")).toBe(false);
    expect(changes).toEqual([true, false]);
    expect(logged.map(({ event }) => event)).toEqual(["release_held", "release_resumed"]);
    await write(40, 0);
    await look();
    expect(watch.flow.has("release")).toBe(false);
    watch.stop();
  });

  test("ignores a group that never committed: it is not running", async () => {
    const { watch, changes, write, look } = await watched();
    watch.start();
    await write(5000);
    await look();
    expect(changes).toEqual([]);
    watch.stop();
  });

  test("goes by the group that lags most", async () => {
    const { watch, write, commit, look } = await watched([
      { group: "quick", topic },
      { group: "slow", topic },
      { group: "middling", topic },
    ]);
    await write(500);
    await commit(500, 0, "quick");
    await commit(10, 0, "slow");
    await commit(300, 0, "middling");
    watch.start();
    await look();
    expect(watch.flow.get("release")).toMatchObject({ group: "slow", lag: 490 });
    watch.stop();
  });

  test("says when it can't look, and goes on looking", async () => {
    const { cluster, watch, logged, write, commit, look, clock } = await watched();
    await commit(0);
    await write(200);
    cluster.stopBroker();
    watch.start();
    await clock.advance(10_000);
    expect(logged.length).toBeGreaterThanOrEqual(3);
    expect(new Set(logged.map(({ event }) => event))).toEqual(new Set(["lag_unknown"]));
    expect(watch.flow.size).toBe(0);
    cluster.startBroker();
    await look();
    await look();
    expect(watch.flow.has("release")).toBe(true);
    watch.stop();
  });

  test("is over when it is stopped, also in the middle of a look", async () => {
    const { clock, watch, changes, write, commit } = await watched();
    await commit(0);
    await write(200);
    watch.start();
    await clock.advance(1000);
    watch.stop();
    await clock.advance(20_000);
    expect(changes).toEqual([]);
    expect(watch.flow.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("does nothing where no group is to be looked at", async () => {
    const { clock, watch } = await watched([]);
    watch.start();
    expect(clock.pending).toBe(0);
  });
});
