export { kafkaSecurity } from "./kafka-security.ts";
export { LagWatch } from "./lag-watch.ts";
export { runProcess, type ProcessContext, type ServiceDefinition } from "./run.ts";
export { prepareTopics, topicSpecs } from "./topic-setup.ts";
