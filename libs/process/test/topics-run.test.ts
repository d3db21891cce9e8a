import { FakeClock, memoryBroker, serviceClock } from "@sluice/broker/memory";
import { defaultLayout } from "@sluice/records";
import { describe, expect, test } from "vitest";
import { topicSpecs } from "../src/topic-setup.ts";
import { topicsCommand } from "../src/topics-command.ts";
import { runTopics, type TopicsAction } from "../src/topics-run.ts";

const layout = { ...defaultLayout, prefix: "team-a.", partitions: 3 };
const specs = topicSpecs(layout);

function world() {
  const clock = new FakeClock();
  const broker = memoryBroker({ clock, seed: 1 }).connect("test");
  const said: string[] = [];
  const run = (action: TopicsAction, limitMs?: number): Promise<boolean> =>
    runTopics({
      broker,
      layout,
      action,
      clock: serviceClock(clock),
      say: (line) => said.push(line),
      ...(limitMs === undefined ? {} : { limitMs }),
    });
  return { clock, broker, said, run };
}

const right = `${specs.length} topics are as they have to be`;

describe("the topics on their own", () => {
  test("create makes each missing one, names it, and makes none a second time", async () => {
    const { clock, broker, said, run } = world();
    expect(await clock.settle(run("create"))).toBe(true);
    expect(said).toEqual([...specs.map(({ name }) => `${name}: created`), right]);
    expect(await clock.settle(broker.admin.topicDrift(specs))).toEqual([]);
    said.length = 0;
    expect(await clock.settle(run("create"))).toBe(true);
    expect(said).toEqual([right]);
  });

  test("check creates nothing and tells each difference", async () => {
    const { clock, broker, said, run } = world();
    expect(await clock.settle(run("check"))).toBe(false);
    expect(said).toHaveLength(1);
    expect(said[0]?.split("\n")).toEqual(
      specs.map(({ name }) => `${name}: existence is absent, not present`),
    );
    await clock.settle(broker.admin.createTopics(specs.map((spec) => ({ ...spec, partitions: 4 }))));
    expect(await clock.settle(run("check"))).toBe(false);
    expect(said[1]).toContain("team-a.crawl.seeds: partitions is 4, not 3");
  });

  test("create never changes a topic that differs, and says so", async () => {
    const { clock, broker, said, run } = world();
    const [first] = specs;
    if (first === undefined) throw new Error("no topics");
    await clock.settle(broker.admin.createTopics([{ ...first, partitions: 4 }]));
    expect(await clock.settle(run("create"))).toBe(false);
    expect(said.at(-1)).toBe(`${first.name}: partitions is 4, not 3`);
    expect(await clock.settle(broker.admin.watermarks(first.name))).toHaveLength(4);
  });

  test("wait goes on when others have made the topics, telling a difference once", async () => {
    const { clock, broker, said, run } = world();
    const startMs = clock.nowMs();
    const waiting = run("wait");
    serviceClock(clock).after(9_000, () => void broker.admin.createTopics(specs));
    expect(await clock.settle(waiting)).toBe(true);
    expect(clock.nowMs() - startMs).toBeGreaterThanOrEqual(9_000);
    expect(said).toHaveLength(2);
    expect(said[1]).toBe(right);
  });

  test("wait gives up after its limit", async () => {
    const { clock, run } = world();
    const startMs = clock.nowMs();
    expect(await clock.settle(run("wait", 60_000))).toBe(false);
    expect(clock.nowMs() - startMs).toBeGreaterThanOrEqual(60_000);
    expect(clock.nowMs() - startMs).toBeLessThan(70_000);
  });

  test("an action that there is not, and a setting that is wrong, are named before anything is connected", async () => {
    const say = (): void => {};
    await expect(topicsCommand("delete", { KAFKA_BROKERS: "127.0.0.1:1" }, say)).rejects.toMatchObject({
      code: "SLUICE_CONFIG_INVALID",
      message: '"delete" is none of create, check, wait',
    });
    await expect(topicsCommand("check", {}, say)).rejects.toMatchObject({ field: "KAFKA_BROKERS" });
  });
});
