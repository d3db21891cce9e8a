/** Sluice from a program: seeds and jobs in, results out. Needs Kafka alone, not the API. */
import { hostname } from "node:os";
import { kafkajsBroker, type KafkajsBrokerOptions } from "@sluice/broker";
import { commonSettings, readConfig } from "@sluice/config";
import { SluiceError } from "@sluice/errors";
import { kafkaSecurity } from "@sluice/process";
import {
  defaultLayout,
  jobSchema,
  partitionOf,
  topics,
  type Job,
  type JobInput,
  type TopicLayout,
} from "@sluice/records";
import { systemClock, type Broker, type Clock, type Producer } from "@sluice/runtime";
import { crawl, type Crawl, type CrawlOptions } from "./crawl.ts";
import { Results, type ResultsOptions } from "./results.ts";
import { sendSeeds, type SeedSource } from "./seeds.ts";

/** What is not given is read from the environment, from the variables that the services read. */
export type ClientOptions = Partial<Pick<KafkajsBrokerOptions, "brokers" | "ssl" | "sasl" | "clientId">> & {
  /** Put before every topic and group, as the services have it. */
  readonly prefix?: string;
};

export interface ClientParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly layout: TopicLayout;
}

/**
 * @throws SluiceError SLUICE_CONFIG_INVALID where the environment has values that are not allowed, and
 *   SLUICE_TOPIC_DRIFT where the topics are not there
 */
export async function openClient(
  options: ClientOptions = {},
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Client> {
  const { prefix: given, ...connection } = options;
  const config = readConfig(commonSettings, env);
  const prefix = given ?? config.prefix;
  const broker = kafkajsBroker({
    brokers: config.brokers,
    clientId: `${prefix}client-${hostname()}`,
    ...kafkaSecurity(config),
    ...connection,
  });
  try {
    const partitions = (await broker.admin.watermarks(prefix + topics.results.name)).length;
    if (partitions === 0)
      throw new SluiceError("SLUICE_TOPIC_DRIFT", `${prefix}${topics.results.name} does not exist`);
    return new Client({ broker, clock: systemClock(), layout: { ...defaultLayout, prefix, partitions } });
  } catch (error) {
    await broker.close();
    throw error;
  }
}

export class Client {
  readonly #parts: ClientParts;
  #producer: Promise<Producer> | null = null;

  constructor(parts: ClientParts) {
    this.#parts = parts;
  }

  /**
   * Writes seeds, of one job or, without it, of the job `default` or the one that each names. The source is
   * read as fast as Kafka takes them. Resolves with their number.
   * @throws SluiceError SLUICE_RECORD_INVALID that names the seed and its field
   */
  async sendSeeds(source: SeedSource, job?: string): Promise<number> {
    return await sendSeeds(source, await this.#sender(), this.#parts.layout, job ?? null);
  }

  /**
   * Writes a job, new or changed.
   * @throws ZodError that names the fields at fault
   */
  async submit(input: JobInput): Promise<Job> {
    const { clock, layout } = this.#parts;
    const job = jobSchema.parse({ submittedAtMs: clock.nowMs(), ...input });
    const partition = partitionOf(job.id, layout.partitions);
    const topic = layout.prefix + topics.jobs.name;
    const sender = await this.#sender();
    await sender.send([{ topic, partition, key: job.id, value: JSON.stringify(job) }]);
    return job;
  }

  /** Reads results in a group, from where it left off; a new group begins with all that the topic still has. */
  results(options: ResultsOptions): Results {
    return new Results(this.#parts, options);
  }

  /**
   * Crawls so many URLs, gives each result to `onResult`, and resolves when the crawl has ended and all its
   * results have been handled. With no more options just these URLs are asked for, and no link is followed.
   */
  crawl(urls: readonly string[], options: CrawlOptions = {}): Promise<Crawl> {
    return crawl({ ...this.#parts, submit: (job) => this.submit(job) }, urls, options);
  }

  async close(): Promise<void> {
    await this.#producer?.then((producer) => producer.close());
    await this.#parts.broker.close();
  }

  #sender(): Promise<Producer> {
    this.#producer ??= this.#parts.broker.producer();
    return this.#producer;
  }
}
