import { SluiceError } from "@sluice/errors";
import { configsOf, partitionsOf, topicList, type TopicLayout } from "@sluice/records";
import type { Broker, TopicDrift, TopicSpec } from "@sluice/runtime";

/** The table of topics as this cluster is to have it. */
export function topicSpecs(layout: TopicLayout): readonly TopicSpec[] {
  return topicList.map((each) => ({
    name: layout.prefix + each.name,
    partitions: partitionsOf(each, layout),
    configs: configsOf(each, layout),
    ...(layout.replicationFactor === null ? {} : { replicationFactor: layout.replicationFactor }),
  }));
}

/** Creates missing topics if asked to, then refuses to go on where a topic differs from the table. */
export async function prepareTopics(broker: Broker, layout: TopicLayout, create: boolean): Promise<void> {
  const specs = topicSpecs(layout);
  if (create) await broker.admin.createTopics(specs);
  const drift = await broker.admin.topicDrift(specs);
  if (drift.length === 0) return;
  throw new SluiceError("SLUICE_TOPIC_DRIFT", driftText(drift), { field: drift[0]?.topic ?? "" });
}

/** One line for each difference. */
export function driftText(drift: readonly TopicDrift[]): string {
  return drift
    .map(({ topic, setting, expected, actual }) => `${topic}: ${setting} is ${actual}, not ${expected}`)
    .join("\n");
}
