import { SluiceError } from "@sluice/errors";
import {
  configsOf,
  partitionsOf,
  topics,
  topicsOf,
  type PolitenessKey,
  type TopicLayout,
} from "@sluice/records";
import type { Broker, TopicDrift, TopicSpec } from "@sluice/runtime";

/** The table of topics as this cluster is to have it. */
export function topicSpecs(layout: TopicLayout): readonly TopicSpec[] {
  return topicsOf(layout).map((each) => ({
    name: layout.prefix + each.name,
    partitions: partitionsOf(each, layout),
    configs: configsOf(each, layout),
    ...(layout.replicationFactor === null ? {} : { replicationFactor: layout.replicationFactor }),
  }));
}

/** Creates missing topics if asked to, then refuses to go on where a topic differs from the table. */
export async function prepareTopics(broker: Broker, layout: TopicLayout, create: boolean): Promise<void> {
  if (create) await createTopics(broker, layout);
  const drift = await topicDrift(broker, layout);
  if (drift.length === 0) return;
  throw new SluiceError("SLUICE_TOPIC_DRIFT", driftText(drift), { field: drift[0]?.topic ?? "" });
}

/** Creates what is missing, but nothing where the topics that are there have other keys. Returns the names created. */
export async function createTopics(
  broker: Pick<Broker, "admin">,
  layout: TopicLayout,
): Promise<readonly string[]> {
  if ((await keyDrift(broker, layout)).length > 0) return [];
  const specs = topicSpecs(layout);
  // First, so that topics without it are never those of registrable domains.
  const mark = specs.filter(({ name }) => name === layout.prefix + topics.registrableDomains.name);
  const marked = mark.length === 0 ? [] : await broker.admin.createTopics(mark);
  return [...marked, ...(await broker.admin.createTopics(specs))];
}

/** How the topics differ from the table. Where their keys do, nothing else is said: it is another deployment's. */
export async function topicDrift(
  broker: Pick<Broker, "admin">,
  layout: TopicLayout,
): Promise<readonly TopicDrift[]> {
  const drift = await keyDrift(broker, layout);
  return drift.length > 0 ? drift : broker.admin.topicDrift(topicSpecs(layout));
}

async function keyDrift(broker: Pick<Broker, "admin">, layout: TopicLayout): Promise<readonly TopicDrift[]> {
  const { prefix, politenessKey: expected } = layout;
  const exists = async (name: string): Promise<boolean> => {
    const found = await broker.admin.topicDrift([{ name, partitions: 1, configs: {} }]);
    return !found.some(({ setting }) => setting === "existence");
  };
  const topic = prefix + topics.links.name;
  let actual: PolitenessKey = "host";
  if (await exists(prefix + topics.registrableDomains.name)) actual = "registrable-domain";
  else if (!(await exists(topic))) return [];
  return actual === expected ? [] : [{ topic, setting: "SLUICE_POLITENESS_KEY", expected, actual }];
}

/** One line for each difference. */
export function driftText(drift: readonly TopicDrift[]): string {
  return drift
    .map(({ topic, setting, expected, actual }) => `${topic}: ${setting} is ${actual}, not ${expected}`)
    .join("\n");
}
