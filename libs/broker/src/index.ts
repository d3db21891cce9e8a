export { kafkajsBroker, type KafkajsBroker, type KafkajsBrokerOptions } from "./kafkajs-broker.ts";
export { refusalOf, type Refusal } from "./kafkajs/failures.ts";
