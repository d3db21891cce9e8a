/**
 * What known URLs cost a frontier task: `npm run -s bench:frontier -- [known] [waiting share]`.
 * Prints one line of JSON; without a number one each for 100,000, 1 and 10 million. A process of its own writes the state as a task does that has nothing but its changelog,
 * a second one resumes it from the disk and checks links against it. Rates are for a second of CPU, so that other
 * work on the machine does not count; seconds of the wall clock are beside them.
 */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jobSchema, partitionOf, topics, type Link } from "@sluice/records";
import { diskStores, RestoreBuffer, type TaskStore } from "@sluice/runtime";
import {
  MemoryScratch,
  OrderedMap,
  Overlay,
  parsedEntries,
  parsedReads,
  type StepContext,
} from "@sluice/topology";
import { urlIdOf } from "@sluice/web";
import { storedWaiting } from "../services/frontier/src/core/entry.ts";
import { JobView } from "../services/frontier/src/core/job-view.ts";
import { keys } from "../services/frontier/src/core/keys.ts";
import { KnownUrls } from "../services/frontier/src/core/known-urls.ts";
import { settledText, urlsMax } from "../services/frontier/src/core/settled-block.ts";
import { frontierStep, type FrontierRecord } from "../services/frontier/src/step.ts";

const sizes = process.argv[2] === undefined ? [100_000, 1_000_000, 10_000_000] : [Number(process.argv[2])];
/** Of the processes that measure, each of which has one size. */
const known = sizes[0] ?? 0;
const waitingShare = Number(process.argv[3] ?? 0.1);
const hosts = 1000;
const job = "bench";
const nowMs = 1_700_000_000_000;
/** Records of a changelog that one fetch brings. */
const batchMax = 2000;
/** Links on a page. */
const linksMax = 60;

const domainOf = (index: number): string => `host-${index % hosts}.example`;
const urlOf = (index: number): string =>
  `https://${domainOf(index)}/articles/2026/${index}-a-page-like-others`;

/** URLs that are asked for; of the others only the ids are needed, and those of random URLs are random. */
const real = Math.min(known, 600_000);
let random = Buffer.alloc(0);
function someId(): string {
  if (random.length === 0) random = randomBytes(65_536);
  const id = random.toString("hex", 0, 16);
  random = random.subarray(16);
  return id;
}

interface Spent {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

function spent<T>(act: () => T): { readonly answer: T } & Spent {
  const cpu = process.cpuUsage();
  const fromMs = performance.now();
  const answer = act();
  const { user, system } = process.cpuUsage(cpu);
  return { answer, seconds: (performance.now() - fromMs) / 1000, cpuSeconds: (user + system) / 1_000_000 };
}

const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

function open(dir: string): { readonly store: TaskStore; readonly close: () => void } {
  const stores = diskStores({ dir, instance: "bench", nowMs: () => nowMs, onEvent: () => undefined });
  return { store: stores.open(0, nowMs), close: () => stores.close() };
}

type Change = readonly [key: Buffer, value: Buffer];

/** The compacted changelog of a task: its view of the job, settled URLs in blocks, and URLs that wait. */
function* changelog(): Generator<Change, { readonly text: number }, undefined> {
  const change = (key: string, value: unknown): Change => [
    Buffer.from(key),
    Buffer.from(JSON.stringify(value)),
  ];
  const view = new JobView(job, 1, 1, new KnownUrls(new MemoryScratch(), 1));
  const waiting = Math.round(known * waitingShare);
  Object.assign(view.tally, { received: 1, announced: 1, admitted: known, done: known - waiting });
  yield change(keys.view(job), view.stored());
  const settled = known - waiting;
  for (let first = 0, block = 0; first < settled; first += hosts * urlsMax, block += 1)
    for (let host = first; host < Math.min(first + hosts, settled); host += 1) {
      let text = "";
      for (let index = host; index < Math.min(first + hosts * urlsMax, settled); index += hosts)
        text += settledText(index < real ? urlIdOf(urlOf(index)) : someId(), "done", 3);
      yield change(keys.settled(1, domainOf(host), block), text);
    }
  let text = 0;
  for (let index = known - waiting; index < known; index += 1) {
    const url = urlOf(index);
    text += url.length;
    const entry = {
      url,
      urlId: urlIdOf(url),
      domain: domainOf(index),
      depth: 3,
      root: `https://${domainOf(index)}/`,
      parent: urlIdOf(urlOf(index % 1000)),
      redirects: 0,
      priority: 50,
      place: index,
      attempt: 1,
      releases: 0,
      visit: 1,
      granted: false,
      sitemap: 0,
      units: [],
      stray: false,
      leaseUntilMs: 0,
      dueAtMs: 0,
      delayedBy: null,
    };
    yield change(keys.queued(1, entry), storedWaiting(entry, null));
  }
  return { text };
}

/** As the runtime restores a task: batch after batch into the store, then the state is built. */
function rebuild(dir: string): object {
  const { store, close } = open(dir);
  const buffer = new RestoreBuffer(store);
  const source = changelog();
  let took: Spent = { seconds: 0, cpuSeconds: 0 };
  const add = (more: Spent): void => {
    took = { seconds: took.seconds + more.seconds, cpuSeconds: took.cpuSeconds + more.cpuSeconds };
  };
  let bytes = 0;
  let records = 0;
  let text = 0;
  for (let isOver = false; !isOver;) {
    const batch: Change[] = [];
    while (batch.length < batchMax) {
      const next = source.next();
      if (next.done === true) {
        ({ text } = next.value);
        isOver = true;
        break;
      }
      batch.push(next.value);
    }
    for (const [key, value] of batch) bytes += key.length + value.length;
    records += batch.length;
    add(
      spent(() =>
        buffer.add(
          batch.map(([key, value]) => [key.toString("utf8"), value.toString("utf8")] as const),
          records,
        ),
      ),
    );
  }
  add(spent(() => buffer.flush()));
  add(spent(() => store.checkpoint(nowMs)));
  add(spent(() => frontierStep().load(parsedEntries(store), store.scratch())));
  close();
  return {
    changelog_records: records,
    changelog_bytes_per_url: round(bytes / known),
    changelog_bytes_per_url_beside_text: round((bytes - text) / known),
    rebuild_urls_per_cpu_second: Math.round(known / took.cpuSeconds),
    rebuild_seconds: round(took.seconds),
    text,
  };
}

function sizeOf(dir: string): number {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(dir, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

function resume(dir: string): object {
  const step = frontierStep();
  const { answer, ...took } = spent(() => {
    const { store } = open(dir);
    return { store, state: step.load(parsedEntries(store), store.scratch()) };
  });
  const { state, store } = answer;
  let changes = new OrderedMap<string | null>();
  const context: StepContext = {
    task: 0,
    tasks: 1,
    epoch: 1,
    assignedAtMs: nowMs,
    entries: parsedReads(() => new Overlay(store, changes)),
    tables: { [topics.jobs.name]: new Map([[job, jobSchema.parse({ id: job, scope: { kind: "any" } })]]) },
    partitionOf: (key) => partitionOf(key, 1),
  };
  let offset = 0;
  let applied = 1_000_000_000;
  /** One page's links, and what a transaction of every 50 of them leaves in the store. */
  const check = (first: number, stride: number): void => {
    const urls = Array.from({ length: linksMax }, (_, link) => urlOf(first + link * stride * hosts));
    const value: Link = {
      job,
      run: 1,
      kind: "link",
      parent: null,
      depth: 4,
      root: null,
      redirects: 0,
      urls,
    };
    const record = { topic: topics.links.name, partition: 0, offset, key: domainOf(first), value };
    const input = { ...record, id: `l/0/${offset}`, headers: {}, timestampMs: nowMs } as FrontierRecord;
    offset += 1;
    for (const effect of step.step(state, { kind: "record", record: input }, nowMs, context)) {
      if (effect.kind === "put")
        changes.set(effect.key, effect.value === null ? null : JSON.stringify(effect.value));
      else if (effect.kind === "send") JSON.stringify(effect.value);
    }
    if (offset % 50 !== 0) return;
    applied += 1;
    store.apply(changes, applied);
    changes = new OrderedMap();
  };
  const pages = 8000;
  const span = Math.max(1, Math.floor((real * (1 - waitingShare)) / hosts / linksMax));
  const firstOf = (page: number): number =>
    (page * 7919) % Math.max(1, Math.floor(real * (1 - waitingShare)) - span * hosts * (linksMax - 1));
  for (let page = 0; page < pages; page += 1) check(firstOf(page), span);
  const checked = spent(() => {
    for (let page = 0; page < pages; page += 1) check(firstOf(page * 13), span);
  });
  const links = pages * linksMax;
  const rss = process.memoryUsage().rss;
  const table = state.views.get(job)?.known;
  const admitted = spent(() => {
    for (let page = 0; page < 500; page += 1) check(known + page * hosts * linksMax + (page % hosts), 1);
  });
  return {
    resume_seconds: round(took.seconds),
    resume_cpu_seconds: round(took.cpuSeconds),
    rss_mb: Math.round(rss / 1_048_576),
    known_memory_bytes_per_url: round((table?.bytes ?? 0) / known),
    known_disk_bytes_per_url: round((table?.diskBytes ?? 0) / known),
    checks_per_cpu_second: Math.round(links / checked.cpuSeconds),
    us_per_check: round((checked.cpuSeconds * 1_000_000) / links, 3),
    admissions_per_cpu_second: Math.round((500 * linksMax) / admitted.cpuSeconds),
  };
}

async function measure(size: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const child = (name: string): Promise<Record<string, number>> =>
    new Promise((resolve, reject) => {
      const process_ = fork(import.meta.filename, [String(size), String(waitingShare), name, dir]);
      process_.once("message", (answer) => resolve(answer as Record<string, number>));
      process_.once("exit", (code) => reject(new Error(`${name} ended with ${code}`)));
    });
  try {
    const { text = 0, ...rebuilt } = await child("rebuild");
    const bytes = sizeOf(dir);
    const resumed = await child("resume");
    process.stdout.write(
      `${JSON.stringify({
        bench: "frontier",
        known: size,
        waiting: Math.round(size * waitingShare),
        ...rebuilt,
        disk_bytes_per_url: round(bytes / size),
        disk_bytes_per_url_beside_text: round((bytes - text) / size),
        ...resumed,
      })}\n`,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const [, , , , part, dirGiven = ""] = process.argv;
if (part === "rebuild") process.send?.(rebuild(dirGiven));
else if (part === "resume") process.send?.(resume(dirGiven));
else for (const size of sizes) await measure(size);
