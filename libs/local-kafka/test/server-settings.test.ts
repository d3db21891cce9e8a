import { expect, it } from "vitest";
import { imageEnvironment } from "../src/container-broker.ts";
import { javaRelease } from "../src/java.ts";
import { loggingProperties, serverSettings, toProperties } from "../src/server-settings.ts";

const place = { bindHost: "127.0.0.1", port: 4711, controllerPort: 4712, logDir: "/data" };

it("binds a JVM to loopback only", () => {
  expect(serverSettings(place)["listeners"]).toBe("PLAINTEXT://127.0.0.1:4711,CONTROLLER://127.0.0.1:4712");
});

it("lets a container's broker reach itself at the address it gives to clients", () => {
  const environment = imageEnvironment(4711);
  expect(environment["KAFKA_LISTENERS"]).toContain("PLAINTEXT://0.0.0.0:4711");
  expect(environment["KAFKA_ADVERTISED_LISTENERS"]).toBe("PLAINTEXT://127.0.0.1:4711");
});

it("never gives the controller the clients' port", () => {
  expect(imageEnvironment(19_093)["KAFKA_LISTENERS"]).not.toContain("127.0.0.1:19093");
});

it("needs no second node for groups and transactions, and creates no topic by accident", () => {
  expect(serverSettings(place)).toMatchObject({
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "auto.create.topics.enable": "false",
  });
});

it("writes properties that survive a backslash in a path", () => {
  expect(toProperties({ "log.dirs": "C:\\data" })).toBe("log.dirs=C:\\\\data\n");
  expect(loggingProperties("/x/kafka.log")).toContain("appender.file.fileName=/x/kafka.log\n");
});

it.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['java version "1.8.0_392"', 8],
  ['openjdk version "25" 2025-09-16', 25],
  ["command not understood", undefined],
])("reads the release of %j as %j", (output, release) => {
  expect(javaRelease(output)).toBe(release);
});
