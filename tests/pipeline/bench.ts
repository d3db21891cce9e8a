import {
  FakeClock,
  memoryBroker,
  serviceClock,
  type FaultRates,
  type Latency,
  type MemoryClient,
  type MemoryCluster,
} from "@sluice/broker/memory";
import { topicSpecs } from "@sluice/process";
import { topics, type TopicLayout } from "@sluice/records";
import {
  defaultLimits,
  memoryStores,
  Service,
  silentProbe,
  type Measure,
  type Broker,
  type OnFailpoint,
  type PerformCall,
  type RuntimeLimits,
  type StateStores,
} from "@sluice/runtime";
import type { Effect, Input, InputRecord, Step, StepContext } from "@sluice/topology";

export type SeedRecord = InputRecord<{ readonly url: string }>;
export type Entries = Map<string, unknown>;
export type BenchInput = Input<SeedRecord, string>;
export type BenchEffect = Effect<string>;
type BenchStep = Step<Entries, SeedRecord, string, string>;

/** A step made for one test: its state is what it has put, its lanes are the keys of the records. */
export function benchStep(step: BenchStep["step"], more: Partial<BenchStep> = {}): BenchStep {
  return {
    name: "bench",
    load: (entries) => new Map(entries.all("")),
    laneOf: ({ key }) => key ?? "",
    step,
    ...more,
  };
}

/** Counts the records of a task: the number of each goes out, the sum into the state. Twice or never shows. */
export const counting: BenchStep = benchStep((state, input) => {
  if (input.kind !== "record") return [];
  const count = Number(state.get("count") ?? 0) + 1;
  state.set("count", count);
  return [
    out({ url: input.record.value.url, count }),
    { kind: "put", key: "count", value: count },
    { kind: "finish", id: input.record.id },
  ];
});

/** Asks the outside for each record; the record is finished with the answer. */
export const asking: BenchStep = benchStep((state, input) => {
  if (input.kind === "record") {
    const { id, key, value } = input.record;
    return [{ kind: "call", lane: key ?? "", callId: id, request: value.url }];
  }
  if (input.kind !== "settled") return [];
  state.set(input.callId, input.outcome);
  return [out({ url: input.outcome }), { kind: "finish", id: input.callId }];
});

export function out(value: unknown, key = "k", partition = 0): BenchEffect {
  return { kind: "send", topic: topics.events.name, key, value, partition };
}

export interface OpenRequest {
  readonly request: string;
  readonly signal: AbortSignal;
  readonly startedAtMs: number;
  readonly answer: (outcome?: string) => void;
}

export interface BenchOptions {
  readonly seed?: number;
  readonly partitions?: number;
  readonly faults?: Partial<FaultRates>;
  readonly latency?: Latency;
  /** Replaces settings of topics, by name. */
  readonly configs?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface LifeOptions {
  readonly step?: BenchStep;
  readonly limits?: Partial<RuntimeLimits>;
  readonly inputs?: readonly string[];
  readonly tables?: readonly string[];
  readonly stores?: StateStores;
  readonly onFailpoint?: OnFailpoint;
  readonly perform?: PerformCall<string, string>;
  /** What records count for; `counts` has the sums by metric. */
  readonly measure?: Measure;
  readonly measureRead?: Measure;
  /** Between the service and the broker, to do what a broker of its own accord would do rarely. */
  readonly wrap?: (client: MemoryClient) => Broker;
}

/** One process with one service on it, and what a test can see of it. */
export interface Life {
  readonly client: MemoryClient;
  readonly service: Service<Entries, SeedRecord, string, string>;
  /** Requests to the outside that nobody has answered. */
  readonly open: OpenRequest[];
  readonly asked: OpenRequest[];
  readonly inputs: { readonly input: BenchInput; readonly nowMs: number; readonly context: StepContext }[];
  readonly events: { readonly name: string; readonly fields: Readonly<Record<string, unknown>> }[];
  readonly counts: Map<string, number>;
  readonly fatal: Error[];
  named(event: string): readonly Readonly<Record<string, unknown>>[];
}

/** The real runtime with small steps on the in-memory broker. */
export class Bench {
  readonly clock = new FakeClock();
  readonly cluster: MemoryCluster;
  readonly user: MemoryClient;
  readonly layout: TopicLayout;
  #lives = 0;

  static async open(options: BenchOptions = {}): Promise<Bench> {
    const bench = new Bench(options);
    const specs = topicSpecs(bench.layout).map((spec) => ({
      ...spec,
      configs: { ...spec.configs, ...options.configs?.[spec.name] },
    }));
    await bench.clock.settle(bench.user.admin.createTopics(specs));
    return bench;
  }

  private constructor(options: BenchOptions) {
    const { seed = 1, faults = {}, partitions = 1, latency } = options;
    this.cluster = memoryBroker({
      clock: this.clock,
      seed,
      faults,
      ...(latency === undefined ? {} : { latency }),
    });
    this.user = this.cluster.connect("user");
    this.layout = {
      prefix: "",
      partitions,
      politenessKey: "host",
      retentionMs: null,
      replicationFactor: null,
    };
  }

  life(instance = "a", options: LifeOptions = {}): Life {
    this.#lives += 1;
    const { step = counting, onFailpoint } = options;
    const client = this.cluster.connect(
      `${instance}#${this.#lives}`,
      onFailpoint === undefined ? {} : { onFailpoint },
    );
    const seen: Omit<Life, "service" | "client"> = {
      open: [],
      asked: [],
      inputs: [],
      events: [],
      counts: new Map(),
      fatal: [],
      named: (event) => seen.events.filter(({ name }) => name === event).map(({ fields }) => fields),
    };
    const count = (name: string, by = 1): unknown => seen.counts.set(name, (seen.counts.get(name) ?? 0) + by);
    const service = new Service<Entries, SeedRecord, string, string>({
      step: {
        ...step,
        step: (state, input, nowMs, context) => {
          seen.inputs.push({ input, nowMs, context });
          return step.step(state, input, nowMs, context);
        },
      },
      inputs: options.inputs ?? [topics.seeds.name],
      tables: options.tables ?? [],
      changelog: topics.frontierState.name,
      layout: this.layout,
      broker: options.wrap?.(client) ?? client,
      clock: serviceClock(client.clock),
      stores: options.stores ?? memoryStores(),
      instance,
      perform:
        options.perform ??
        ((request, signal) =>
          new Promise((resolve) => {
            const asked: OpenRequest = {
              request,
              signal,
              startedAtMs: this.clock.nowMs(),
              answer: (outcome = request) => {
                seen.open.splice(seen.open.indexOf(asked), 1);
                resolve(outcome);
              },
            };
            seen.open.push(asked);
            seen.asked.push(asked);
            if (signal.aborted) asked.answer("aborted");
            else signal.addEventListener("abort", () => asked.answer("aborted"));
          })),
      limits: {
        ...defaultLimits,
        sessionTimeoutMs: 3000,
        heartbeatIntervalMs: 250,
        rebalanceTimeoutMs: 6000,
        ...options.limits,
      },
      probe: {
        ...silentProbe,
        event: (name, fields) => seen.events.push({ name, fields }),
        measured: (all) => all.forEach(({ metric, value }) => count(metric, value)),
        rebalanceEnded: () => count("rebalanceEnded"),
        committed: () => count("committed"),
        staleBatch: () => count("staleBatch"),
        staleSettle: () => count("staleSettle"),
        callsWithheld: () => count("callsWithheld"),
        deadLetter: () => count("deadLetter"),
      },
      ...(onFailpoint === undefined ? {} : { onFailpoint }),
      ...(options.measure === undefined ? {} : { measure: options.measure }),
      ...(options.measureRead === undefined ? {} : { measureRead: options.measureRead }),
      onFatal: (error) => seen.fatal.push(error),
    });
    return { ...seen, client, service };
  }

  /** Starts it and waits until every task runs. */
  async run(life: Life): Promise<Life> {
    await this.clock.settle(life.service.start());
    await this.until(() => life.service.ready, "the service is ready");
    return life;
  }

  begin(instance?: string, options?: LifeOptions): Promise<Life> {
    return this.run(this.life(instance, options));
  }

  /** URLs as seeds of one partition; the key, and so the lane, is what stands before the first slash. */
  async seeds(urls: readonly string[], partition = 0): Promise<void> {
    await this.write(
      topics.seeds.name,
      urls.map((url) => [url.split("/")[0] ?? "", url]),
      partition,
    );
  }

  async write(
    topic: string,
    records: readonly (readonly [string | null, string | Buffer | null])[],
    partition = 0,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const producer = await this.clock.settle(this.user.producer());
    await this.clock.settle(
      producer.send(records.map(([key, value]) => ({ topic, partition, key, value, headers }))),
    );
  }

  async until(condition: () => boolean, what: string, limitMs = 60_000): Promise<void> {
    if (!(await this.clock.runUntil(condition, limitMs)))
      throw new Error(`not within ${limitMs} ms: ${what}`);
  }

  pass(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  /** What a read_committed reader of the output sees, in order, by partition. */
  outputs<Value = { readonly url: string; readonly count: number }>(
    topic: string = topics.events.name,
    partition = 0,
  ): readonly Value[] {
    return (this.cluster.committed(topic)[partition] ?? []).map(
      (record) => JSON.parse(String(record.value)) as Value,
    );
  }

  urls(): readonly string[] {
    return this.outputs().map(({ url }) => url);
  }

  async offset(
    partition = 0,
    topic: string = topics.seeds.name,
  ): Promise<{ readonly offset: number; readonly metadata: string } | undefined> {
    const all = await this.clock.settle(this.user.admin.committedOffsets("bench", [topic]));
    return all.find((each) => each.partition === partition);
  }
}

export function numbered(name: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${name}/${index}`);
}
