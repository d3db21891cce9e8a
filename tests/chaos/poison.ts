import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { partitionOf, topicOf, topics, type Topic } from "@sluice/records";
import {
  decodeOffsetMap,
  type CommittedOffset,
  type OutRecord,
  type TopicPartition,
  type Written,
} from "@sluice/runtime";
import { draw } from "../fleet/graph.ts";
import type { Findings } from "./disturbances.ts";
import { percentile } from "./steadiness.ts";
import type { World } from "./world.ts";

const run = promisify(execFile);

/** Every topic that a service reads, with the groups that commit how far they are; tables have none. */
export const poisoned: Readonly<Record<string, readonly string[]>> = {
  [topics.seeds.name]: ["frontier"],
  [topics.links.name]: ["frontier"],
  [topics.outcomes.name]: ["frontier", "rate-limit"],
  [topics.grants.name]: ["frontier"],
  [topics.counters.name]: ["frontier"],
  [topics.due.name]: ["rate-limit"],
  [topics.permits.name]: ["fetcher"],
  [topics.results.name]: ["result-sink"],
  [topics.jobs.name]: [],
  [topics.policies.name]: [],
};

/** A crawl that is long enough has a burst in so many seconds: bad records come now and then, and not a hundred at once. */
const secondsPerBurst = 2.5;
const burstsMin = 4;
const burstsMax = 64;
const burstsPerJob = 4;
const codecs = ["gzip", "snappy", "lz4", "zstd"] as const;
const behindMaxMs = 1_000;
const giveUpMs = 120_000;
/** Fits into a topic, and leaves no room for the headers of a dead letter. */
const hugeBytes = 8_388_608 - 600;

type Body = (turn: number) => Buffer | string | null;

/** Bodies that no schema of ours takes, each with what is wrong with it. */
const bodies: Readonly<Record<string, Body>> = {
  "not UTF-8": (turn) => Buffer.from([0xff, 0xfe, turn & 0xff, 0x00, 0x41, 0xc3, 0x28]),
  "not JSON": (turn) => `{not json ${turn}`,
  "cut off": (turn) => `{"job":"chaos","run":${turn},"url":"http`,
  empty: () => "",
  "no object": (turn) => JSON.stringify([turn, null, [[]]]),
  "wrong types": (turn) =>
    JSON.stringify({ job: turn, run: "x", url: turn, id: turn, delayMs: "soon", kind: "nonsense" }),
  "missing fields": (turn) => JSON.stringify({ job: "chaos", delayMs: null, turn }),
  "unknown version": () =>
    JSON.stringify({ schemaVersion: 99, schema_version: 99, id: "v99", url: 99, delayMs: -1 }),
  oversized: (turn) => {
    const text = "x".repeat(50_000 + (turn % 1000) * 200);
    return JSON.stringify({ id: text, job: text, url: text, delayMs: text });
  },
  tombstone: () => null,
};

/** There a null value removes its key, which is no fault; and the broker itself refuses records without a key. */
const isCompacted = (topic: string): boolean => topicOf(topic)?.cleanup === "compact";

/**
 * Writes records that can't be read to every topic that is read, in bursts while the crawl runs, with good ones
 * behind them. What became of each is judged by a program that reads the topics by itself.
 */
export async function poisonTopics(world: World, atLeast: number): Promise<Findings> {
  const { log, seed } = world.options;
  const { layout } = world.observer;
  const { pagesPerHost, delayMs } = world.options;
  const seconds = (pagesPerHost * delayMs) / 1000;
  const bursts = Math.min(burstsMax, Math.max(burstsMin, Math.floor(seconds / secondsPerBurst)));
  const perTopic = Math.ceil(atLeast / (Object.keys(poisoned).length * bursts));
  const behindMs: number[] = [];
  let written = 0;
  for (let burst = 0; burst < bursts; burst += 1) {
    await world.untilShare((burst + 1) / (bursts + 2));
    const records: OutRecord[] = [];
    const good = goodRecords(world, burst);
    for (const [index, topic] of Object.keys(poisoned).entries()) {
      const kinds = Object.keys(bodies).filter((kind) => kind !== "tombstone" || !isCompacted(topic));
      for (let turn = 0; turn < perTopic; turn += 1) {
        const kind = kinds[(burst * perTopic + turn) % kinds.length] ?? "";
        const number = draw(seed, burst, index, turn);
        // Half of them right before the good ones, the others anywhere.
        const before = good.filter((each) => each.topic === layout.prefix + topic);
        const partitions = topicOf(topic)?.partitions === 1 ? 1 : layout.partitions;
        const partition = (turn % 2 === 0 ? before[0]?.partition : undefined) ?? number % partitions;
        const key = number % 5 === 0 && !isCompacted(topic) ? null : `poison-${number % 1000}`;
        records.push(bad(world, topic, partition, key, bodies[kind]?.(number) ?? null, kind));
      }
    }
    // Like the codecs: each reads a record of every topic first.
    if (burst < codecs.length) {
      const keyless = await Promise.all(Object.keys(poisoned).map((topic) => withoutKey(world, topic)));
      records.push(...keyless.flat());
    }
    if (burst === 1) records.push(bad(world, topics.seeds.name, 0, null, "x".repeat(hugeBytes), "huge"));
    log(`${records.length} records that can't be read`);
    written += records.length + (await compressed(world, codecs[burst]));
    const last = lastOf(records);
    await world.observer.produce(records.filter((each) => !last.has(each)));
    const fromMs = performance.now();
    behindMs.push(...(await passed(world, await world.observer.produce([...last, ...good]), fromMs)));
  }
  const p95 = percentile(behindMs, 0.95);
  const deaths = world.fleet.graveyard.length;
  return {
    figures: {
      poison_written: written,
      behind_p95_ms: p95,
      behind_max_ms: Math.max(...behindMs),
      behind_limit_ms: behindMaxMs,
      restarts: deaths,
    },
    wrong: deaths > 0 ? [`${deaths} processes exited over records that can't be read`] : [],
    slow: p95 > behindMaxMs ? [`what lay behind was done with after ${p95} ms`] : [],
  };
}

function bad(
  world: World,
  topic: string,
  partition: number,
  key: string | null,
  value: Buffer | string | null,
  kind: string,
): OutRecord {
  const headers = { poison: kind, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
  return { topic: world.observer.layout.prefix + topic, partition, key, value, headers };
}

/** A good body in an envelope without the key that says whose it is. A seed needs none. */
async function withoutKey(world: World, topic: string): Promise<readonly OutRecord[]> {
  if (topic === topics.seeds.name || isCompacted(topic)) return [];
  const args = ["-C", "-q", "-e", "-o", "beginning", "-c", "1", "-f", "%p\n%s"];
  const { stdout } = await run(
    "kcat",
    [...args, "-b", world.kafka.brokers.join(","), "-t", world.observer.layout.prefix + topic],
    { maxBuffer: 1 << 24 },
  );
  const end = stdout.indexOf("\n");
  if (end < 0) return [];
  return [bad(world, topic, Number(stdout.slice(0, end)), null, stdout.slice(end + 1), "null key")];
}

/** One batch a topic by another client, in a codec; after the last codec none. */
async function compressed(world: World, codec: string | undefined): Promise<number> {
  if (codec === undefined) return 0;
  const names = Object.keys(poisoned);
  await Promise.all(names.map((topic) => compressedOn(world, topic, codec)));
  return names.length;
}

async function compressedOn(world: World, topic: string, codec: string): Promise<void> {
  const { prefix, partitions } = world.observer.layout;
  const partition =
    topicOf(topic)?.partitions === 1 ? 0 : draw(world.options.seed, topic.length) % partitions;
  const to = ["-b", world.kafka.brokers.join(","), "-t", prefix + topic, "-p", String(partition)];
  const record = ["-z", codec, "-k", "poison", "-H", `poison=${codec}`];
  const child = execFile("kcat", ["-P", ...to, ...record]);
  child.stdin?.end(`{"${codec}":\n`);
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0) throw new Error(`kcat could not write ${codec} to ${topic} (exit ${String(code)})`);
}

/**
 * A seed, a policy and now and then a job that have to be taken although bad ones lie before them. A job costs a hundred
 * transactions, from its begin in every task to its end.
 */
function goodRecords(world: World, burst: number): readonly OutRecord[] {
  const { observer, graph } = world;
  const { prefix, partitions } = observer.layout;
  const extra = (name: string): string => graph.url(burst % world.options.hosts, `/behind/${burst}/${name}`);
  const id = `behind-${burst}`;
  const seeds = [extra("a"), extra("b")];
  const jobs = burst % burstsPerJob === 0 ? [id] : [];
  for (const each of jobs) world.otherJobs.set(each, seeds);
  world.seeds.push(extra("seed"));
  const at = (topic: Topic, key: string): TopicPartition & { key: string } => ({
    topic: prefix + topic.name,
    partition: topic.partitions === 1 ? 0 : partitionOf(key, partitions),
    key,
  });
  const politeness = { delayMs: world.options.delayMs };
  const pattern = `${id}.invalid`;
  return [
    {
      ...at(topics.seeds, extra("seed")),
      value: JSON.stringify({ url: extra("seed"), job: "chaos" }),
    },
    ...jobs.map((each) => ({
      ...at(topics.jobs, each),
      value: JSON.stringify({ id: each, seeds, politeness }),
    })),
    { ...at(topics.policies, pattern), value: JSON.stringify({ delayMs: 1000 }) },
  ];
}

/** The last record of each partition: what is written next to it is behind all that is bad there. */
function lastOf(records: readonly OutRecord[]): ReadonlySet<OutRecord> {
  return new Set(new Map(records.map((each) => [`${each.topic}:${each.partition}`, each])).values());
}

/**
 * How long after `fromMs` each group has done with what was written last to a partition, in milliseconds. Done is what a commit says is done, be it below the committed offset or in the map above it: a
 * fetch that takes long in front of it is no concern of its own.
 */
async function passed(world: World, written: readonly Written[], fromMs: number): Promise<readonly number[]> {
  const groups = new Set(Object.values(poisoned).flat());
  const took = await Promise.all([...groups].map((group) => passedBy(world, group, written, fromMs)));
  return took.flat();
}

async function passedBy(
  world: World,
  group: string,
  written: readonly Written[],
  fromMs: number,
): Promise<readonly number[]> {
  const { admin } = world.observer.broker;
  const { prefix } = world.observer.layout;
  const read = Object.keys(poisoned).filter((topic) => poisoned[topic]?.includes(group));
  const asked = read.map((topic) => prefix + topic);
  let waiting = written.filter(({ topic }) => asked.includes(topic));
  const took: number[] = [];
  while (waiting.length > 0) {
    const committed = await admin.committedOffsets(prefix + group, asked);
    const ms = Math.round(performance.now() - fromMs);
    const left = waiting.filter((each) => !isDone(each, committed));
    took.push(...Array<number>(waiting.length - left.length).fill(ms));
    if (ms > behindMaxMs)
      for (const { topic, partition } of waiting.filter((each) => !left.includes(each)))
        world.options.log(`${group} was done with what lay behind on ${topic}/${partition} after ${ms} ms`);
    waiting = left;
    if (ms > giveUpMs) {
      // Whether it is done with at all, the end of the job and the verifier tell.
      world.options.log(`${group} is not done after ${giveUpMs} ms with ${JSON.stringify(waiting)}`);
      return [...took, ...waiting.map(() => giveUpMs)];
    }
    await sleep(50);
  }
  return took;
}

function isDone(written: Written, committed: readonly CommittedOffset[]): boolean {
  const { topic, partition, lastOffset } = written;
  const at = committed.find((each) => each.topic === topic && each.partition === partition);
  if (at === undefined) return false;
  if (lastOffset < at.offset) return true;
  const done = decodeOffsetMap(at.offset, at.metadata);
  // Ranges, from and to in turn: it lies in one where an odd number of edges is not above it.
  return done.filter((edge) => edge <= lastOffset).length % 2 === 1;
}
