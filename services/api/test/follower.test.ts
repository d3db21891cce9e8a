import { serviceClock } from "@sluice/broker/memory";
import { partitionOf, topics } from "@sluice/records";
import type { Broker, TailOptions } from "@sluice/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Follower, type FollowerOptions } from "../src/follower.ts";
import { apiWorld, crawledEvent, eventRecord, layout, type ApiWorld } from "./api-world.ts";

const job = "followed";
const partition = partitionOf(job, layout.partitions);
const topic = layout.prefix + topics.events.name;
const long = "x".repeat(50_000);

let world: ApiWorld;
beforeEach(async () => {
  world = await apiWorld();
});
afterEach(() => world.close());

/** A broker whose tails fail for good after their first batch with records, `times` times over. */
function failing(times: number, onOpen: () => void = () => undefined): Broker {
  let left = times;
  return Object.assign(Object.create(world.broker) as Broker, {
    tail: async (options: TailOptions) => {
      onOpen();
      let over = false;
      const tail = await world.broker.tail({
        ...options,
        onBatch: (batch) => {
          if (over) return;
          options.onBatch(batch);
          if (batch.records.length === 0 || left === 0) return;
          left -= 1;
          over = true;
          options.onFailed(new Error("gone"), false);
        },
      });
      return tail;
    },
  });
}

function follower(broker: Broker, from: "low" | "high", more: Partial<FollowerOptions> = {}) {
  const offsets: number[] = [];
  const follows = new Follower({
    broker,
    clock: serviceClock(world.clock),
    topics: [topic],
    from,
    onBatch: (batch) => {
      if (batch.partition === partition) offsets.push(...batch.records.map(({ offset }) => offset));
    },
    onTrouble: () => undefined,
    ...more,
  });
  return { follows, offsets };
}

const write = (title = ""): Promise<void> => world.write([eventRecord(crawledEvent(job, 1, 1, title))]);
const committed = () => (world.cluster.committed(topic)[partition] ?? []).map(({ offset }) => offset);

describe("a follower", () => {
  it("goes on right where it was when its reader fails for good, also in the middle of what is there", async () => {
    for (let number = 0; number < 60; number += 1) await write(long);
    let opened = 0;
    const { follows, offsets } = follower(
      failing(2, () => (opened += 1)),
      "low",
    );
    await follows.open();
    expect(await follows.caughtUp(topic, 60_000)).toBe(true);
    expect(offsets).toEqual(committed());
    expect(opened).toBe(3);
    expect(follows.following).toBe(true);
    await follows.close();
  });

  it("from the end, it is given what comes and nothing that was there", async () => {
    await write();
    const { follows, offsets } = follower(world.broker, "high");
    await follows.open();
    await write();
    expect(await follows.caughtUp(topic, 60_000, partition)).toBe(true);
    expect(offsets).toEqual(committed().slice(1));
    await follows.close();
  });

  it("says in time that it has not caught up, and catches up with marker-only ends", async () => {
    const { follows } = follower(world.broker, "low");
    await follows.open();
    await write();
    const held = await world.cluster
      .connect("hung")
      .openTransaction("hung", { group: "g", records: [eventRecord(crawledEvent(job, 1, 2))], offsets: [] });
    expect(await follows.caughtUp(topic, 300, partition)).toBe(false);
    await held.commit();
    expect(await follows.caughtUp(topic, 60_000, partition)).toBe(true);
    await follows.close();
  });

  it("says which offsets retention has taken while it was away", async () => {
    await write();
    const gaps: unknown[] = [];
    const { follows, offsets } = follower(failing(1), "low", { onGap: (...gap) => gaps.push(gap) });
    await follows.open();
    await world.until(() => offsets.length === 1);
    const [seen = 0] = offsets;
    for (let number = 0; number < 4; number += 1) await write();
    const low = committed()[3] ?? 0;
    world.cluster.trim(topic, partition, low);
    await world.until(() => offsets.length === 3);
    expect(gaps).toEqual([[topic, partition, expect.any(Number), low - 1]]);
    expect((gaps[0] as number[])[2]).toBeGreaterThan(seen);
    expect(offsets.slice(1)).toEqual(committed());
    await follows.close();
  });
});
