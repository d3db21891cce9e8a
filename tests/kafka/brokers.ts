/** Where the Kafka tests find their broker. */
import { inject } from "vitest";

/** The broker of the test run, or those of KAFKA_BROKERS where the run has started none. */
export function testBrokers(): string[] {
  const given = inject("brokers") as readonly string[] | undefined;
  if (given !== undefined) return [...given];
  const named = process.env["KAFKA_BROKERS"];
  if (named === undefined) throw new Error("no Kafka was started for the tests and KAFKA_BROKERS is not set");
  return named.split(",");
}
