/** The topics of the simulated cluster and their settings. */
import type { TopicDrift, TopicPartition, TopicSpec } from "@sluice/runtime";
import { BrokerError } from "./broker-error.ts";
import { PartitionLog } from "./log.ts";

/** What Kafka 4.1 has where a topic says nothing; settings not named here are shown as "". */
const brokerDefaults: Readonly<Record<string, string>> = {
  "cleanup.policy": "delete",
  "compression.type": "producer",
  "delete.retention.ms": "86400000",
  "max.compaction.lag.ms": "9223372036854775807",
  "max.message.bytes": "1048588",
  "message.timestamp.type": "CreateTime",
  "min.cleanable.dirty.ratio": "0.5",
  "min.compaction.lag.ms": "0",
  "min.insync.replicas": "1",
  "retention.bytes": "-1",
  "retention.ms": "604800000",
  "segment.bytes": "1073741824",
  "segment.ms": "604800000",
  "unclean.leader.election.enable": "false",
};

interface Topic {
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
  readonly logs: readonly PartitionLog[];
}

export class Topics {
  readonly #topics = new Map<string, Topic>();

  create(specs: readonly TopicSpec[]): readonly string[] {
    const created: string[] = [];
    for (const spec of specs) {
      if (this.#topics.has(spec.name)) continue;
      if (!Number.isInteger(spec.partitions) || spec.partitions < 1) {
        throw new BrokerError("INVALID_PARTITIONS", `${spec.name} has ${spec.partitions} partitions`);
      }
      const replicationFactor = spec.replicationFactor ?? 1;
      const logs = Array.from({ length: spec.partitions }, (_, p) => new PartitionLog(spec.name, p));
      this.#topics.set(spec.name, {
        replicationFactor,
        configs: { ...brokerDefaults, ...spec.configs },
        logs,
      });
      created.push(spec.name);
    }
    return created;
  }

  drift(specs: readonly TopicSpec[]): readonly TopicDrift[] {
    return specs.flatMap(({ name, partitions, replicationFactor, configs }) => {
      const topic = this.#topics.get(name);
      if (topic === undefined) {
        return [{ topic: name, setting: "existence", expected: "present", actual: "absent" }];
      }
      const drift: TopicDrift[] = [];
      const compare = (setting: string, expected: string, actual: string) => {
        if (expected !== actual) drift.push({ topic: name, setting, expected, actual });
      };
      compare("partitions", String(partitions), String(topic.logs.length));
      if (replicationFactor !== undefined) {
        compare("replicationFactor", String(replicationFactor), String(topic.replicationFactor));
      }
      for (const [key, expected] of Object.entries(configs)) compare(key, expected, topic.configs[key] ?? "");
      return drift;
    });
  }

  logs(topic: string): readonly PartitionLog[] {
    return this.#topic(topic).logs;
  }

  log({ topic, partition }: TopicPartition): PartitionLog {
    const log = this.#topic(topic).logs[partition];
    if (log === undefined) throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `${topic}/${partition}`);
    return log;
  }

  isCompacted(topic: string): boolean {
    return this.#topic(topic).configs["cleanup.policy"]?.includes("compact") ?? false;
  }

  isDatedByBroker(topic: string): boolean {
    return this.#topic(topic).configs["message.timestamp.type"] === "LogAppendTime";
  }

  recordBytesMax(topic: string): number {
    return Number(this.#topic(topic).configs["max.message.bytes"]);
  }

  #topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", name);
    return topic;
  }
}
