/** The topics of the Kafka that the environment names. */
import { hostname } from "node:os";
import { kafkajsBroker } from "@sluice/broker";
import { commonSettings, readConfig } from "@sluice/config";
import { SluiceError } from "@sluice/errors";
import { systemClock } from "@sluice/runtime";
import { kafkaRefusal } from "./kafka-refusal.ts";
import { kafkaSecurity } from "./kafka-security.ts";
import { runTopics, topicsActions } from "./topics-run.ts";

/**
 * Brokers that are away are waited for.
 * @returns whether all topics are as they have to be
 * @throws SluiceError SLUICE_CONFIG_INVALID where the action or a setting is wrong or the brokers refuse the login
 */
export async function topicsCommand(
  actionText: string,
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
): Promise<boolean> {
  const action = topicsActions.find((each) => each === actionText);
  if (action === undefined) {
    throw new SluiceError(
      "SLUICE_CONFIG_INVALID",
      `${JSON.stringify(actionText)} is none of ${topicsActions.join(", ")}`,
      { field: "action" },
    );
  }
  const config = readConfig(commonSettings, env);
  const broker = kafkajsBroker({
    brokers: config.brokers,
    clientId: `${config.prefix}topics-${config.instance ?? hostname()}`,
    ...kafkaSecurity(config),
    log: (event, fields) => say(JSON.stringify({ event, ...fields })),
  });
  try {
    const layout = {
      prefix: config.prefix,
      partitions: config.partitions,
      politenessKey: config.politenessKey,
      retentionMs: config.retentionMs ?? null,
      replicationFactor: config.replicationFactor ?? null,
    };
    return await runTopics({ broker, layout, action, clock: systemClock(), say });
  } catch (error) {
    throw kafkaRefusal(error, config.brokers) ?? error;
  } finally {
    await broker.close();
  }
}
