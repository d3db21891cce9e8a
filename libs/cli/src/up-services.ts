/** Which services the whole system has, and the environment of each. */
import { join } from "node:path";
import type { ServiceSpec } from "./launcher.ts";
import { plaintextEnv } from "./plaintext-env.ts";
import { sinkService } from "./service-specs.ts";
import type { UpOptions } from "./up-options.ts";

export interface UpInput {
  readonly options: UpOptions;
  readonly brokers: readonly string[];
  /** False: a Kafka that was started here, without TLS and passwords, whatever the environment says. */
  readonly givenBrokers: boolean;
  readonly partitions: number;
  readonly logDir: string;
  /** Of the services' state. */
  readonly stateDir: string;
}

/** A service, and the port of its health and metrics. */
export interface UpService extends ServiceSpec {
  readonly metricsPort: number;
}

export const upServices = ["frontier", "rate-limit", "fetcher", sinkService, "api"] as const;

export function upSpecs(input: UpInput): readonly UpService[] {
  const { options, brokers, givenBrokers, partitions, logDir, stateDir } = input;
  return upServices.map((service, index) => ({
    name: `${service}-1`,
    service,
    env: {
      KAFKA_BROKERS: brokers.join(","),
      ...(givenBrokers ? {} : plaintextEnv),
      SLUICE_PREFIX: options.prefix,
      SLUICE_PARTITIONS: String(partitions),
      SLUICE_CREATE_TOPICS: "false",
      SLUICE_INSTANCE: `${service}-1`,
      SLUICE_STATE_DIR: stateDir,
      SLUICE_ADMIN_PORT: String(options.metricsPort + index),
      ...ownEnv(service, options),
    },
    firstLifeEnv: {},
    logPath: join(logDir, `${service}-1.log`),
    metricsPort: options.metricsPort + index,
  }));
}

function ownEnv(service: (typeof upServices)[number], options: UpOptions): Record<string, string> {
  const { apiPort, out, contact, allowPrivate, resolve } = options;
  switch (service) {
    case "api":
      return { SLUICE_API_PORT: String(apiPort) };
    case "result-sink":
      return { SLUICE_SINK_DIR: out };
    case "fetcher":
      return {
        ...(contact === null ? {} : { SLUICE_FETCHER_CONTACT: contact }),
        ...(allowPrivate.length === 0 ? {} : { SLUICE_FETCHER_ALLOW_PRIVATE: allowPrivate.join(",") }),
        ...(resolve.length === 0 ? {} : { SLUICE_FETCHER_RESOLVE: resolve.join(",") }),
      };
    default:
      return {};
  }
}

/** Settings of a Prometheus on this machine: where the services are, and the rules of the repository. */
export function prometheusSettings(services: readonly UpService[], rulesDir: string): string {
  const targets = services.map(
    ({ service, metricsPort }) =>
      `      - targets: ["127.0.0.1:${metricsPort}"]\n        labels: { service: ${service} }\n`,
  );
  return `# Written by \`sluice up\` at each start.
global:
  scrape_interval: 5s
  evaluation_interval: 5s
rule_files:
  - ${JSON.stringify(join(rulesDir, "*.yaml"))}
scrape_configs:
  - job_name: sluice
    honor_labels: true
    static_configs:
${targets.join("")}`;
}
