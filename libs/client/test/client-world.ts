/** A simulated Kafka whose clock runs while anybody waits, with clients on it. */
import { FakeClock, memoryBroker, serviceClock, type MemoryCluster } from "@sluice/broker/memory";
import { topicSpecs } from "@sluice/process";
import {
  defaultLayout,
  jobStatusSchema,
  partitionOf,
  resultId,
  resultSchema,
  topics,
  type JobStatus,
  type Result,
} from "@sluice/records";
import type { OutRecord, TransactionalProducer } from "@sluice/runtime";
import { Client } from "../src/client.ts";

export const layout = { ...defaultLayout, prefix: "test.", partitions: 3 };

export class ClientWorld {
  readonly cluster: MemoryCluster;
  readonly clock: FakeClock;
  readonly #stop: () => Promise<void>;
  readonly #clients: Client[] = [];
  #writer: TransactionalProducer | null = null;

  private constructor(clock: FakeClock, cluster: MemoryCluster) {
    this.clock = clock;
    this.cluster = cluster;
    this.#stop = clock.drive();
  }

  static async open(seed = 1): Promise<ClientWorld> {
    const clock = new FakeClock();
    const world = new ClientWorld(clock, memoryBroker({ clock, seed }));
    await world.cluster.connect("setup").admin.createTopics(topicSpecs(layout));
    return world;
  }

  client(name: string): Client {
    const broker = this.cluster.connect(name);
    const client = new Client({ broker, clock: serviceClock(broker.clock), layout });
    this.#clients.push(client);
    return client;
  }

  /** Writes in one transaction, as the services do. */
  async write(records: readonly OutRecord[]): Promise<void> {
    this.#writer ??= await this.cluster.connect("writer").transactionalProducer("writer");
    await this.#writer.commit({ group: "writers", records, offsets: [] });
  }

  async writeResults(results: readonly Result[]): Promise<void> {
    await this.write(
      results.map((result) => ({
        topic: layout.prefix + topics.results.name,
        // As the services place them: a host's results lie in one partition.
        partition: partitionOf(result.host, layout.partitions),
        key: result.url_id,
        value: JSON.stringify(result),
      })),
    );
  }

  /** What readers with read_committed see of a topic, partition by partition. */
  values<Value>(topic: string): readonly Value[] {
    return this.cluster
      .committed(layout.prefix + topic)
      .flat()
      .map(({ value }) => JSON.parse(value?.toString("utf8") ?? "null") as Value);
  }

  /** Lets simulated time pass. */
  pass(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimer(this.clock.nowMs() + ms, resolve));
  }

  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    for (let tries = 0; !(await condition()); tries += 1) {
      if (tries > 5000) throw new Error("waited in vain");
      await this.pass(20);
    }
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    await this.#stop();
  }
}

/** The results of a job: `count` pages on each host. */
export function resultsOf(job: string, hosts: readonly string[], count: number): readonly Result[] {
  return Array.from({ length: count }, (_, page) =>
    hosts.map((host) => resultOf(job, `https://${host}/${page}`, host)),
  ).flat();
}

export function resultOf(job: string, url: string, host: string, fields: Partial<Result> = {}): Result {
  // What a test does not speak of has the least that its schema allows, whatever fields there are.
  const least = Object.entries(resultSchema.shape).map(([name, schema]) => {
    const value = [null, false, 0, 1, ""].find((each) => schema.safeParse(each).success);
    return [name, value] as const;
  });
  return resultSchema.parse({
    ...Object.fromEntries(least),
    result_id: resultId(job, 1, url),
    job,
    url,
    url_id: url,
    host,
    outcome: "ok",
    status: 200,
    ...fields,
  });
}

export function statusOf(job: string, fields: Partial<JobStatus>): OutRecord {
  const counts = { admitted: 0, done: 0, failed: 0, skipped: 0, refused: 0, waiting: 0, inFlight: 0 };
  const status = jobStatusSchema.parse({
    kind: "job",
    job,
    run: 1,
    state: "running",
    finishReason: null,
    error: null,
    ...counts,
    startedAtMs: 1,
    endedAtMs: null,
    updatedAtMs: 1,
    ...fields,
  });
  return {
    topic: layout.prefix + topics.counters.name,
    partition: partitionOf(job, layout.partitions),
    key: job,
    value: JSON.stringify(status),
  };
}
