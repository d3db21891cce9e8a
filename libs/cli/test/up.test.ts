import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  apiSettings,
  commonSettings,
  fetcherSettings,
  readConfig,
  settingsByService,
  sinkSettings,
} from "@sluice/config";
import { SluiceError } from "@sluice/errors";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseUpOptions, type RawUpOptions } from "../src/up-options.ts";
import { prometheusSettings, upServices, upSpecs } from "../src/up-services.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sluice-up-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const optionsOf = (raw: RawUpOptions, env: NodeJS.ProcessEnv = {}) => parseUpOptions(raw, env, "/home");
const specsOf = (raw: RawUpOptions, givenBrokers = false) =>
  upSpecs({
    options: optionsOf(raw),
    brokers: ["k1:9092", "k2:9092"],
    givenBrokers,
    partitions: 6,
    logDir: "/data/logs/up",
    stateDir: "/data/state",
  });

describe("the options of sluice up", () => {
  it("have defaults that the README's examples need", () => {
    expect(optionsOf({})).toEqual({
      brokers: null,
      prefix: "",
      partitions: null,
      apiPort: 7400,
      metricsPort: 7401,
      out: "/home/crawl-results/up",
      contact: null,
      allowPrivate: [],
      resolve: [],
    });
  });

  it("take the prefix of the environment, unless one is given", () => {
    expect(optionsOf({}, { SLUICE_PREFIX: "team." }).prefix).toBe("team.");
    expect(optionsOf({ prefix: "" }, { SLUICE_PREFIX: "team." }).prefix).toBe("");
  });

  it("are refused with all problems at once", () => {
    const raw = { apiPort: "0", metricsPort: "70000", prefix: "Team", partitions: "x", out: "" };
    try {
      optionsOf(raw);
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      expect(error.code).toBe("SLUICE_USAGE");
      const fields = error.message.split("\n").map((line) => line.split(":", 1)[0]);
      expect(fields).toEqual(["--prefix", "--partitions", "--api-port", "--metrics-port", "--out"]);
    }
  });
});

describe("the services of sluice up", () => {
  it("are one of each, with settings that they read and each with a port of its own", () => {
    const specs = specsOf({ metricsPort: "8100", apiPort: "8000", out: "/out", contact: "a@b.example" });
    expect(specs.map(({ service }) => service)).toEqual([...upServices]);
    expect(specs.map(({ metricsPort }) => metricsPort)).toEqual([8100, 8101, 8102, 8103, 8104]);
    for (const { name, env, metricsPort, logPath } of specs) {
      const config = readConfig(commonSettings, env);
      expect(config).toMatchObject({
        adminPort: metricsPort,
        instance: name,
        partitions: 6,
        brokers: ["k1:9092", "k2:9092"],
        securityProtocol: "PLAINTEXT",
      });
      expect(logPath).toBe(`/data/logs/up/${name}.log`);
    }
    const envOf = (service: string) => specs.find((spec) => spec.service === service)?.env ?? {};
    expect(readConfig(apiSettings, envOf("api")).port).toBe(8000);
    expect(readConfig(sinkSettings, envOf("result-sink")).dir).toBe("/out");
    expect(readConfig(fetcherSettings, envOf("fetcher")).contact).toBe("a@b.example");
  });

  it("are every service there is", () => {
    const known = Object.keys(settingsByService).filter((each) => each !== "every service");
    expect([...upServices]).toEqual(expect.arrayContaining(known));
  });

  it("speak to given brokers as the environment says", () => {
    for (const { env } of specsOf({}, true))
      expect(Object.keys(env).filter((name) => /SECURITY|SASL|SSL/.test(name))).toEqual([]);
  });

  it("are the targets of Prometheus, each as the service that it is", () => {
    const text = prometheusSettings(specsOf({ metricsPort: "8100" }), "/repository of mine/rules");
    expect(parse(text)).toMatchObject({
      rule_files: ["/repository of mine/rules/*.yaml"],
      scrape_configs: [
        {
          job_name: "sluice",
          static_configs: upServices.map((service, index) => ({
            targets: [`127.0.0.1:${8100 + index}`],
            labels: { service },
          })),
        },
      ],
    });
  });
});

describe("sluice up", () => {
  it("ends with 2 and names the port that is taken, having started nothing", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const { status, stderr } = spawnSync(process.execPath, [main, "up", "--api-port", String(port)], {
        cwd: folder,
        encoding: "utf8",
        env: { ...process.env, SLUICE_DATA_DIR: join(folder, "data") },
      });
      expect(status, stderr).toBe(2);
      expect(stderr).toContain(`--api-port: port ${port} is taken\n`);
      expect(readdirSync(join(folder, "data", "jobs"))).toEqual([]);
      expect(readdirSync(join(folder, "data"))).toEqual(["jobs"]);
    } finally {
      server.close();
    }
  });
});
