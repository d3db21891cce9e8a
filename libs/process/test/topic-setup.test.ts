import { FakeClock, memoryBroker } from "@sluice/broker/memory";
import { topics, topicsOf, type TopicLayout } from "@sluice/records";
import { describe, expect, test } from "vitest";
import { createTopics, prepareTopics, topicSpecs } from "../src/topic-setup.ts";

const layout: TopicLayout = {
  prefix: "team-a.",
  partitions: 5,
  politenessKey: "host",
  retentionMs: 60_000,
  replicationFactor: 3,
};

function cluster() {
  const clock = new FakeClock();
  return { clock, client: memoryBroker({ clock, seed: 1 }).connect("test") };
}

describe("topics of a cluster", () => {
  test("are those of the table, by the layout", () => {
    const specs = topicSpecs(layout);
    expect(specs).toHaveLength(topicsOf(layout).length);
    expect(
      specs.every(
        ({ name, replicationFactor }) => name.startsWith("team-a.crawl.") && replicationFactor === 3,
      ),
    ).toBe(true);
    expect(specs.find(({ name }) => name === "team-a.crawl.links")).toMatchObject({
      partitions: 5,
      configs: { "cleanup.policy": "delete", "retention.ms": "60000" },
    });
    expect(specs.find(({ name }) => name === "team-a.crawl.links.dlq")?.partitions).toBe(1);
    expect(topicSpecs({ ...layout, replicationFactor: null })[0]).not.toHaveProperty("replicationFactor");
  });

  test("are created where they are missing, and then accepted as they are", async () => {
    const { clock, client } = cluster();
    await clock.settle(prepareTopics(client, layout, true));
    await clock.settle(prepareTopics(client, layout, false));
    expect(await clock.settle(client.admin.topicDrift(topicSpecs(layout)))).toEqual([]);
  });

  test("are refused where they are missing and may not be created", async () => {
    const { clock, client } = cluster();
    await expect(clock.settle(prepareTopics(client, layout, false))).rejects.toMatchObject({
      code: "SLUICE_TOPIC_DRIFT",
      message: expect.stringContaining("team-a.crawl.seeds: existence is absent, not present"),
    });
  });

  test("are refused where a process is set to another politeness key than they were made with, and stay as they are", async () => {
    const grouped: TopicLayout = { ...layout, politenessKey: "registrable-domain" };
    const mark = `team-a.${topics.registrableDomains.name}`;
    expect(topicSpecs(grouped)).toHaveLength(topicSpecs(layout).length + 1);
    for (const [made, other] of [
      [layout, grouped],
      [grouped, layout],
    ] as const) {
      const { clock, client } = cluster();
      await clock.settle(prepareTopics(client, made, true));
      for (const create of [true, false])
        await expect(clock.settle(prepareTopics(client, other, create))).rejects.toMatchObject({
          code: "SLUICE_TOPIC_DRIFT",
          message: `team-a.crawl.links: SLUICE_POLITENESS_KEY is ${made.politenessKey}, not ${other.politenessKey}`,
        });
      expect(await clock.settle(createTopics(client, other))).toEqual([]);
      await clock.settle(prepareTopics(client, made, false));
      const marks = await clock.settle(client.admin.topicDrift([{ name: mark, partitions: 1, configs: {} }]));
      expect(marks.some(({ setting }) => setting === "existence")).toBe(made === layout);
    }
  });

  test("are refused, never changed, where they differ: one line for each difference", async () => {
    const { clock, client } = cluster();
    const specs = topicSpecs(layout).map((spec) =>
      spec.name === "team-a.crawl.due"
        ? { ...spec, partitions: 4, configs: { ...spec.configs, "retention.ms": "1" } }
        : spec,
    );
    await clock.settle(client.admin.createTopics(specs));
    await expect(clock.settle(prepareTopics(client, layout, true))).rejects.toMatchObject({
      code: "SLUICE_TOPIC_DRIFT",
      field: "team-a.crawl.due",
      message: "team-a.crawl.due: partitions is 4, not 5\nteam-a.crawl.due: retention.ms is 1, not 60000",
    });
    expect(await clock.settle(client.admin.watermarks("team-a.crawl.due"))).toHaveLength(4);
  });
});
