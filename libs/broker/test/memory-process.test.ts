import { expect, it } from "vitest";
import { Member } from "../src/conformance/member.ts";
import { simulation } from "./memory-simulation.ts";

async function twoMembers(seed: number) {
  const { world, cluster, clock, client } = simulation(seed);
  const topic = await world.topic(2);
  const options = { group: "g", inputs: [topic], tasks: 2 };
  const [a, b] = ["a", "b"].map(
    (instance) => new Member(world, { ...options, instance, client: client(instance) }),
  ) as [Member, Member];
  await a.start();
  await b.start();
  await world.until(() => a.tasks.length === 1 && b.tasks.length === 1, "both have a task");
  const passed = (ms: number) => {
    const untilMs = clock.nowMs() + ms;
    return world.until(() => clock.nowMs() >= untilMs, `${ms} ms have passed`);
  };
  return { world, cluster, clock, client, topic, a, b, passed };
}

it("a killed process hears and sends nothing more, and its tasks move when its session has timed out", async () => {
  const { world, cluster, clock, client, topic, a, b } = await twoMembers(1);
  for (const member of [a, b]) member.read({ topic, partition: member.tasks[0] ?? -1 }, 0);
  const producer = await client("b").producer();
  let settled = false;
  const settle = () => {
    settled = true;
  };
  client("b").kill();
  producer.send([{ topic, partition: 0, key: "k", value: "from the grave" }]).then(settle, settle);
  const killedAtMs = clock.nowMs();
  const calls = b.calls.length;
  await world.send([0, 1].map((partition) => ({ topic, partition, key: "k", value: "v" })));
  await world.until(() => a.tasks.length === 2, "a has both tasks");
  expect(clock.nowMs() - killedAtMs).toBeGreaterThan(5_000);
  expect(clock.nowMs() - killedAtMs).toBeLessThan(8_000);
  expect(b.calls).toHaveLength(calls);
  expect(settled).toBe(false);
  expect(cluster.committed(topic).flat()).toHaveLength(2);
  await world.close();
});

it("a process frozen for less than its session goes on as if nothing had been", async () => {
  const { world, client, topic, a, b, passed } = await twoMembers(2);
  const at = { topic, partition: b.tasks[0] ?? -1 };
  b.read(at, 0);
  await passed(300);
  const joins = [a.joins.length, b.joins.length];
  client("b").freeze();
  await world.send([{ ...at, key: "k", value: "v" }]);
  const calls = b.calls.length;
  await passed(4_000);
  expect(b.calls).toHaveLength(calls);
  client("b").thaw();
  await world.until(() => b.position(at) === 1, "read after waking");
  await passed(2_000);
  expect([a.joins.length, b.joins.length]).toEqual(joins);
  await world.close();
});

it("a process frozen for longer wakes as a zombie: it reads on until it learns, and its commit is refused", async () => {
  const { world, cluster, client, topic, a, b, passed } = await twoMembers(3);
  const at = { topic, partition: b.tasks[0] ?? -1 };
  const zombie = await client("b").transactionalProducer("id");
  await zombie.fence();
  b.read(at, 0);
  await passed(300);
  client("b").freeze();
  await world.send([{ ...at, key: "k", value: "v" }]);
  await world.until(() => a.tasks.length === 2, "a has both tasks");
  const owner = await client("a").transactionalProducer("id");
  await owner.fence();
  const commit = zombie.commit({ group: "g", records: [{ ...at, key: "k", value: "zombie" }], offsets: [] });
  const refused = expect(commit).rejects.toMatchObject({ fenced: true });
  const turns = b.calls.length;
  const joins = b.joins.length;
  client("b").thaw();
  await refused;
  await world.until(() => b.joins.length > joins, "the zombie has joined again");
  const after = b.calls.slice(turns);
  expect(after).toContain("batch");
  expect(after.indexOf("batch")).toBeLessThan(after.indexOf("rebalancing"));
  expect(b.joins.at(-1)?.memberId).not.toBe(b.joins[0]?.memberId);
  expect(
    cluster
      .committed(topic)
      .flat()
      .map(({ value }) => value?.toString()),
  ).toEqual(["v"]);
  await world.close();
});

it("timers of a client's clock stand still while it is frozen, fire in order when it wakes, and die with it", async () => {
  const { clock, client, world, passed } = await twoMembers(4);
  const process = client("p");
  const fired: string[] = [];
  const set = (ms: number, name: string) =>
    process.clock.setTimer(clock.nowMs() + ms, () => fired.push(name));
  set(10, "first");
  set(20, "second");
  const cancel = set(30, "cancelled while it was held");
  set(500, "after waking");
  process.freeze();
  await passed(100);
  expect(fired).toEqual([]);
  expect(process.clock.nowMs()).toBe(clock.nowMs());
  cancel();
  process.thaw();
  await passed(10);
  expect(fired).toEqual(["first", "second"]);
  await passed(500);
  expect(fired).toEqual(["first", "second", "after waking"]);
  set(10, "never");
  process.kill();
  process.thaw();
  await passed(100);
  expect(fired).toHaveLength(3);
  await world.close();
});
