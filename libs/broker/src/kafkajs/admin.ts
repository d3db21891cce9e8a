/** Topics, offsets and groups, over one connection made at the first use. */
import { SluiceError } from "@sluice/errors";
import type { BrokerAdmin, CommittedOffset, TopicDrift, TopicSpec } from "@sluice/runtime";
import kafkajs from "kafkajs";
import type { Admin, ITopicConfig } from "kafkajs";
import { openClient, patientRetry } from "./client.ts";
import type { Client, ConnectionSettings } from "./client.ts";
import { typeOf } from "./failures.ts";
import { retrying, within } from "./waits.ts";

const retries = { firstDelayMs: 50, delayMsMax: 1_000, limitMs: 60_000 };
const topicWaitMs = 30_000;
const closeWaitMs = 2_000;

export class KafkajsAdmin implements BrokerAdmin {
  readonly #connection: ConnectionSettings;
  #connected: Promise<{ readonly client: Client; readonly admin: Admin }> | null = null;

  constructor(connection: ConnectionSettings) {
    this.#connection = connection;
  }

  async clusterId(): Promise<string> {
    const { admin } = await this.#connect();
    const { clusterId } = await retrying(retries, () => admin.describeCluster());
    return clusterId;
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<readonly string[]> {
    const { admin } = await this.#connect();
    const present = new Set(await admin.listTopics());
    const absent = specs.filter(({ name }) => !present.has(name));
    const missing = absent.map(({ name }) => name);
    const created = (await createAtOnce(admin, absent)) ? missing : await createOneByOne(admin, absent);
    await within(topicWaitMs, "the creation of topics", untilLed(admin, missing));
    return created;
  }

  async topicDrift(specs: readonly TopicSpec[]): Promise<readonly TopicDrift[]> {
    const { admin } = await this.#connect();
    const present = new Set(await admin.listTopics());
    const known = specs.filter(({ name }) => present.has(name));
    const drift: TopicDrift[] = specs
      .filter(({ name }) => !present.has(name))
      .map(({ name }) => ({ topic: name, setting: "existence", expected: "present", actual: "absent" }));
    if (known.length === 0) return drift;
    const { topics } = await admin.fetchTopicMetadata({ topics: known.map(({ name }) => name) });
    const configs = await configsOf(admin, known);
    const note = (topic: string, setting: string, expected: string, actual: string): void => {
      if (normal(expected) !== normal(actual)) drift.push({ topic, setting, expected, actual });
    };
    for (const { name, partitions, replicationFactor, configs: expected } of known) {
      const found = topics.find((topic) => topic.name === name)?.partitions ?? [];
      note(name, "partitions", String(partitions), String(found.length));
      if (replicationFactor !== undefined) {
        note(name, "replicationFactor", String(replicationFactor), String(found[0]?.replicas.length ?? 0));
      }
      for (const [setting, value] of Object.entries(expected)) {
        note(name, setting, value, configs.get(name)?.get(setting) ?? "");
      }
    }
    return drift;
  }

  async committedOffsets(group: string, topics: readonly string[]): Promise<readonly CommittedOffset[]> {
    // Without topics kafkajs would ask for all there are.
    if (topics.length === 0) return [];
    const { admin } = await this.#connect();
    const found = await retrying(retries, () => admin.fetchOffsets({ groupId: group, topics: [...topics] }));
    return found.flatMap(({ topic, partitions }) =>
      partitions
        .map(({ partition, offset, metadata }) => ({
          topic,
          partition,
          offset: Number(offset),
          metadata: metadata ?? "",
        }))
        .filter(({ offset }) => offset >= 0),
    );
  }

  async watermarks(topic: string): Promise<readonly { readonly low: number; readonly high: number }[]> {
    const { admin } = await this.#connect();
    const present = await admin.listTopics();
    // kafkajs would go on asking for it until its retries are spent.
    if (!present.includes(topic)) throw new Error(`there is no topic ${topic}`);
    const found = await retrying(retries, () => admin.fetchTopicOffsets(topic));
    return found
      .sort((a, b) => a.partition - b.partition)
      .map(({ low, high }) => ({ low: Number(low), high: Number(high) }));
  }

  async deleteGroup(group: string): Promise<void> {
    const { admin } = await this.#connect();
    await retrying(retries, async () => {
      try {
        await admin.deleteGroups([group]);
      } catch (error) {
        const { groups = [] } = error as { groups?: readonly { error?: unknown }[] };
        const [cause] = groups.map((failed) => failed.error);
        if (typeOf(cause) === "GROUP_ID_NOT_FOUND") return;
        throw cause ?? error;
      }
    });
  }

  async close(): Promise<void> {
    const connected = this.#connected;
    this.#connected = null;
    if (connected === null) return;
    try {
      const { client, admin } = await connected;
      await within(closeWaitMs, "disconnecting", admin.disconnect()).finally(() => client.destroy());
    } catch {
      return;
    }
  }

  destroy(): void {
    const connected = this.#connected;
    this.#connected = null;
    connected?.then(({ client }) => client.destroy()).catch(() => undefined);
  }

  #connect(): Promise<{ readonly client: Client; readonly admin: Admin }> {
    const connecting = this.#connected ?? this.#open();
    this.#connected = connecting;
    return connecting;
  }

  async #open(): Promise<{ readonly client: Client; readonly admin: Admin }> {
    const client = openClient(this.#connection, patientRetry);
    const admin = client.kafka.admin({ retry: patientRetry });
    try {
      await Promise.race([admin.connect(), client.refused]);
    } catch (error) {
      this.#connected = null;
      client.destroy();
      throw error;
    }
    return { client, admin };
  }
}

/** False where another creator was first. */
/** One request is many times quicker than one a topic. False where any of them could not be created. */
async function createAtOnce(admin: Admin, specs: readonly TopicSpec[]): Promise<boolean> {
  if (specs.length === 0) return true;
  try {
    return await admin.createTopics({ waitForLeaders: false, topics: specs.map(topicConfig) });
  } catch {
    // Which of them failed, and why, is found by asking for each.
    return false;
  }
}

/** Somebody else may be creating the same topics: those are left out of what is returned. */
async function createOneByOne(admin: Admin, specs: readonly TopicSpec[]): Promise<readonly string[]> {
  const created: string[] = [];
  for (const spec of specs)
    if (await retrying(retries, () => createTopic(admin, spec))) created.push(spec.name);
  return created;
}

const topicConfig = (spec: TopicSpec): ITopicConfig => ({
  topic: spec.name,
  numPartitions: spec.partitions,
  ...(spec.replicationFactor === undefined ? {} : { replicationFactor: spec.replicationFactor }),
  configEntries: Object.entries(spec.configs).map(([name, value]) => ({ name, value })),
});

async function createTopic(admin: Admin, spec: TopicSpec): Promise<boolean> {
  try {
    return await admin.createTopics({ waitForLeaders: false, topics: [topicConfig(spec)] });
  } catch (error) {
    const [first] = (error as { errors?: readonly unknown[] }).errors ?? [];
    throw first ?? error;
  }
}

/** The controller answers before every broker knows the topic and its leaders. */
async function untilLed(admin: Admin, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await retrying({ ...retries, limitMs: topicWaitMs }, async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [...names] });
    for (const { name, partitions } of topics) {
      if (partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)) continue;
      throw Object.assign(new SluiceError("SLUICE_KAFKA_UNAVAILABLE", `${name} has no leader yet`), {
        type: "LEADER_NOT_AVAILABLE",
      });
    }
  });
}

async function configsOf(
  admin: Admin,
  specs: readonly TopicSpec[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: specs.map(({ name }) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
  });
  return new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
}

/** Lists such as `compact,delete` have no order. */
function normal(value: string): string {
  return value.split(",").sort().join(",");
}
