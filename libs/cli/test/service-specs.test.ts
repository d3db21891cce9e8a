import { commonSettings, readConfig, settingsByService } from "@sluice/config";
import { describe, expect, it } from "vitest";
import { parseCrawlOptions, type RawCrawlOptions } from "../src/crawl-options.ts";
import { drainMsOf, serviceSpecs } from "../src/service-specs.ts";

const specsOf = (raw: RawCrawlOptions, env: NodeJS.ProcessEnv = {}, givenBrokers = false) =>
  serviceSpecs({
    options: parseCrawlOptions(["https://a.example/"], { job: "a", ...raw }, "/home"),
    brokers: ["k1:9092", "k2:9092"],
    givenBrokers,
    partitions: 6,
    logDir: "/data/logs/a",
    stateDir: "/data/state",
    env,
  });
const envOf = (raw: RawCrawlOptions, name: string, env?: NodeJS.ProcessEnv, givenBrokers?: boolean) =>
  specsOf(raw, env, givenBrokers).find((spec) => spec.name === name)?.env ?? {};

describe("the services of a crawl", () => {
  it("are one of each, or as many frontiers and fetchers as asked for, each with its name and log", () => {
    expect(specsOf({}).map(({ name }) => name)).toEqual([
      "frontier-1",
      "rate-limit-1",
      "fetcher-1",
      "result-sink-1",
    ]);
    const specs = specsOf({ frontiers: "2", fetchers: "2" });
    expect(specs.map(({ name }) => name)).toEqual([
      "frontier-1",
      "frontier-2",
      "rate-limit-1",
      "fetcher-1",
      "fetcher-2",
      "result-sink-1",
    ]);
    for (const { name, env, logPath } of specs) {
      expect(env["SLUICE_INSTANCE"]).toBe(name);
      expect(logPath).toBe(`/data/logs/a/${name}.log`);
    }
  });

  it("are told the Kafka, the prefix and the partitions, and never make topics themselves", () => {
    for (const { env } of specsOf({ retention: "60000" })) {
      expect(env).toMatchObject({
        KAFKA_BROKERS: "k1:9092,k2:9092",
        SLUICE_PREFIX: "a.",
        SLUICE_PARTITIONS: "6",
        SLUICE_RETENTION_MS: "60000",
        SLUICE_CREATE_TOPICS: "false",
      });
    }
  });

  it("speak to a Kafka that was started here without TLS, and to a given one as the environment says", () => {
    const env = { KAFKA_SECURITY_PROTOCOL: "SASL_SSL" };
    expect(envOf({}, "frontier-1", env, false)["KAFKA_SECURITY_PROTOCOL"]).toBe("PLAINTEXT");
    expect(envOf({}, "frontier-1", env, true)["KAFKA_SECURITY_PROTOCOL"]).toBeUndefined();
    // Passwords and certificates of another Kafka would be refused as unused.
    const secured = {
      KAFKA_SASL_USERNAME: "u",
      KAFKA_SASL_PASSWORD_FILE: "/p",
      KAFKA_SSL_CA_LOCATION: "/ca",
    };
    const given = { ...env, ...secured, ...envOf({}, "frontier-1", { ...env, ...secured }, false) };
    expect(readConfig(commonSettings, given).securityProtocol).toBe("PLAINTEXT");
    expect(Object.keys(envOf({}, "frontier-1", env, true)).filter((name) => /SASL|SSL/.test(name))).toEqual(
      [],
    );
  });

  it("share the requests at once among fetchers, so that they add up", () => {
    const shares = specsOf({ fetchers: "3", maxConcurrency: "8" }).flatMap(
      ({ env }) => env["SLUICE_FETCHER_CONCURRENCY"] ?? [],
    );
    expect(shares).toEqual(["3", "3", "2"]);
    const one = specsOf({ fetchers: "3", maxConcurrency: "1" }).filter(
      ({ service }) => service === "fetcher",
    );
    expect(one.map(({ env }) => env["SLUICE_FETCHER_CONCURRENCY"])).toEqual(["1"]);
    expect(envOf({}, "fetcher-1")).not.toHaveProperty("SLUICE_FETCHER_CONCURRENCY");
  });

  it("get what is about fetching only where they fetch, and the folder only where they write", () => {
    const raw: RawCrawlOptions = {
      userAgent: "Mine/1",
      contact: "me@example.org",
      allowPrivate: ["127.0.0.0/8", "::1/128"],
      resolve: ["a.example:80:127.0.0.1", "b.example:80:::1"],
      out: "/out",
    };
    expect(envOf(raw, "fetcher-1")).toMatchObject({
      SLUICE_FETCHER_USER_AGENT: "Mine/1",
      SLUICE_FETCHER_CONTACT: "me@example.org",
      SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8,::1/128",
      SLUICE_FETCHER_RESOLVE: "a.example:80:127.0.0.1,b.example:80:::1",
    });
    expect(envOf(raw, "result-sink-1")["SLUICE_SINK_DIR"]).toBe("/out");
    for (const name of ["frontier-1", "rate-limit-1"]) {
      expect(Object.keys(envOf(raw, name)).filter((key) => /FETCHER|SINK/.test(key))).toEqual([]);
    }
  });

  it("are given settings that exist", () => {
    const known = new Set(
      Object.values(settingsByService).flatMap((settings) => Object.values(settings).map(({ env }) => env)),
    );
    const specs = specsOf({
      userAgent: "M",
      contact: "c",
      allowPrivate: ["::1"],
      resolve: ["a:1:::1"],
      maxConcurrency: "1",
      retention: "60000",
    });
    for (const { env } of specs)
      for (const key of Object.keys(env)) expect(known).toContain(key.replace(/_FILE$/, ""));
  });

  it("may drain for longer than a request takes, unless the environment says otherwise", () => {
    const options = parseCrawlOptions(["https://a.example/"], { requestTimeout: "90000" }, "/home");
    expect(drainMsOf(options, {})).toBe(95_000);
    expect(drainMsOf(options, { SLUICE_DRAIN_MS: "7" })).toBe(7);
  });

  it("die at failpoints in their first life, each at its own", () => {
    const specs = specsOf(
      { fetchers: "2" },
      {
        SLUICE_FAILPOINTS: "frontier-1=after_send:3, fetcher-2=after_commit_sent:1",
        SLUICE_FAILPOINT: "after_send:1",
      },
    );
    const failpoints = specs.map(({ name, env, firstLifeEnv }) => [
      name,
      env["SLUICE_FAILPOINT"],
      firstLifeEnv["SLUICE_FAILPOINT"],
    ]);
    expect(failpoints).toEqual([
      ["frontier-1", "", "after_send:3"],
      ["rate-limit-1", "", undefined],
      ["fetcher-1", "", undefined],
      ["fetcher-2", "", "after_commit_sent:1"],
      ["result-sink-1", "", undefined],
    ]);
  });
});
