/**
 * What a page costs a crawl that never ends, as the URLs that it knows grow:
 * `npm run -s bench:unbounded -- [known URLs] [hosts] [seconds at most]`.
 * The real frontier (step, runtime, state on the disk, one process with all tasks) crawls a generated web without end;
 * Kafka and the other services are generated, and their CPU is told apart. One line of JSON for each mark: 100,000, then
 * 1 and 5 million known URLs. It ends at the last mark, or when the time is over.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  defaultLayout,
  jobSchema,
  partitionOf,
  topicOf,
  partitionsOf,
  topics,
  type Due,
  type Link,
} from "@sluice/records";
import {
  defaultLimits,
  diskStores,
  Service,
  silentProbe,
  systemClock,
  type OutRecord,
} from "@sluice/runtime";
import { nodeEnvironment, nodeFlags } from "@sluice/process";
import { gaugeFrontier } from "../services/frontier/src/gauges.ts";
import { frontierInputs, frontierStep, frontierTables } from "../services/frontier/src/step.ts";
import { answerTo } from "@sluice/records/testing";
import { GeneratedBroker } from "./generated-broker.ts";

// Memory is that of a service only where V8 and the allocator have a service's settings.
if (!nodeFlags.every((flag) => process.execArgv.includes(flag))) {
  const again = [...nodeFlags, import.meta.filename, ...process.argv.slice(2)];
  const env = { ...nodeEnvironment, ...process.env };
  const { status } = spawnSync(process.execPath, again, { env, stdio: "inherit" });
  process.exit(status ?? 1);
}

const knownMax = Number(process.argv[2] ?? 5_000_000);
const hosts = Number(process.argv[3] ?? 20_000);
const secondsMax = Number(process.argv[4] ?? 3600);
const marks = [100_000, 1_000_000, 5_000_000].filter((mark) => mark < knownMax).concat(knownMax);

/** Links of a page: to pages below it, which nobody else links to; to pages of every site's menu; to other hosts. */
const below = 40;
const menu = 14;
const across = 6;
/** Pages answered in one turn, and records of theirs on the way to the frontier beyond which none is. */
const answersMax = 50;
const unreadMax = 5000;
const gaugesEveryMs = 1000;
/** Turns between two looks at how many URLs are known. */
const turnsMax = 3;

const job = "unbounded";
const layout = defaultLayout;
const clock = systemClock();
const domainOf = (host: number): string => `host-${host}.example`;
const urlOf = (host: number, page: number): string =>
  `https://${domainOf(host)}/articles/2026/${page}-a-page-like-others`;
const pattern = /host-(\d+)\.example\/articles\/2026\/(\d+)-/;

let pages = 0;
let changelogBytes = 0;
/** Released and not answered, in order. */
const released: Due[] = [];
let answered = 0;

const broker = new GeneratedBroker({
  nowMs: clock.nowMs,
  partitionsOf: (name) => {
    const topic = topicOf(name);
    if (topic === undefined) throw new Error(`no topic ${name}`);
    return partitionsOf(topic, layout);
  },
  onRecord: (record: OutRecord) => {
    const { topic, key, value } = record;
    switch (topic) {
      case topics.frontierState.name:
        changelogBytes += (key?.length ?? 0) + (value?.length ?? 0);
        return broker.skip(record);
      case topics.due.name:
        released.push(JSON.parse(String(value)) as Due);
        return broker.skip(record);
      case topics.links.name:
      case topics.grants.name:
        return broker.append(record);
      case topics.counters.name:
        return broker.append(record);
      default:
        return broker.skip(record);
    }
  },
});

function send(topic: string, key: string, value: unknown): void {
  broker.append({ topic, partition: partitionOf(key, layout.partitions), key, value: JSON.stringify(value) });
}

/** What the fetcher writes of a page: its links, by the domain they lead to, and its outcome. */
function answer(due: Due): void {
  const [, hostText = "", pageText = ""] = pattern.exec(due.url) ?? [];
  const host = Number(hostText);
  const page = Number(pageText);
  const linkOf = (urls: readonly string[]): Link => ({
    job,
    run: 1,
    kind: "link",
    parent: due.urlId,
    depth: due.depth + 1,
    root: due.root,
    redirects: 0,
    urls: [...urls],
  });
  const here = Array.from({ length: below }, (_, child) => urlOf(host, page * below + child + 1));
  for (let index = 0; index < menu; index += 1) here.push(urlOf(host, index));
  send(topics.links.name, domainOf(host), linkOf(here));
  for (let index = 0; index < across; index += 1) {
    const other = (host * 7 + page * 13 + index * 1009 + 1) % hosts;
    send(topics.links.name, domainOf(other), linkOf([urlOf(other, (page + index) % (menu * 2))]));
  }
  const outcome = answerTo(due, {
    linkRecords: 1 + across,
    links: below + menu + across,
    endedAtMs: clock.nowMs(),
    latencyMs: 20,
  });
  send(topics.outcomes.name, domainOf(host), outcome);
  pages += 1;
}

function answerSome(): void {
  for (let count = 0; count < answersMax && broker.unread < unreadMax; count += 1) {
    const due = released[answered];
    if (due === undefined) break;
    answered += 1;
    answer(due);
  }
  if (answered < 10_000) return;
  released.splice(0, answered);
  answered = 0;
}

const dir = mkdtempSync(join(tmpdir(), "sluice-unbounded-"));
const service = new Service({
  step: frontierStep(),
  inputs: frontierInputs,
  tables: frontierTables,
  changelog: topics.frontierState.name,
  layout,
  broker,
  clock,
  stores: diskStores({ dir, instance: "bench", nowMs: clock.nowMs, onEvent: () => undefined }),
  instance: "bench",
  perform: () => Promise.reject(new Error("the frontier makes no calls")),
  limits: defaultLimits,
  probe: silentProbe,
  onFatal: (error) => {
    throw error;
  },
});
const gauges = gaugeFrontier({ lag: 0, lagMax: 1 });

interface Moment {
  readonly known: number;
  readonly pages: number;
  readonly cpuMs: number;
  readonly generatedMs: number;
}

function moment(): Moment {
  const { user, system } = process.cpuUsage();
  let known = 0;
  for (const { state } of service.states()) for (const view of state.views.values()) known += view.known.size;
  return { known, pages, cpuMs: (user + system) / 1000, generatedMs: broker.cpuMs };
}

const sizeOf = (): number =>
  readdirSync(dir, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(dir, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
const megabytes = (bytes: number): number => Math.round(bytes / 1_048_576);

/** Figures of a page are those since the moment before, which is the last fifth of the way to the mark. */
function tell(mark: number, before: Moment, now: Moment): void {
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const count = now.pages - before.pages;
  const generatedMs = now.generatedMs - before.generatedMs;
  const frontierMs = now.cpuMs - before.cpuMs - generatedMs;
  let hostsWaiting = 0;
  let heads = 0;
  let knownBytes = 0;
  let knownDiskBytes = 0;
  for (const { state } of service.states()) {
    hostsWaiting += state.hosts.size;
    heads += state.heads.held;
    for (const { known } of state.views.values()) {
      knownBytes += known.bytes;
      knownDiskBytes += known.diskBytes;
    }
  }
  // The table of known URLs lies in files without names.
  const bytes = sizeOf() + knownDiskBytes;
  process.stdout.write(
    `${JSON.stringify({
      bench: "unbounded",
      known: now.known,
      is_over: now.known < mark,
      pages: now.pages,
      seconds: round(process.uptime(), 0),
      cpu_seconds: round(now.cpuMs / 1000, 1),
      frontier_cpu_ms_per_page: round(frontierMs / count, 3),
      frontier_cpu_us_per_link: round((frontierMs * 1000) / (count * (below + menu + across))),
      generated_cpu_ms_per_page: round(generatedMs / count, 3),
      rss_mb: megabytes(rss),
      heap_mb: megabytes(heapUsed),
      arrays_mb: megabytes(arrayBuffers),
      external_mb: megabytes(external),
      known_memory_mb: megabytes(knownBytes),
      known_disk_mb: megabytes(knownDiskBytes),
      hosts: hostsWaiting,
      head_urls: heads,
      disk_mb: megabytes(bytes),
      disk_bytes_per_url: round(bytes / now.known, 1),
      changelog_bytes_per_url: round(changelogBytes / now.known, 1),
    })}\n`,
  );
}

/** Seeds are links like others; each is counted as announced by whoever writes it, here by nobody: the crawl has no end. */
function begin(): void {
  const spec = jobSchema.parse({ id: job, scope: { kind: "any" }, politeness: { delayMs: 0 } });
  send(topics.jobs.name, job, spec);
  for (let host = 0; host < Math.min(hosts, 200); host += 1) {
    const url = urlOf(host, 0);
    const seed: Link = {
      job,
      run: 1,
      kind: "seed",
      parent: null,
      depth: 0,
      root: url,
      redirects: 0,
      urls: [url],
    };
    send(topics.links.name, domainOf(host), seed);
  }
}

broker.apart(begin);
await service.start();
let gaugedAtMs = 0;
const isTimeOver = (): boolean => process.uptime() > secondsMax;
try {
  for (const mark of marks) {
    let before: Moment | null = null;
    for (let now = moment(); now.known < mark && !isTimeOver(); now = moment()) {
      if (before === null && now.known >= mark * 0.8) before = now;
      for (let turn = 0; turn < turnsMax; turn += 1) {
        broker.apart(answerSome);
        broker.deliver();
        await new Promise((resolve) => setImmediate(resolve));
      }
      // As a scrape does.
      if (performance.now() - gaugedAtMs < gaugesEveryMs) continue;
      gaugedAtMs = performance.now();
      gauges(service.states(), clock.nowMs());
    }
    tell(mark, before ?? moment(), moment());
    if (isTimeOver()) break;
  }
} finally {
  await service.stop();
  rmSync(dir, { recursive: true, force: true });
}
