import { describe, expect, it } from "vitest";
import { launcherVariables, settingsByService, unknownVariables, type Setting } from "../src/index.ts";

const nearestOf = (name: string): string | null | undefined => unknownVariables({ [name]: "1" })[0]?.nearest;

describe("variables that mean nothing", () => {
  it("are found with the setting they are most like", () => {
    expect(nearestOf("SLUICE_PARTITION")).toBe("SLUICE_PARTITIONS");
    expect(nearestOf("SLUICE_FETCHER_CONCURENCY")).toBe("SLUICE_FETCHER_CONCURRENCY");
    expect(nearestOf("SLUICE_LOGLEVEL")).toBe("SLUICE_LOG_LEVEL");
    expect(nearestOf("KAFKA_SSL_CA_FILE")).toBe("KAFKA_SSL_CA_LOCATION");
    expect(nearestOf("KAFKA_BROKER")).toBe("KAFKA_BROKERS");
    expect(nearestOf("SLUICE_REWRITE")).toBeNull();
    expect(nearestOf("SLUICE_SOMETHING_ELSE_ENTIRELY")).toBeNull();
  });

  it("are told in order, without those that are empty", () => {
    const found = unknownVariables({ SLUICE_Z: "0", SLUICE_A: "1", SLUICE_EMPTY: "", PATH: "/bin" });
    expect(found.map(({ name }) => name)).toEqual(["SLUICE_A", "SLUICE_Z"]);
  });

  it("are none of the settings, their aliases and files, nor what the commands read", () => {
    const settings = Object.values(settingsByService).flatMap((each) => Object.values<Setting>(each));
    const names = settings.flatMap(({ env, aliases = [], secret = false }) => [
      env,
      ...aliases,
      ...(secret ? [`${env}_FILE`] : []),
    ]);
    for (const name of [...names, ...Object.keys(launcherVariables)])
      expect(nearestOf(name), name).toBeUndefined();
  });

  it("are not those of others: what Kubernetes sets for its Services, and what only begins with KAFKA_", () => {
    const env = {
      SLUICE_API_SERVICE_HOST: "10.0.0.1",
      SLUICE_API_SERVICE_PORT_HTTP: "7400",
      SLUICE_REDIS_PORT: "tcp://10.0.0.1:6379",
      SLUICE_API_PORT_7400_TCP_ADDR: "10.0.0.1",
      KAFKA_BROKER_SERVICE_HOST: "10.0.0.2",
      KAFKA_HEAP_OPTS: "-Xmx1g",
      KAFKA_CLUSTER_ID: "x",
      SLUICE_SECRET_PROXY_LOGIN: "user:password",
    };
    expect(unknownVariables(env)).toEqual([]);
    expect(unknownVariables({ SLUICE_REDIS_PORT: "6379" })).toHaveLength(1);
  });
});
