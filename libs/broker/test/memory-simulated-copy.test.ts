import { describe, expect, it } from "vitest";
import { type FaultRates, seededRandom } from "../src/memory.ts";
import { Copier } from "./memory-copier.ts";
import { simulation } from "./memory-simulation.ts";

const tasks = 3;
const perPartition = 40;
const faults: Partial<FaultRates> = { commit: 0.05, fetchTwice: 0.1, fetchDelayed: 0.1, lateBatch: 0.5 };

/** Copies a topic with two workers while processes die, freeze and wake and the broker comes and goes. */
async function copyUnderFaults(seed: number) {
  const { world, cluster, clock } = simulation(seed, faults);
  const random = seededRandom(seed).fork("events");
  const [from, to] = [await world.topic(tasks), await world.topic(tasks)];
  const copiers: Copier[] = [];
  let started = 0;
  const start = async () => {
    const client = cluster.connect(`copier${started++}`);
    const copier = new Copier({ client, group: "copy", from, to, tasks });
    copiers.push(copier);
    await copier.start();
  };
  const passed = (ms: number) =>
    new Promise<void>((resolve) => {
      clock.setTimer(clock.nowMs() + ms, resolve);
    });
  await start();
  await start();
  for (let n = 0; n < perPartition; n++) {
    await world.send(
      Array.from({ length: tasks }, (_, partition) => ({
        topic: from,
        partition,
        key: `${n}`,
        value: `${n}`,
      })),
    );
    const victim = copiers[random.between(0, copiers.length - 1)];
    const event = random.between(0, 11);
    if (victim?.client.state === "running" && event === 0) {
      victim.client.kill();
      await start();
    } else if (victim?.client.state === "running" && event === 1) {
      const { client } = victim;
      client.freeze();
      clock.setTimer(clock.nowMs() + random.between(100, 9_000), () => client.thaw());
    } else if (event === 2) {
      cluster.outage(random.between(50, 250));
    } else if (event === 3) cluster.rebalance("copy");
    await passed(random.between(0, 400));
  }
  await world.until(
    () => cluster.committed(to).every((records) => records.length >= perPartition),
    "everything is copied",
  );
  // A zombie that still sleeps gets its chance to write something twice.
  await passed(15_000);
  const copied = cluster.committed(to).map((records) => records.map(({ value }) => Number(value)));
  const result = { copied, hash: cluster.trace.hash, lines: cluster.trace.lines };
  await world.broker.close();
  return result;
}

describe("a copy in transactions on the simulated cluster", () => {
  it("has everything once and in order, whatever dies, freezes, wakes or fails", async () => {
    const expected = Array.from({ length: tasks }, () => Array.from({ length: perPartition }, (_, n) => n));
    for (let seed = 0; seed < 40; seed++) {
      const { copied } = await copyUnderFaults(seed);
      expect(copied, `seed ${seed}`).toEqual(expected);
    }
  });

  it("leaves the same trace a hundred times for the same seed, and another one for another seed", async () => {
    const first = await copyUnderFaults(4_711);
    expect(first.lines).toBeGreaterThan(200);
    for (let run = 0; run < 100; run++) expect((await copyUnderFaults(4_711)).hash).toBe(first.hash);
    expect((await copyUnderFaults(4_712)).hash).not.toBe(first.hash);
  });

  it("leaves another trace where a record differs, though nothing else does", async () => {
    const hashes = new Set<string>();
    for (const value of ["a", "b"]) {
      const { world, cluster } = simulation(1);
      const topic = await world.topic(1);
      await world.send([{ topic, partition: 0, key: "k", value }]);
      hashes.add(cluster.trace.hash);
      await world.close();
    }
    expect(hashes.size).toBe(2);
  });
});
