import { execFile, spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { freePort } from "@sluice/local-kafka";
import { startTestKafka, type TestKafka } from "@sluice/local-kafka/testing";
import { topics } from "@sluice/records";
import { Fleet, type ServiceName } from "../fleet/fleet.ts";
import { draw, Graph, loopback } from "../fleet/graph.ts";
import { Observer } from "../fleet/observer.ts";
import { rssMbOf } from "../fleet/process-usage.ts";
import { Awaited } from "./awaited.ts";
import { losses, type Blow } from "./losses.ts";
import type { OriginProcessOptions } from "./origin-process.ts";
import { Proxy } from "./proxy.ts";

const run = promisify(execFile);

export interface WorldOptions {
  readonly dir: string;
  readonly hosts: number;
  readonly pagesPerHost: number;
  readonly seed: number;
  readonly delayMs: number;
  readonly partitions: number;
  readonly sessionTimeoutMs: number;
  readonly env: Readonly<Record<string, string>>;
  /** The reader keeps what it has read, where the job's end is told by its results; else it only counts. */
  readonly keepsResults: boolean;
  /** The services reach the broker through a proxy that can be made slow, cut and stopped. */
  readonly proxied: boolean;
  readonly log: (line: string) => void;
}

/** What the verifier found; see verify.py. */
export interface Verdict {
  readonly urls: number;
  readonly kills: number;
  /** Deaths by SIGKILL of each service, and how many of them at which failpoint. */
  readonly killed: Readonly<Record<string, number>>;
  readonly failpoints: Readonly<Record<string, number>>;
  readonly missing: number;
  readonly extra: number;
  /** Results that do not say what the page answers. */
  readonly unlike: number;
  readonly duplicates: number;
  readonly politeness_violations: number;
  readonly refetched: number;
  readonly in_flight_at_kills: number;
  readonly refetched_without_cause: number;
  readonly forbidden: number;
  readonly unreadable: number;
  readonly sink_missing: number;
  readonly sink_extra: number;
  readonly sink_duplicates: number;
  readonly requests: number;
  readonly pauses_ms: readonly { readonly what: string; readonly ms: number }[];
}

/** The part of a run in which blows fall: the rest is for the last of them to heal. */
const blowsShare = 0.85;
const untilMaxMs = 1_800_000;
/** How long after an event the largest pause is looked for. */
const pauseWindowMs = 20_000;

/** As kcat_dump.py reads it. */
const dumpFormat = String.raw`%t %p %o %T %K %S %h\n%k%s\n`;

/** A Kafka, a web and the services, each a process of its own, and a reader that watches what comes out. */
export class World {
  readonly kafka: TestKafka;
  /** Null where the services reach the broker directly. */
  readonly proxy: Proxy | null;
  readonly fleet: Fleet;
  readonly observer: Observer;
  readonly graph: Graph;
  readonly seeds: string[];
  /** Jobs beside the one, with what each has to crawl. */
  readonly otherJobs = new Map<string, readonly string[]>();
  /** Results that the graph has for us in all. */
  readonly expected: number;
  readonly blows: Blow[] = [];
  readonly events: { what: string; atMs: number }[] = [];
  readonly options: WorldOptions;
  /** How many times the job was run. */
  runs = 0;
  readonly #origin: ChildProcess;

  private constructor(
    options: WorldOptions,
    parts: Pick<World, "kafka" | "proxy" | "fleet" | "observer" | "graph"> & { origin: ChildProcess },
  ) {
    this.options = options;
    this.kafka = parts.kafka;
    this.proxy = parts.proxy;
    this.fleet = parts.fleet;
    this.observer = parts.observer;
    this.graph = parts.graph;
    this.#origin = parts.origin;
    this.seeds = [parts.graph.url(0, "/")];
    this.expected = parts.graph.reachable(this.seeds).size;
  }

  static async open(options: WorldOptions): Promise<World> {
    mkdirSync(options.dir, { recursive: true });
    const { kafka, proxy } = await startKafka(options);
    const { hosts, pagesPerHost, seed, partitions } = options;
    const web: OriginProcessOptions = {
      block: 77,
      hosts,
      pagesPerHost,
      seed,
      crossLinks: 2,
      accessLog: join(options.dir, "access.jsonl"),
      graphFile: join(options.dir, "graph.jsonl"),
    };
    const { origin, port } = await startOrigin(web);
    const graph = new Graph({ ...web, hosts: loopback(web.block, hosts), port: () => port });
    const prefix = "chaos.";
    const observer = await Observer.open(kafka.brokers, prefix, partitions, options.keepsResults);
    const fleet = new Fleet(join(options.dir, "logs"), {
      KAFKA_BROKERS: proxy === null ? kafka.brokers.join(",") : `127.0.0.1:${proxy.port}`,
      SLUICE_PREFIX: prefix,
      SLUICE_PARTITIONS: String(partitions),
      SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
      SLUICE_SESSION_TIMEOUT_MS: String(options.sessionTimeoutMs),
      SLUICE_SINK_DIR: join(options.dir, "results"),
      ...options.env,
    });
    return new World(options, { kafka, proxy, fleet, observer, graph, origin });
  }

  /** A fetcher's requests carry its name, so that the access log tells whose they were. */
  start(
    service: Exclude<ServiceName, "api">,
    index: number,
    env: Readonly<Record<string, string>> = {},
  ): void {
    const contact = service === "fetcher" ? { SLUICE_FETCHER_CONTACT: `fetcher-${index}@chaos.invalid` } : {};
    this.fleet.start(service, index, {}, { ...contact, ...env });
  }

  /** Submits the one job of the world: everything that can be reached from the seeds. */
  async submit(run = 1): Promise<void> {
    this.runs = run;
    await this.observer.submit({
      id: "chaos",
      run,
      seeds: [...this.seeds],
      scope: { kind: "any" },
      politeness: { delayMs: this.options.delayMs },
    });
  }

  /** Resolves when so much of the part in which blows fall is over; 1 is its end. */
  async untilShare(part: number): Promise<void> {
    const wanted = part * blowsShare * this.expected;
    await this.observer.until(`${Math.round(wanted)} results`, () => this.results >= wanted, untilMaxMs);
  }

  get results(): number {
    return this.observer.resultCount;
  }

  /** The job's end, or null: without transactions its count may never add up, and all its results are its end. */
  async ended(transactions: boolean): Promise<string | null> {
    if (transactions) {
      const status = await this.observer.ended("chaos", 3_600_000, this.runs);
      return status.finishReason ?? null;
    }
    // Seeds and jobs came to be while it ran.
    const awaited = new Awaited();
    const reached = this.graph.reachable(this.seeds);
    for (let run = 1; run <= this.runs; run += 1) awaited.add("chaos", run, reached);
    for (const [job, urls] of this.otherJobs) awaited.add(job, 1, urls);
    let read = 0;
    await this.observer.until(
      "all results",
      () => {
        for (const result of this.observer.results.slice(read)) awaited.came(result);
        read = this.observer.results.length;
        return awaited.count === 0;
      },
      3_600_000,
    );
    return null;
  }

  /** Resolves when the sink has written as many different results as there are. */
  async sunk(): Promise<void> {
    const group = `${this.observer.layout.prefix}result-sink`;
    const topic = this.observer.layout.prefix + topics.results.name;
    const { admin } = this.observer.broker;
    for (let tries = 0; tries < 600; tries += 1) {
      const [committed, marks] = await Promise.all([
        admin.committedOffsets(group, [topic]),
        admin.watermarks(topic),
      ]);
      const lag = marks.reduce(
        (sum, { low, high }, partition) =>
          sum + high - (committed.find((each) => each.partition === partition)?.offset ?? low),
        0,
      );
      if (lag === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error("the sink has not written everything within two minutes");
  }

  /** Resident megabytes of each service's process, from the kernel's own accounting. */
  rssMb(): Readonly<Record<string, number>> {
    const sizes: Record<string, number> = {};
    for (const { service, index, pid } of this.fleet.members) {
      try {
        sizes[`${service}-${index}`] = Number(rssMbOf(pid ?? 0).toFixed(1));
      } catch {
        // Between two lives.
      }
    }
    return sizes;
  }

  /** Dumps what can be read from outside and has the independent verifier judge it. */
  async verify(): Promise<Verdict> {
    const { dir, delayMs } = this.options;
    await this.#endOrigin();
    await this.#dump(topics.results.name, join(dir, "results.bin"));
    const deaths = [
      ...this.blows,
      ...losses(this.fleet),
      ...this.fleet.graveyard.map((death) => ({
        service: death.service,
        index: death.index,
        killed: death.signal === "SIGKILL",
        atMs: death.atMs,
        untilMs: death.atMs,
        how: death.failpoint ?? death.signal ?? `exit ${death.code}`,
      })),
    ];
    writeFileSync(
      join(dir, "run.json"),
      JSON.stringify({
        seeds: this.seeds,
        runs: this.runs,
        other_jobs: Object.fromEntries(this.otherJobs),
        delay_ms: delayMs,
        pause_window_ms: pauseWindowMs,
        deaths: deaths.map(({ atMs, untilMs, ...death }) => ({ ...death, at_ms: atMs, until_ms: untilMs })),
        events: [...this.events, ...this.#failpointKills()].map(({ what, atMs }) => ({ what, at_ms: atMs })),
      }),
    );
    return await this.#judge<Verdict>("verify.py");
  }

  async close(): Promise<void> {
    await this.fleet.stop();
    await this.observer.close().catch(() => undefined);
    await this.#endOrigin();
    await this.proxy?.close();
    await this.kafka.stop();
  }

  #failpointKills(): readonly { what: string; atMs: number }[] {
    return this.fleet.graveyard.flatMap(({ service, signal, failpoint, atMs }) =>
      signal === "SIGKILL" && failpoint !== null ? [{ what: `kill ${service} at ${failpoint}`, atMs }] : [],
    );
  }

  /** A topic's records, by a reader that has nothing of ours in it. */
  async #dump(topic: string, path: string): Promise<void> {
    const file = openSync(path, "w");
    const args = ["-C", "-e", "-q", "-o", "beginning", "-X", "isolation.level=read_committed"];
    args.push("-X", "fetch.message.max.bytes=16777216", "-X", "receive.message.max.bytes=67108864");
    args.push(
      "-b",
      this.kafka.brokers.join(","),
      "-t",
      this.observer.layout.prefix + topic,
      "-f",
      dumpFormat,
    );
    const kcat = spawn("kcat", args, { stdio: ["ignore", file, "inherit"] });
    const code = await new Promise<number | null>((resolve, reject) => {
      kcat.once("error", reject);
      kcat.once("exit", resolve);
    });
    closeSync(file);
    if (code !== 0) throw new Error(`kcat could not read ${topic} (exit ${code})`);
  }

  /** What the independent verifier of dead letters says of these topics. */
  async verifyDeadLetters(names: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    const folder = join(this.options.dir, "poisoned");
    mkdirSync(folder, { recursive: true });
    for (const name of names.flatMap((each) => [each, `${each}.dlq`]))
      await this.#dump(name, join(folder, `${name}.bin`));
    return await this.#judge<Readonly<Record<string, unknown>>>("verify_poison.py");
  }

  async #judge<Found>(program: string): Promise<Found> {
    const { stdout, stderr } = await run("python3", [join(import.meta.dirname, program), this.options.dir], {
      maxBuffer: 1 << 26,
    });
    if (stderr !== "") this.options.log(stderr.trimEnd());
    return JSON.parse(stdout) as Found;
  }

  async #endOrigin(): Promise<void> {
    if (this.#origin.exitCode !== null || this.#origin.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => this.#origin.once("exit", () => resolve()));
    this.#origin.kill("SIGTERM");
    await exited;
  }
}

/** The broker, with a second listener behind a proxy where one is wanted: it sends its clients to the proxy. */
async function startKafka({
  proxied,
  seed,
  log,
}: WorldOptions): Promise<{ kafka: TestKafka; proxy: Proxy | null }> {
  if (!proxied) return { kafka: await startTestKafka({ log }), proxy: null };
  const port = await freePort(null);
  let turn = 0;
  const proxy = await Proxy.start(port, () => {
    turn += 1;
    return draw(seed, turn, 22) / 2 ** 32;
  });
  const listener = { name: "PROXIED", protocol: "PLAINTEXT", port, advertisedPort: proxy.port } as const;
  return { kafka: await startTestKafka({ log, listeners: [listener] }), proxy };
}

async function startOrigin(options: OriginProcessOptions): Promise<{ origin: ChildProcess; port: number }> {
  const origin = spawn(
    process.execPath,
    [join(import.meta.dirname, "origin-process.ts"), JSON.stringify(options)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  if (origin.stdout === null) throw new Error("the origin has no output");
  for await (const line of createInterface({ input: origin.stdout })) {
    return { origin, port: (JSON.parse(line) as { port: number }).port };
  }
  throw new Error("the origin ended before it listened");
}
