import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { partitionOf, topicOf, topics, type Topic } from "@sluice/records";
import type { OutRecord, TopicPartition } from "@sluice/runtime";
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

const bursts = 4;
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
    const text = "x".repeat(200_000 + (turn % 1000) * 900);
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
  const perTopic = Math.ceil(atLeast / (Object.keys(poisoned).length * bursts));
  const behindMs: number[] = [];
  let written = 0;
  for (let burst = 0; burst < bursts; burst += 1) {
    await world.untilShare((burst + 1) / (bursts + 2));
    const records: OutRecord[] = [];
    const touched: TopicPartition[] = [];
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
        touched.push({ topic: layout.prefix + topic, partition });
      }
    }
    const keyless = await Promise.all(Object.keys(poisoned).map((topic) => withoutKey(world, topic)));
    records.push(...keyless.flat());
    if (burst === 1) records.push(bad(world, topics.seeds.name, 0, null, "x".repeat(hugeBytes), "huge"));
    log(`${records.length} records that can't be read, and as many compressed ones as topics`);
    await world.observer.produce(records);
    written += records.length + (await compressed(world, codecs[burst % codecs.length] ?? "gzip"));
    await world.observer.produce(good);
    behindMs.push(...(await passed(world, [...touched, ...good])));
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

/** One batch a topic by another client, in a codec. */
async function compressed(world: World, codec: string): Promise<number> {
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

/** A seed, a job and a policy that have to be taken although bad ones lie before them. */
function goodRecords(world: World, burst: number): readonly OutRecord[] {
  const { observer, graph } = world;
  const { prefix, partitions } = observer.layout;
  const extra = (name: string): string => graph.url(burst % world.options.hosts, `/behind/${burst}/${name}`);
  const id = `behind-${burst}`;
  const seeds = [extra("a"), extra("b")];
  world.otherJobs.set(id, seeds);
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
    { ...at(topics.jobs, id), value: JSON.stringify({ id, seeds, politeness }) },
    { ...at(topics.policies, pattern), value: JSON.stringify({ delayMs: 1000 }) },
  ];
}

/** How long until the groups have done with everything that lies in these partitions now, for each of them. */
async function passed(world: World, touched: readonly TopicPartition[]): Promise<readonly number[]> {
  const { admin } = world.observer.broker;
  const { prefix } = world.observer.layout;
  const fromMs = performance.now();
  const waiting: { group: string; topic: string; partition: number; end: number }[] = [];
  for (const [name, groups] of Object.entries(poisoned)) {
    const topic = prefix + name;
    const partitions = new Set(
      touched.filter((each) => each.topic === topic).map(({ partition }) => partition),
    );
    const marks = await admin.watermarks(topic);
    for (const group of groups)
      for (const partition of partitions)
        waiting.push({ group: prefix + group, topic, partition, end: marks[partition]?.high ?? 0 });
  }
  const took: number[] = [];
  while (waiting.length > 0) {
    for (const group of new Set(waiting.map((each) => each.group))) {
      const asked = [...new Set(waiting.filter((each) => each.group === group).map(({ topic }) => topic))];
      const committed = await admin.committedOffsets(group, asked);
      for (const each of waiting.filter((one) => one.group === group)) {
        const { offset = 0 } =
          committed.find(({ topic, partition }) => topic === each.topic && partition === each.partition) ??
          {};
        if (offset < each.end) continue;
        took.push(Math.round(performance.now() - fromMs));
        waiting.splice(waiting.indexOf(each), 1);
      }
    }
    if (performance.now() - fromMs > giveUpMs) {
      // Whether it is done with at all, the end of the job and the verifier tell.
      world.options.log(`not done with after ${giveUpMs} ms: ${JSON.stringify(waiting)}`);
      return [...took, ...waiting.map(() => giveUpMs)];
    }
    await sleep(50);
  }
  return took;
}
