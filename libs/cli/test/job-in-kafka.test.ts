import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock, memoryBroker, serviceClock, type MemoryClient } from "@sluice/broker/memory";
import { GroupBacklog, topicSpecs, untilPassed } from "@sluice/process";
import {
  emptyTally,
  hostSchema,
  jobSchema,
  partitionOf,
  topics,
  type Counters,
  type Host,
  type Job,
  type JobStatus,
} from "@sluice/records";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JobDesk } from "../src/job-desk.ts";
import { JobWatch } from "../src/job-watch.ts";
import { OrderlyStop } from "../src/orderly-stop.ts";
import { OutFolder } from "../src/out-folder.ts";
import { readCompacted } from "../src/read-compacted.ts";

const layout = {
  prefix: "a.",
  partitions: 4,
  politenessKey: "host" as const,
  retentionMs: null,
  replicationFactor: null,
};
const partition = partitionOf("a", layout.partitions);
const wanted = jobSchema.parse({ id: "a", seeds: ["https://a.example/"] });

const status = (more: Partial<JobStatus> = {}): JobStatus => ({
  kind: "job",
  job: "a",
  run: 1,
  state: "running",
  finishReason: null,
  error: null,
  admitted: 3,
  done: 1,
  failed: 0,
  skipped: 0,
  refused: 0,
  waiting: 2,
  inFlight: 0,
  startedAtMs: 1,
  endedAtMs: null,
  updatedAtMs: 1,
  ...more,
});
const ended = status({ state: "ended", finishReason: "completed", endedAtMs: 9, done: 3, waiting: 0 });

let folder = "";
let clock = new FakeClock();
let cluster = memoryBroker({ clock, seed: 1 });
let client: MemoryClient = cluster.connect("cli");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-desk-"));
  clock = new FakeClock();
  cluster = memoryBroker({ clock, seed: 7, faults: { fetchTwice: 0.2, fetchDelayed: 0.2 } });
  client = cluster.connect("cli");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const settle = <T>(promise: Promise<T>): Promise<T> => clock.settle(promise, 120_000);
const backlog = (): GroupBacklog =>
  new GroupBacklog({
    broker: client,
    clock: serviceClock(clock),
    group: "a.result-sink",
    topic: "a.crawl.results",
  });
const desk = (): JobDesk =>
  new JobDesk({
    broker: client,
    clock: serviceClock(clock),
    layout,
    folder: new OutFolder(join(folder, "out")),
    results: backlog(),
  });

async function send(topic: string, key: string, value: unknown, at = partition): Promise<void> {
  const producer = await client.producer();
  await producer.send([
    {
      topic: layout.prefix + topic,
      partition: at,
      key,
      value: value === null ? null : JSON.stringify(value),
    },
  ]);
  await producer.close();
}

/** One committed transaction, as services write: with a marker behind the records. */
async function commit(id: string, records: number, offset: number | null): Promise<void> {
  const producer = await client.transactionalProducer(id);
  await producer.fence();
  const topic = "a.crawl.results";
  await producer.commit({
    group: "a.result-sink",
    records: Array.from({ length: records }, () => ({ topic, partition, key: "k", value: "{}" })),
    offsets: offset === null ? [] : [{ topic, partition, offset, metadata: "" }],
  });
  await producer.close();
}

/** Until its markers are written: offsets are seen only then. */
async function committed(id: string, records: number, offset: number | null): Promise<void> {
  await settle(commit(id, records, offset));
  await clock.advance(100);
}

describe("a job in Kafka", () => {
  it("is new where its topics are, which are then made as the table has them", async () => {
    const plan = await settle(desk().plan(wanted));
    expect(plan).toMatchObject({ kind: "first", job: { run: 1, submittedAtMs: clock.nowMs() } });
    expect(await settle(client.admin.topicDrift(topicSpecs(layout)))).toEqual([]);
  });

  it("goes on as it was submitted, and is crawled afresh after its end", async () => {
    const first = await settle(desk().plan(wanted));
    const job: Job = first.kind === "first" ? first.job : wanted;
    await settle(desk().submit(job));
    await settle(send(topics.counters.name, "a", status()));
    expect(await settle(desk().plan(wanted))).toEqual({ kind: "resume", job });
    expect((await settle(desk().plan({ ...wanted, limits: { ...wanted.limits, maxPages: 3 } }))).kind).toBe(
      "conflict",
    );
    await settle(send(topics.counters.name, "a", ended));
    expect(await settle(desk().plan(wanted))).toMatchObject({ kind: "next", job: { run: 2 } });
  });

  it("that has ended goes on until all its results are written", async () => {
    await settle(desk().plan(wanted));
    await settle(desk().submit(wanted));
    await settle(send(topics.counters.name, "a", ended));
    await committed("fetcher", 3, null);
    expect((await settle(desk().plan(wanted))).kind).toBe("resume");
    await committed("sink", 0, 4);
    expect((await settle(desk().plan(wanted))).kind).toBe("next");
  });

  it("refuses topics with another number of partitions, and names them", async () => {
    await settle(client.admin.createTopics(topicSpecs({ ...layout, partitions: 5 })));
    await expect(settle(desk().plan(wanted))).rejects.toThrow(
      /--partitions[^]*a\.crawl\.seeds: partitions is 5, not 4/,
    );
  });
});

describe("the latest value of a key", () => {
  const read = (key: string): Promise<unknown> =>
    settle(readCompacted(client, { prefix: "a.", topic: topics.counters.name, partition, key }));
  beforeEach(() => settle(client.admin.createTopics(topicSpecs(layout))));

  it("is that of the key, not of others, and null where it is unknown or removed", async () => {
    expect(await read("a")).toBe(null);
    await settle(send(topics.counters.name, "a", status({ done: 2 })));
    await settle(send(topics.counters.name, "b", status({ job: "b", done: 7 })));
    await settle(send(topics.counters.name, "a", status({ done: 3 })));
    await settle(send(topics.counters.name, "a", { nonsense: true }));
    expect(await read("a")).toMatchObject({ done: 3 });
    expect(await read("c")).toBe(null);
    await settle(send(topics.counters.name, "a", null));
    expect(await read("a")).toBe(null);
  });
});

describe("what a group has left", () => {
  beforeEach(() => settle(client.admin.createTopics(topicSpecs(layout))));

  it("counts to the ends, markers included, and is nothing where nothing was written", async () => {
    expect(await settle(backlog().left(await settle(backlog().ends())))).toBe(0);
    await committed("fetcher", 5, null);
    const ends = await settle(backlog().ends());
    expect(await settle(backlog().left(ends))).toBe(6);
    expect(await settle(backlog().hasCommitted())).toBe(false);
    await committed("sink", 0, 5);
    expect(await settle(backlog().left(ends))).toBe(1);
    expect(await settle(backlog().hasCommitted())).toBe(true);
  });

  it("is waited for up to the ends of now, or until it is given up", async () => {
    await committed("fetcher", 5, null);
    expect(await settle(backlog().cleared(() => true))).toBe(false);
    let cleared: boolean | null = null;
    const waiting = backlog()
      .cleared(() => false)
      .then((answer) => (cleared = answer));
    await clock.advance(5000);
    expect(cleared).toBe(null);
    await committed("fetcher", 5, 6);
    await settle(waiting);
    expect(cleared).toBe(true);
  });
});

describe("the end in order", () => {
  beforeEach(() => settle(client.admin.createTopics(topicSpecs(layout))));

  function stopping(isDead: (service: string) => boolean = () => false) {
    const stopped: string[] = [];
    const simulated = serviceClock(clock);
    const outcomes = new GroupBacklog({
      broker: client,
      clock: simulated,
      group: "a.frontier",
      topic: "a.crawl.outcomes",
    });
    const stop = new OrderlyStop({
      clock: simulated,
      launcher: {
        stop: async (chosen) => {
          for (const service of ["frontier", "rate-limit", "fetcher", "result-sink"]) {
            const spec = { name: `${service}-1`, service, env: {}, firstLifeEnv: {}, logPath: "" };
            if (chosen(spec) && !stopped.includes(service)) stopped.push(service);
          }
        },
      },
      outcomes,
      results: backlog(),
      graceMs: 1000,
      isDead,
    });
    return { stop, stopped };
  }

  it("of a job that has ended keeps the sink until it has written everything", async () => {
    await committed("fetcher", 2, null);
    const { stop, stopped } = stopping();
    const ending = stop.afterEnd(() => false);
    await clock.advance(60_000);
    expect(stopped).toEqual(["frontier", "rate-limit", "fetcher"]);
    await committed("sink", 0, 3);
    expect(await settle(ending)).toBe(true);
    expect(stopped.at(-1)).toBe("result-sink");
  });

  it("of a job that goes on another time stops fetchers first and the sink last, each when it has nothing left", async () => {
    await settle(send(topics.outcomes.name, "h", {}));
    await committed("fetcher", 2, null);
    const { stop, stopped } = stopping();
    const ending = stop.midway();
    await clock.advance(5000);
    expect(stopped).toEqual(["fetcher"]);
    const producer = await settle(client.transactionalProducer("frontier"));
    await settle(producer.fence());
    const offsets = [{ topic: "a.crawl.outcomes", partition, offset: 1, metadata: "" }];
    await settle(producer.commit({ group: "a.frontier", records: [], offsets }));
    await clock.advance(1000);
    expect(stopped).toEqual(["fetcher", "frontier", "rate-limit"]);
    await committed("sink", 0, 3);
    await settle(ending);
    expect(stopped.at(-1)).toBe("result-sink");
  });

  it("does not wait for the dead, nor for ever", async () => {
    await settle(send(topics.outcomes.name, "h", {}));
    await committed("fetcher", 2, null);
    const startedMs = clock.nowMs();
    await settle(stopping(() => true).stop.midway());
    expect(clock.nowMs() - startedMs).toBeLessThan(5000);
    await settle(stopping().stop.midway());
    expect(clock.nowMs() - startedMs).toBeGreaterThanOrEqual(20_000);
  });
});

describe("watching a job", () => {
  const counters = (task: number, done: number, run = 1): Counters => ({
    kind: "task",
    job: "a",
    run,
    task,
    wave: 0,
    inFlight: 1,
    tally: { ...emptyTally(), admitted: done + 2, done },
  });
  const host: Host = hostSchema.parse({
    domain: "h",
    hold: "breaker",
    holdUntilMs: null,
    delayMs: 1,
    crawlDelayMs: null,
    failuresInRow: 9,
    updatedAtMs: 1,
  });

  it("follows counters and hosts from their start to the end of the run", async () => {
    await settle(client.admin.createTopics(topicSpecs(layout)));
    await settle(send(topics.counters.name, "a/0", counters(0, 4)));
    await settle(send(topics.hosts.name, "h", host, 3));
    const failures: Error[] = [];
    const watch = new JobWatch({
      broker: client,
      clock: serviceClock(clock),
      prefix: "a.",
      partitions: layout.partitions,
      job: "a",
      run: 1,
      onFailed: (error) => failures.push(error),
    });
    await settle(watch.open());
    await settle(send(topics.counters.name, "a/1", counters(1, 1)));
    await settle(send(topics.counters.name, "a/1", counters(1, 50, 2)));
    await settle(watch.catchUp(60_000));
    expect(watch.figures.figures()).toEqual({
      admitted: 9,
      done: 5,
      failed: 0,
      skipped: 0,
      inFlight: 2,
      waiting: 2,
    });
    await clock.advance(2000);
    expect(watch.hosts.waiting(clock.nowMs()).reasons).toEqual([{ reason: "breaker", count: 1 }]);
    await settle(send(topics.counters.name, "a", ended));
    await settle(watch.ended);
    expect(watch.figures.status).toEqual(ended);
    await settle(watch.close());
    expect(failures).toEqual([]);
  });
});

describe("errors that pass", () => {
  const passing = Object.assign(new Error("not the leader"), { retriable: true });

  it("are waited out, for thirty seconds at most; others are told at once", async () => {
    let calls = 0;
    const work = async (): Promise<string> => {
      calls += 1;
      if (calls < 4) throw passing;
      return "done";
    };
    expect(await settle(untilPassed(serviceClock(clock), work))).toBe("done");
    const startedMs = clock.nowMs();
    await expect(settle(untilPassed(serviceClock(clock), () => Promise.reject(passing)))).rejects.toBe(
      passing,
    );
    expect(clock.nowMs() - startedMs).toBeGreaterThanOrEqual(30_000);
    const bug = new Error("bug");
    const now = clock.nowMs();
    await expect(settle(untilPassed(serviceClock(clock), () => Promise.reject(bug)))).rejects.toBe(bug);
    expect(clock.nowMs()).toBe(now);
  });
});
