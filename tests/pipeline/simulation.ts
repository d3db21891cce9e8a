import {
  FakeClock,
  memoryBroker,
  seededRandom,
  serviceClock,
  type FaultRates,
  type MemoryClient,
  type MemoryCluster,
  type Random,
} from "@sluice/broker/memory";
import { topicSpecs } from "@sluice/process";
import {
  jobSchema,
  partitionOf,
  topics,
  type CrawlEvent,
  type Job,
  type JobInput,
  type JobStatus,
  type Result,
  type TopicLayout,
} from "@sluice/records";
import { defaultLimits, memoryStores, Service, silentProbe, type RuntimeProbe } from "@sluice/runtime";
import { fetcherInputs, fetcherStep, fetcherTables } from "../../services/fetcher/src/step.ts";
import { frontierInputs, frontierStep, frontierTables } from "../../services/frontier/src/step.ts";
import { rateLimitInputs, rateLimitStep, rateLimitTables } from "../../services/rate-limit/src/step.ts";
import { sinkInputs, sinkStep, type SinkRow } from "../../services/result-sink/src/step.ts";
import type { Page } from "../fleet/origin.ts";
import { SimulatedWeb, type Visit } from "./web.ts";

export const serviceNames = ["frontier", "rate-limit", "fetcher", "result-sink"] as const;
export type SimulatedService = (typeof serviceNames)[number];

export interface SimulationOptions {
  readonly seed: number;
  readonly partitions: number;
  readonly site: (host: string, path: string) => Page;
  readonly faults?: Partial<FaultRates>;
  /** How many instances of each service. */
  readonly instances: Readonly<Record<SimulatedService, number>>;
}

/** One process: a client of the broker with a service on it, started again when it dies. */
interface Process {
  readonly service: SimulatedService;
  readonly index: number;
  client: MemoryClient;
  running: { stop(): Promise<void>; readonly ready: boolean };
  visits: Visit[];
}

/** All services, the real runtime and the in-memory broker in one process, on a clock of their own. */
export class Simulation {
  readonly clock = new FakeClock();
  readonly random: Random;
  readonly cluster: MemoryCluster;
  readonly web: SimulatedWeb;
  /** What the sink's disk holds: it survives processes. */
  readonly disk: Result[] = [];
  readonly fatal: Error[] = [];
  readonly log: string[] = [];
  readonly #diskNext = new Map<number, number>();
  readonly #layout: TopicLayout;
  readonly #processes: Process[] = [];
  readonly #user: MemoryClient;
  #lives = 0;

  constructor(options: SimulationOptions) {
    this.random = seededRandom(options.seed);
    this.cluster = memoryBroker({
      clock: this.clock,
      seed: options.seed,
      ...(options.faults === undefined ? {} : { faults: options.faults }),
    });
    this.web = new SimulatedWeb(this.clock, options.site, () => this.random.between(1, 40));
    this.#layout = { prefix: "", partitions: options.partitions, retentionMs: null, replicationFactor: null };
    this.#user = this.cluster.connect("user");
    for (const service of serviceNames) {
      for (let index = 0; index < options.instances[service]; index += 1) {
        this.#processes.push({ service, index, ...this.#life(service, index), visits: [] });
      }
    }
  }

  async start(): Promise<void> {
    await this.clock.settle(this.#user.admin.createTopics(topicSpecs(this.#layout)));
    for (const process of this.#processes) this.#begin(process);
  }

  async submit(input: JobInput): Promise<Job> {
    const job = jobSchema.parse(input);
    const producer = await this.clock.settle(this.#user.producer());
    await this.clock.settle(
      producer.send([
        {
          topic: topics.jobs.name,
          partition: partitionOf(job.id, this.#layout.partitions),
          key: job.id,
          value: JSON.stringify(job),
        },
      ]),
    );
    return job;
  }

  /** Kills a process as kill -9 would, and starts it again a moment later. */
  kill(service: SimulatedService, index: number, restartAfterMs = 500): void {
    const process = this.#process(service, index);
    this.log.push(`${this.clock.nowMs()} kill ${service}-${index}`);
    process.client.kill();
    this.web.disconnect(process.visits, this.clock.nowMs());
    this.clock.setTimer(this.clock.nowMs() + restartAfterMs, () => {
      Object.assign(process, this.#life(service, index), { visits: [] });
      this.#begin(process);
    });
  }

  freeze(service: SimulatedService, index: number, forMs: number): void {
    const { client } = this.#process(service, index);
    this.log.push(`${this.clock.nowMs()} freeze ${service}-${index} for ${forMs}`);
    client.freeze();
    this.clock.setTimer(this.clock.nowMs() + forMs, () => client.thaw());
  }

  /** Simulated time passes until the condition holds, looked at four times a second; false at the limit. */
  async runUntil(condition: () => boolean, limitMs: number): Promise<boolean> {
    const untilMs = this.clock.nowMs() + limitMs;
    while (this.clock.nowMs() < untilMs && this.fatal.length === 0) {
      if (condition()) return true;
      await this.clock.advance(250);
    }
    return condition();
  }

  values<Value>(topic: string): Value[] {
    return this.cluster
      .committed(topic)
      .flatMap((records) =>
        records.flatMap((record) =>
          record.value === null ? [] : [JSON.parse(record.value.toString("utf8")) as Value],
        ),
      );
  }

  results(): Result[] {
    return this.values<Result>(topics.results.name);
  }

  events(): CrawlEvent[] {
    return this.values<CrawlEvent>(topics.events.name);
  }

  status(job: string): JobStatus | undefined {
    return this.values<JobStatus | { kind: "task" }>(topics.counters.name)
      .filter((each): each is JobStatus => each.kind === "job" && each.job === job)
      .at(-1);
  }

  #process(service: SimulatedService, index: number): Process {
    const found = this.#processes.find((each) => each.service === service && each.index === index);
    if (found === undefined) throw new Error(`no ${service}-${index}`);
    return found;
  }

  #begin(process: Process): void {
    const { running } = process;
    (running as Service<unknown, never, unknown, unknown>)
      .start()
      .catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.fatal.push(error instanceof Error ? error : new Error(String(error)));
  }

  #life(service: SimulatedService, index: number): { client: MemoryClient; running: Process["running"] } {
    this.#lives += 1;
    const client = this.cluster.connect(`${service}-${index}#${this.#lives}`);
    const common = {
      layout: this.#layout,
      broker: client,
      clock: serviceClock(client.clock),
      stores: memoryStores(),
      instance: `${service}-${index}`,
      limits: {
        ...defaultLimits,
        sessionTimeoutMs: 3000,
        heartbeatIntervalMs: 250,
        rebalanceTimeoutMs: 6000,
      },
      probe: this.#probe(`${service}-${index}#${this.#lives}`),
      onFatal: (error: Error) => this.#fail(error),
    };
    const noCalls = (): Promise<never> => Promise.reject(new Error(`${service} makes no calls`));
    switch (service) {
      case "frontier":
        return {
          client,
          running: new Service({
            ...common,
            step: frontierStep(),
            inputs: frontierInputs,
            tables: frontierTables,
            changelog: topics.frontierState.name,
            perform: noCalls,
          }),
        };
      case "rate-limit":
        return {
          client,
          running: new Service({
            ...common,
            step: rateLimitStep(),
            inputs: rateLimitInputs,
            tables: rateLimitTables,
            changelog: topics.rateLimitState.name,
            perform: noCalls,
          }),
        };
      case "fetcher":
        return {
          client,
          running: new Service({
            ...common,
            step: fetcherStep(),
            inputs: fetcherInputs,
            tables: fetcherTables,
            changelog: null,
            perform: (call, signal) => {
              const before = this.web.log.length;
              const answer = this.web.fetch(client.clock, call, signal);
              this.#process("fetcher", index).visits.push(...this.web.log.slice(before));
              return answer;
            },
          }),
        };
      case "result-sink":
        return {
          client,
          running: new Service({
            ...common,
            step: sinkStep(),
            inputs: sinkInputs,
            tables: [],
            changelog: null,
            perform: ({ rows }) =>
              new Promise((resolve) => {
                client.clock.setTimer(client.clock.nowMs() + this.random.between(1, 20), () => {
                  this.#write(rows);
                  resolve({ kind: "written" } as const);
                });
              }),
          }),
        };
      default:
        return service satisfies never;
    }
  }

  /** As the JSON Lines file does: what lies below the partition's next offset is there already. */
  #write(rows: readonly SinkRow[]): void {
    for (const { partition, offset, result } of rows) {
      if (offset < (this.#diskNext.get(partition) ?? 0)) continue;
      this.disk.push(result);
      this.#diskNext.set(partition, offset + 1);
    }
  }

  #probe(name: string): RuntimeProbe {
    return {
      ...silentProbe,
      event: (event, fields) =>
        this.log.push(`${this.clock.nowMs()} ${name} ${event} ${JSON.stringify(fields)}`),
    };
  }
}
