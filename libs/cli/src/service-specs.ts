/** Which services a crawl runs, and the environment of each. */
import { join } from "node:path";
import type { CrawlOptions } from "./crawl-options.ts";
import type { ServiceSpec } from "./launcher.ts";
import { plaintextEnv } from "./plaintext-env.ts";

export interface SpecInput {
  readonly options: CrawlOptions;
  readonly brokers: readonly string[];
  /** False: a Kafka that was started here, without TLS and passwords, whatever the environment says. */
  readonly givenBrokers: boolean;
  readonly partitions: number;
  readonly logDir: string;
  /** Of the services' state. */
  readonly stateDir: string;
  /** The environment of this command, which the services inherit. */
  readonly env: NodeJS.ProcessEnv;
}

export const sinkService = "result-sink";

export function serviceSpecs(input: SpecInput): readonly ServiceSpec[] {
  const { options } = input;
  const counts = {
    frontier: options.frontiers,
    "rate-limit": 1,
    fetcher: options.fetchers,
    [sinkService]: 1,
  };
  const failpoints = parseFailpoints(input.env["SLUICE_FAILPOINTS"] ?? "");
  return Object.entries(counts).flatMap(([service, count]) =>
    Array.from({ length: count }, (_, index) => {
      const name = `${service}-${index + 1}`;
      const failpoint = failpoints.get(name);
      return {
        name,
        service,
        env: { ...commonEnv(input, name), ...ownEnv(service, index, options) },
        firstLifeEnv: failpoint === undefined ? {} : { SLUICE_FAILPOINT: failpoint },
        logPath: join(input.logDir, `${name}.log`),
      };
    }),
  );
}

/** Beyond the deadline of a request: its outcome has to be committed too. */
const drainMarginMs = 5000;

/** How long services may take to end in order. */
export function drainMsOf(options: CrawlOptions, env: NodeJS.ProcessEnv): number {
  const set = Number(env["SLUICE_DRAIN_MS"] || Number.NaN);
  return Number.isNaN(set) ? options.job.fetch.totalTimeoutMs + drainMarginMs : set;
}

function commonEnv(
  { options, brokers, givenBrokers, partitions, env, stateDir }: SpecInput,
  instance: string,
): Record<string, string> {
  return {
    KAFKA_BROKERS: brokers.join(","),
    ...(givenBrokers ? {} : plaintextEnv),
    SLUICE_PREFIX: options.prefix,
    SLUICE_PARTITIONS: String(partitions),
    ...(options.retentionMs === null ? {} : { SLUICE_RETENTION_MS: String(options.retentionMs) }),
    SLUICE_CREATE_TOPICS: "false",
    SLUICE_DRAIN_MS: String(Math.min(600_000, drainMsOf(options, env))),
    SLUICE_INSTANCE: instance,
    SLUICE_STATE_DIR: stateDir,
    // Several services would want the same port.
    SLUICE_ADMIN_PORT: "0",
    SLUICE_FAILPOINT: "",
  };
}

function ownEnv(service: string, index: number, options: CrawlOptions): Record<string, string> {
  if (service === sinkService) return { SLUICE_SINK_DIR: options.out };
  if (service !== "fetcher") return {};
  const { maxConcurrency, fetchers, userAgent, contact, allowPrivate, resolve } = options;
  return {
    ...(maxConcurrency === null
      ? {}
      : {
          SLUICE_FETCHER_CONCURRENCY: String(shareOf(maxConcurrency, fetchers, index)),
          // Who names a number of requests means all of them, slow ones too.
          SLUICE_FETCHER_SLOW_MAX: "0",
        }),
    ...(userAgent === null ? {} : { SLUICE_FETCHER_USER_AGENT: userAgent }),
    ...(contact === null ? {} : { SLUICE_FETCHER_CONTACT: contact }),
    ...(allowPrivate.length === 0 ? {} : { SLUICE_FETCHER_ALLOW_PRIVATE: allowPrivate.join(",") }),
    ...(resolve.length === 0 ? {} : { SLUICE_FETCHER_RESOLVE: resolve.join(",") }),
  };
}

/** Parts of `total` that differ by one at most and add up to it. */
function shareOf(total: number, parts: number, index: number): number {
  return Math.floor(total / parts) + (index < total % parts ? 1 : 0);
}

/** `frontier-1=after_send:3,fetcher-2=after_commit_sent:1`: for tests, in the first life of each named instance. */
function parseFailpoints(text: string): ReadonlyMap<string, string> {
  const failpoints = new Map<string, string>();
  for (const entry of text.split(",")) {
    const [instance, failpoint] = entry.trim().split("=");
    if (instance !== undefined && failpoint !== undefined) failpoints.set(instance, failpoint);
  }
  return failpoints;
}
