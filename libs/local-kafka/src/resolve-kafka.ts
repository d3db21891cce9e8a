/** Finds the Kafka of a command: given brokers, else a container, else a local JVM. Always a real Kafka. */
import { SluiceError } from "@sluice/errors";
import { givenBrokers, silentBrokersMessage } from "./choice.ts";
import { awaitKafka } from "./kafka-probe.ts";
import type { KafkaSecurity, Refusal } from "./kafka-probe.ts";
import { pinnedKafka } from "./pinned-kafka.ts";
import type { PinnedKafka } from "./pinned-kafka.ts";
import { joinSharedBroker } from "./shared-broker.ts";
import type { SharedUse } from "./shared-broker.ts";

const givenAnswerMs = 10_000;

export interface ResolveOptions {
  /** Brokers named by the user; they go before the environment. */
  readonly brokers?: readonly string[];
  /** TLS and SASL of given brokers. */
  readonly security?: KafkaSecurity;
  /** Tells of an error of given brokers whether it is final; it is thrown then. */
  readonly refusal?: Refusal;
  /** Jars, data and registry of a Kafka started here. Commands with the same folder share one Kafka. */
  readonly dataDir: string;
  readonly env: NodeJS.ProcessEnv;
  /** Port of a Kafka started here, where it is free; else that of the time before. */
  readonly port?: number;
  /** Gets one line for each thing that takes long. */
  readonly log: (line: string) => void;
}

export interface KafkaHandle {
  readonly brokers: readonly string[];
  readonly kind: "given" | "container" | "local-jvm";
  /** One line: which Kafka is used. */
  readonly description: string;
  /** Leaves the Kafka; the last command that uses a started one stops it. May be called more than once. */
  stop(): Promise<void>;
}

/**
 * Rejects with SLUICE_KAFKA_UNAVAILABLE: the address that is silent, or every reason with the remedies; or with
 * the refusal of given brokers.
 */
export async function resolveKafka(options: ResolveOptions): Promise<KafkaHandle> {
  const brokers = givenBrokers(options.brokers, options.env);
  if (brokers.length > 0) return useGiven(brokers, options);
  const pinned = pinnedKafka();
  const use = await joinSharedBroker({
    dataDir: options.dataDir,
    env: options.env,
    log: options.log,
    pinned,
    port: options.port ?? null,
  });
  return {
    brokers: [`127.0.0.1:${use.broker.port}`],
    kind: use.broker.kind,
    description: describe(use, pinned, options.env),
    stop: use.leave,
  };
}

async function useGiven(
  brokers: readonly string[],
  { security, refusal }: ResolveOptions,
): Promise<KafkaHandle> {
  const reason = await awaitKafka(brokers, {
    timeoutMs: givenAnswerMs,
    untilTopicsCanBeCreated: false,
    ...(security === undefined ? {} : { security }),
    ...(refusal === undefined ? {} : { refusal }),
  });
  if (reason !== undefined) {
    throw new SluiceError("SLUICE_KAFKA_UNAVAILABLE", silentBrokersMessage(brokers, givenAnswerMs, reason));
  }
  return {
    brokers,
    kind: "given",
    description: `Kafka at ${brokers.join(", ")} (given)`,
    stop: async () => {},
  };
}

function describe(use: SharedUse, pinned: PinnedKafka, env: NodeJS.ProcessEnv): string {
  const how = use.started ? `started in ${(use.startMs / 1000).toFixed(1)} s` : "already running, shared";
  const at = `127.0.0.1:${use.broker.port}`;
  if (use.broker.kind === "container") {
    return `Kafka in a container (${env["SLUICE_KAFKA_IMAGE"] ?? pinned.image}) at ${at}, ${how}`;
  }
  return `Apache Kafka ${pinned.version} in a local JVM (pid ${use.broker.process.pid}) at ${at}, ${how}`;
}
