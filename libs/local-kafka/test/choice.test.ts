import { describe, expect, it } from "vitest";
import { givenBrokers, kindsInOrder, silentBrokersMessage, unavailableMessage } from "../src/choice.ts";

describe("given brokers", () => {
  const env = { KAFKA_BROKERS: "b:1, c:2,", KAFKA_BOOTSTRAP_SERVERS: "d:3" };

  it("takes the option before the environment", () => {
    expect(givenBrokers(["a:9"], env)).toEqual(["a:9"]);
  });

  it("takes KAFKA_BROKERS before its alias, separated by commas, without blanks and empty entries", () => {
    expect(givenBrokers([], env)).toEqual(["b:1", "c:2"]);
    expect(givenBrokers(undefined, { ...env, KAFKA_BROKERS: " , " })).toEqual(["d:3"]);
  });

  it("finds none where nothing is named", () => {
    expect(givenBrokers(undefined, { KAFKA_BROKERS: "" })).toEqual([]);
  });
});

describe("what is tried", () => {
  it("is a container before a JVM on a machine that never ran either", () => {
    expect(kindsInOrder(null)).toEqual(["container", "local-jvm"]);
  });

  it("begins with what holds the data of earlier crawls", () => {
    expect(kindsInOrder("local-jvm")).toEqual(["local-jvm", "container"]);
    expect(kindsInOrder("container")).toEqual(["container", "local-jvm"]);
  });
});

describe("what is said where no Kafka is at hand", () => {
  it("has every reason and the three remedies", () => {
    const refusals = [
      { kind: "container", reason: "docker was not found" },
      { kind: "local-jvm", reason: "java was not found" },
    ] as const;
    expect(unavailableMessage(refusals, { image: "apache/kafka:9.9.9" }).split("\n")).toEqual([
      "No Kafka is at hand.",
      "  Docker: docker was not found",
      "  Local JVM: java was not found",
      "Do one of these:",
      "  1. name the brokers of a Kafka you have: KAFKA_BROKERS=host:9092",
      "  2. start a Docker engine; the image apache/kafka:9.9.9 (or SLUICE_KAFKA_IMAGE) is used",
      "  3. install Java 17 or newer and Maven, on Debian: apt-get install openjdk-17-jre-headless maven",
    ]);
  });

  it("names the addresses of given brokers that are silent", () => {
    expect(silentBrokersMessage(["a:1", "b:2"], 10_000, "refused")).toBe(
      "Kafka does not answer at a:1, b:2 (waited 10 s): refused\nIf it runs there, KAFKA_SECURITY_PROTOCOL may be another one than it speaks at this port.",
    );
  });
});
