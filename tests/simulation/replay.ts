/** The present code takes a recorded crawl over where another version has left it, and ends it. */
import type { CommittedOffset, TopicPartition } from "@sluice/runtime";
import type { BrokerRecord } from "@sluice/runtime";
import type { JobPlan, Plan } from "./plan.ts";
import { calmPlan } from "./recorded-crawl.ts";
import { bytesOf, type RecordedAbout, type RecordedLine, type Recording } from "./recording.ts";
import { runToEnd, type RunReport } from "./run.ts";
import type { HostDefinition } from "./site.ts";
import { World } from "./world.ts";

/** The same checks as for a run of a seed: all that was found before and after, each once. */
export async function replay(
  { about, lines }: Recording,
  onLine?: (line: string) => void,
): Promise<RunReport> {
  const plan = planOf(about);
  const world = new World(plan, onLine, about.nowMs);
  await world.open(() => restore(world, lines));
  return await runToEnd(plan, world);
}

function planOf({ partitions, hosts, jobs }: RecordedAbout): Plan {
  const sites = hosts.map(({ pages, disallow, crawlDelayS, ...host }): HostDefinition => ({
    ...host,
    pages: new Map(pages),
    robots: {
      kind: "rules",
      disallow,
      crawlDelayS,
      troubles: 0,
      changesAtMs: Number.POSITIVE_INFINITY,
      laterDisallow: [],
      redirected: false,
    },
  }));
  const plans = jobs.map(({ job, hosts: on }): JobPlan => ({
    job,
    hosts: on,
    isCut: false,
    seeds: on.map((host) => ({ host, path: "/" })),
    lateSeeds: [],
    quiet: [],
    again: false,
  }));
  return calmPlan(partitions, sites, plans);
}

function restore({ cluster, disk }: World, lines: readonly RecordedLine[]): void {
  const logs = new Map<string, { at: TopicPartition; records: BrokerRecord[]; next: number }>();
  const offsets = new Map<string, CommittedOffset[]>();
  const logOf = (at: TopicPartition) => {
    const key = `${at.topic}/${at.partition}`;
    const log = logs.get(key) ?? { at, records: [], next: 0 };
    logs.set(key, log);
    return log;
  };
  for (const line of lines) {
    switch (line.kind) {
      case "about":
        break;
      case "record": {
        const { offset, timestampMs, key, value, headers } = line;
        logOf(line).records.push({
          offset,
          timestampMs,
          key: key === null ? null : Buffer.from(key),
          value: bytesOf(value),
          headers,
        });
        break;
      }
      case "end":
        logOf(line).next = line.offset;
        break;
      case "offset":
        offsets.set(line.group, [...(offsets.get(line.group) ?? []), line]);
        break;
      case "file":
        disk.restore(line.path, line.text);
        break;
      default:
        line satisfies never;
    }
  }
  for (const { at, records, next } of logs.values()) cluster.restoreLog(at, records, next);
  for (const [group, committed] of offsets) cluster.restoreOffsets(group, committed);
}
