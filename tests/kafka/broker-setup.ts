/** Starts the one Kafka of the Kafka tests; without it they fail, for a test that did not run proves nothing. */
import { startTestKafka } from "@sluice/local-kafka/testing";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Addresses of a real Kafka that belongs to this test run alone. */
    brokers: readonly string[];
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kafka = await startTestKafka();
  project.provide("brokers", kafka.brokers);
  return () => kafka.stop();
}
