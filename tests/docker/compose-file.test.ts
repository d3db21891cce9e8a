import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { commonSettings, settingsByService, type Setting } from "@sluice/config";
import { pinnedKafka } from "@sluice/local-kafka";
import { nodeFlags } from "@sluice/process";
import { defaultLimits } from "@sluice/runtime";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import {
  durationMs,
  readCompose,
  readText,
  root,
  serviceOf,
  sizeBytes,
  type ComposeService,
} from "./compose.ts";

interface PrometheusFile {
  readonly scrape_configs: readonly {
    readonly dns_sd_configs?: readonly { readonly names: readonly string[] }[];
  }[];
}

const compose = readCompose();
const { version } = JSON.parse(readText("package.json")) as { version: string };
const ours = readdirSync(join(root, "services"));
/** Run once from the image of the API, before the others start. */
const once = ["topics", "secrets"];
const theirs = ["kafka", "prometheus", "grafana"];
const all = Object.entries(compose.services);

function settingsOf(name: string): ReadonlyMap<string, Setting> {
  const own = (settingsByService as Readonly<Record<string, Readonly<Record<string, Setting>>>>)[name] ?? {};
  return new Map(
    [...Object.values<Setting>(commonSettings), ...Object.values(own)].flatMap((each) =>
      [each.env, ...(each.aliases ?? [])].map((variable) => [variable, each] as const),
    ),
  );
}

/** Problems of the variables that a service is started with: unknown names and values that are not allowed. */
function problemsOf(
  name: string,
  variables: NonNullable<ComposeService["environment"]> = {},
): readonly string[] {
  const known = settingsOf(name);
  return Object.entries(variables).flatMap(([variable, value]) => {
    const setting = known.get(variable);
    if (setting === undefined) return [`${name}: ${variable} is no setting of it`];
    if (value === null || value === "" || setting.schema.safeParse(value).success) return [];
    return [`${name}: ${variable}=${value} is not allowed`];
  });
}

const portsOf = (file: typeof compose): readonly (readonly [string, string])[] =>
  Object.entries(file.services).flatMap(([name, { ports = [] }]) =>
    ports.map((port) => [name, port] as const),
  );

describe("docker-compose.yml", () => {
  it("runs Kafka, every service, Prometheus and Grafana, with what is done once before them", () => {
    expect(all.map(([name]) => name).toSorted()).toEqual([...ours, ...once, ...theirs].toSorted());
  });

  it("builds each service from the one Dockerfile, named after the service and the version", () => {
    for (const name of ours) {
      expect(serviceOf(compose, name), name).toMatchObject({
        image: `sluice/${name}:${version}`,
        build: { context: ".", dockerfile: "deploy/Dockerfile", args: { SERVICE: name } },
      });
    }
    const api = serviceOf(compose, "api");
    for (const name of once)
      expect(serviceOf(compose, name), name).toMatchObject({ image: api.image, build: api.build });
  });

  it("takes the pinned Kafka, and the base image of the Dockerfile", () => {
    expect(serviceOf(compose, "kafka").image).toBe(pinnedKafka().image);
    const base = /^ARG BASE_IMAGE=(.+)$/m.exec(readText("deploy/Dockerfile"))?.[1];
    for (const [name, { build }] of all)
      if (build !== undefined) expect(build.args["BASE_IMAGE"], name).toBe(base);
  });

  it("lets every image of others be named by a variable, so that a mirror or a local one can be used", () => {
    const named = readCompose({
      SLUICE_KAFKA_IMAGE: "k:1",
      SLUICE_PROMETHEUS_IMAGE: "p:1",
      SLUICE_GRAFANA_IMAGE: "g:1",
      SLUICE_BASE_IMAGE: "b:1",
    });
    expect(theirs.map((name) => serviceOf(named, name).image)).toEqual(["k:1", "p:1", "g:1"]);
    for (const name of ours) expect(serviceOf(named, name).build?.args["BASE_IMAGE"]).toBe("b:1");
    // An image without a version is another one tomorrow.
    for (const [name, { image }] of all) expect(image, name).toMatch(/:v?\d+\.\d+\.\d+$/);
  });

  it("gives services only settings that exist, with values that are allowed", () => {
    expect(problemsOf("frontier", { SLUICE_DRAIN: "1000", SLUICE_PARTITIONS: "0" })).toHaveLength(2);
    expect(
      [...ours, "topics"].flatMap((name) => problemsOf(name, serviceOf(compose, name).environment)),
    ).toEqual([]);
  });

  it("starts everything again, each with limits, an end to its log and a health check", () => {
    for (const [name, service] of all) {
      expect(service.restart, name).toBe(once.includes(name) ? "on-failure" : "unless-stopped");
      expect(sizeBytes(service.mem_limit), name).toBeGreaterThan(0);
      expect(service.logging.options, name).toHaveProperty("max-size");
      if (theirs.includes(name)) expect(service.healthcheck, name).toHaveProperty("test");
      // That of the image.
      if (ours.includes(name)) expect(service.healthcheck, name).toBeUndefined();
    }
    for (const name of ours) expect(serviceOf(compose, name).cpus, name).toBeGreaterThan(0);
  });

  it("gives a service longer to end than it drains", () => {
    for (const name of ours) {
      const { environment = {}, stop_grace_period: grace = "" } = serviceOf(compose, name);
      const drainMs = Number(commonSettings.drainMs.schema.parse(environment[commonSettings.drainMs.env]));
      expect(durationMs(grace), name).toBeGreaterThan(drainMs + defaultLimits.drainGraceMs);
    }
  });

  it("starts services after Kafka answers and its topics are made, the API also after its token", () => {
    for (const name of ours) {
      const { depends_on: before = {} } = serviceOf(compose, name);
      expect(before["kafka"], name).toEqual({ condition: "service_healthy" });
      expect(before["topics"], name).toEqual({ condition: "service_completed_successfully" });
    }
    for (const name of ["api", "grafana"])
      expect(serviceOf(compose, name).depends_on?.["secrets"]).toEqual({
        condition: "service_completed_successfully",
      });
  });

  it("runs our processes without rights, on file systems that they can't write", () => {
    for (const name of [...ours, ...once])
      expect(serviceOf(compose, name), name).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
      });
  });

  it("binds every port on loopback, and wider only those that ask for a secret", () => {
    const ports = portsOf(compose);
    expect(ports.length).toBeGreaterThanOrEqual(4);
    for (const [name, port] of ports) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    const wider = portsOf(readCompose({ SLUICE_BIND: "0.0.0.0" })).filter(([, port]) =>
      port.startsWith("0.0.0.0:"),
    );
    expect(wider.map(([name]) => name).toSorted()).toEqual(["api", "grafana"]);
    const api = serviceOf(compose, "api");
    expect(api.command).toEqual(["node", ...nodeFlags, "--env-file=/secrets/api.env", "src/main.ts"]);
    // Not a value: the file's is taken where the caller has none.
    expect(api.environment?.["SLUICE_API_TOKEN"]).toBeNull();
    expect(serviceOf(compose, "grafana").environment).toMatchObject({
      GF_SECURITY_ADMIN_PASSWORD__FILE: "/secrets/grafana-password",
    });
    expect(readText("docker-compose.yml")).not.toMatch(/(TOKEN|PASSWORD)[A-Z_]*: *["']?[A-Za-z0-9$]/);
  });

  it("lets fetchers be many, each with 2 GB at most", () => {
    // No port of the machine belongs to one container of a service that is scaled.
    for (const name of ["frontier", "rate-limit", "fetcher"])
      expect(serviceOf(compose, name).ports, name).toBeUndefined();
    expect(sizeBytes(serviceOf(compose, "fetcher").mem_limit)).toBe(2 * 2 ** 30);
    // Prometheus finds them by the addresses that the name of the service has.
    const scraped = (
      parse(readText("deploy/prometheus/prometheus.yml")) as PrometheusFile
    ).scrape_configs.flatMap(({ dns_sd_configs = [] }) => dns_sd_configs);
    expect(scraped.flatMap(({ names }) => names).toSorted()).toEqual(ours.toSorted());
    const port = Number(/SLUICE_ADMIN_PORT=(\d+)/.exec(readText("deploy/Dockerfile"))?.[1]);
    for (const each of scraped) expect(each).toMatchObject({ type: "A", port });
  });

  it("mounts only volumes that it declares and files that are there", () => {
    const mounts = all.flatMap(([, { volumes = [] }]) => volumes.map((each) => each.split(":")[0] ?? ""));
    const named = mounts.filter((source) => !source.startsWith("."));
    expect([...new Set(named)].toSorted()).toEqual(Object.keys(compose.volumes).toSorted());
    const files = mounts.filter((source) => source.startsWith("."));
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});

/** `docker compose` as it is called here: the plugin, the program of its own, or the one that is named. */
function composeCommand(): readonly string[] | null {
  const named = process.env["SLUICE_DOCKER_COMPOSE"];
  const candidates = [...(named === undefined ? [] : [[named]]), ["docker", "compose"], ["docker-compose"]];
  return (
    candidates.find(([program = "", ...args]) => {
      const { status, stdout } = spawnSync(program, [...args, "version"], { encoding: "utf8" });
      // The first generation knows another format.
      return status === 0 && /Compose version (v?[2-9]|dev)/.test(stdout);
    }) ?? null
  );
}

const command = composeCommand();
if (command === null)
  process.stderr.write(
    "docker compose config is skipped: there is no `docker compose`, and SLUICE_DOCKER_COMPOSE names none\n",
  );

describe.skipIf(command === null)("docker compose config", () => {
  const config = (variables: Readonly<Record<string, string>> = {}): ReturnType<typeof spawnSync> => {
    const [program = "", ...args] = command ?? [];
    const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], ...variables };
    return spawnSync(program, [...args, "config", "--format", "json"], { cwd: root, env, encoding: "utf8" });
  };

  it("takes the file without a warning, where nothing is set", () => {
    const { status, stdout, stderr } = config();
    expect(String(stderr)).toBe("");
    expect(status).toBe(0);
    const { services } = JSON.parse(String(stdout)) as {
      services: Record<string, { image: string; ports?: { host_ip: string }[] }>;
    };
    expect(Object.keys(services).toSorted()).toEqual(all.map(([name]) => name).toSorted());
    for (const [name, { image, ports = [] }] of Object.entries(services)) {
      expect(image).toBe(serviceOf(compose, name).image);
      for (const { host_ip } of ports) expect(host_ip, name).toBe("127.0.0.1");
    }
  });
});
