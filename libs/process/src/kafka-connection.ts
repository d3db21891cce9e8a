/** The Kafka of a service's process: connected, and with its topics as they have to be. */
import { kafkajsBroker, type KafkajsBroker } from "@sluice/broker";
import { unknownVariables, type CommonConfig } from "@sluice/config";
import type { TopicLayout } from "@sluice/records";
import type { OnFailpoint } from "@sluice/runtime";
import type { Log } from "@sluice/telemetry";
import { kafkaRefusal } from "./kafka-refusal.ts";
import { kafkaSecurity } from "./kafka-security.ts";
import { prepareTopics } from "./topic-setup.ts";

export interface KafkaConnectionOptions {
  readonly config: CommonConfig;
  readonly clientId: string;
  readonly layout: TopicLayout;
  readonly log: Log;
  readonly onFailpoint?: OnFailpoint | undefined;
}

/**
 * Waits for brokers that are away, and says so.
 * @throws SluiceError SLUICE_CONFIG_INVALID where they refuse the login or a certificate, SLUICE_TOPIC_DRIFT
 *   where a topic is not as it has to be
 */
export async function connectKafka(options: KafkaConnectionOptions): Promise<KafkajsBroker> {
  const { config, clientId, layout, log, onFailpoint } = options;
  let reached = false;
  const broker = kafkajsBroker({
    brokers: config.brokers,
    clientId,
    delivery: config.delivery,
    ...kafkaSecurity(config),
    ...(onFailpoint === undefined ? {} : { onFailpoint }),
    log: (event, fields) => {
      if (event !== "kafka_client_error") log.info(fields, event);
      // What the client goes on to retry matters at work only when something is looked for.
      else if (reached) log.debug(fields, event);
      else log.warn({ brokers: config.brokers, securityProtocol: config.securityProtocol, ...fields }, event);
    },
  });
  try {
    await prepareTopics(broker, layout, config.createTopics);
  } catch (error) {
    throw kafkaRefusal(error, config.brokers) ?? error;
  }
  reached = true;
  return broker;
}

/** Settings that are misspelt do nothing; each is told once, when the process starts. */
export function warnOfUnknownVariables(log: Log, env: NodeJS.ProcessEnv): void {
  for (const { name, nearest } of unknownVariables(env)) log.warn({ name, nearest }, "unknown_setting");
}
