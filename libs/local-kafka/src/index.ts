/** Finds or starts the Kafka that a command on one machine uses. */
export { resolveKafka } from "./resolve-kafka.ts";
export type { KafkaHandle, ResolveOptions } from "./resolve-kafka.ts";
export { awaitKafka } from "./kafka-probe.ts";
export type { KafkaSecurity, ProbeOptions, Refusal } from "./kafka-probe.ts";
export { LocalKafka } from "./local-kafka.ts";
export type { LocalKafkaOptions } from "./local-kafka.ts";
export { freePort } from "./free-port.ts";
export type { ServerSecurity } from "./jvm-broker.ts";
export type { Listener } from "./server-settings.ts";
export { pinnedKafka } from "./pinned-kafka.ts";
export type { PinnedKafka } from "./pinned-kafka.ts";
