/** Which Kafka is used, and what is said where none can be. */
import type { PinnedKafka } from "./pinned-kafka.ts";

export type StartedKind = "container" | "local-jvm";

/** Why one way to a Kafka is closed. */
export interface Refusal {
  readonly kind: StartedKind;
  readonly reason: string;
}

/** Given brokers, each `host:port`: those of the option, else KAFKA_BROKERS, else KAFKA_BOOTSTRAP_SERVERS. */
export function givenBrokers(
  option: readonly string[] | undefined,
  env: NodeJS.ProcessEnv,
): readonly string[] {
  const lists = [option?.join(","), env["KAFKA_BROKERS"], env["KAFKA_BOOTSTRAP_SERVERS"]];
  for (const list of lists) {
    const brokers = (list ?? "").split(",").map((broker) => broker.trim());
    const named = brokers.filter((broker) => broker !== "");
    if (named.length > 0) return named;
  }
  return [];
}

/** The kinds to try. What was used before comes first, for it has the data of earlier crawls. */
export function kindsInOrder(before: StartedKind | null): readonly StartedKind[] {
  return before === "local-jvm" ? ["local-jvm", "container"] : ["container", "local-jvm"];
}

const titles: Readonly<Record<StartedKind, string>> = { container: "Docker", "local-jvm": "Local JVM" };

/** One message with every reason and the three remedies. */
export function unavailableMessage(refusals: readonly Refusal[], pinned: Pick<PinnedKafka, "image">): string {
  return [
    "No Kafka is at hand.",
    ...refusals.map((refusal) => `  ${titles[refusal.kind]}: ${refusal.reason}`),
    "Do one of these:",
    "  1. name the brokers of a Kafka you have: KAFKA_BROKERS=host:9092",
    `  2. start a Docker engine; the image ${pinned.image} (or SLUICE_KAFKA_IMAGE) is used`,
    "  3. install Java 17 or newer and Maven, on Debian: apt-get install openjdk-17-jre-headless maven",
  ].join("\n");
}

/** Said where brokers were given and none of them answers. */
export function silentBrokersMessage(brokers: readonly string[], waitedMs: number, reason: string): string {
  const waited = `waited ${Math.round(waitedMs / 1000)} s`;
  return [
    `Kafka does not answer at ${brokers.join(", ")} (${waited}): ${reason}`,
    "If it runs there, KAFKA_SECURITY_PROTOCOL may be another one than it speaks at this port.",
  ].join("\n");
}
