/**
 * Records a crawl for the next version: `npm run -s record -- --name 0.1.0`. It crawls a small web without
 * faults, stops every process dead in the middle of it, and writes what lies in the logs then.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { topicSpecs } from "@sluice/process";
import { topics } from "@sluice/records";
import { resultsPath } from "./life.ts";
import { serviceNames } from "./fault-plan.ts";

import { recordedPlan } from "./recorded-crawl.ts";
import { encode, recorded, type RecordedAbout, type RecordedLine } from "./recording.ts";
import { World } from "./world.ts";

/** Results that are there when the processes die: about half of all. */
const resultsMin = 45;
/** Until what they had begun is given up by the broker. */
const settleMs = 30_000;

const { values } = parseArgs({ options: { name: { type: "string" } } });
const { name } = values;
if (name === undefined || !/^[a-z0-9][a-z0-9.-]*$/.test(name))
  throw new Error("--name: the version that writes, e.g. 0.1.0");

const plan = recordedPlan();
const world = new World(plan);
await world.open();
for (const action of plan.actions) if (action.kind === "job") world.submit(action.job);
const results = (): number => world.cluster.committed(topics.results.name).flat().length;
if (!(await world.clock.runUntil(() => results() >= resultsMin, 120_000)))
  throw new Error(`only ${results()} results in two minutes`);
for (const life of world.lives()) life.kill();
await world.clock.advance(settleMs);
if (world.violations.length > 0) throw new Error(JSON.stringify(world.violations));

const about: RecordedAbout = {
  kind: "about",
  version: name,
  nowMs: world.clock.nowMs(),
  partitions: plan.partitions,
  hosts: plan.hosts.map(({ robots, pages, ...host }) => ({
    ...host,
    pages: [...pages],
    disallow: robots.kind === "rules" ? robots.disallow : [],
    crawlDelayS: robots.kind === "rules" ? robots.crawlDelayS : null,
  })),
  jobs: plan.jobs.map(({ job, hosts }) => ({ job, hosts })),
};
const lines: RecordedLine[] = [about];
const layout = {
  prefix: "",
  partitions: plan.partitions,
  politenessKey: "host" as const,
  retentionMs: null,
  replicationFactor: null,
};
for (const { name: topic, configs } of topicSpecs(layout)) {
  if (configs["cleanup.policy"] === "compact") world.cluster.compact(topic);
  for (const [partition, records] of world.cluster.committed(topic).entries()) {
    for (const { offset, timestampMs, key, value, headers } of records)
      lines.push({
        kind: "record",
        topic,
        partition,
        offset,
        timestampMs,
        key: key?.toString("utf8") ?? null,
        value: recorded(value),
        headers,
      });
    lines.push({ kind: "end", topic, partition, offset: world.cluster.endOf({ topic, partition }) });
    for (const group of serviceNames) {
      const committed = world.cluster.committedOffset(group, { topic, partition });
      if (committed !== null) lines.push({ kind: "offset", group, ...committed });
    }
  }
}
const checkpoint = resultsPath.replace(/[^/]+$/, (file) => `.${file}.checkpoint`);
for (const path of [resultsPath, checkpoint]) lines.push({ kind: "file", path, text: world.disk.text(path) });

const path = fileURLToPath(new URL(`recorded/${name}.jsonl`, import.meta.url));
const text = encode(lines);
writeFileSync(path, text);
process.stdout.write(
  `${JSON.stringify({ path, bytes: Buffer.byteLength(text), lines: lines.length, results: results() })}\n`,
);
