export { kafkajsBroker, type KafkajsBroker, type KafkajsBrokerOptions } from "./kafkajs-broker.ts";
