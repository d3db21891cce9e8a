/** Finds or starts the Kafka that a command on one machine uses. */
export { resolveKafka } from "./resolve-kafka.ts";
export type { KafkaHandle, ResolveOptions } from "./resolve-kafka.ts";
export { awaitKafka } from "./kafka-probe.ts";
export type { KafkaSecurity, ProbeOptions } from "./kafka-probe.ts";
export { LocalKafka } from "./local-kafka.ts";
export type { LocalKafkaOptions } from "./local-kafka.ts";
export { pinnedKafka } from "./pinned-kafka.ts";
export type { PinnedKafka } from "./pinned-kafka.ts";
