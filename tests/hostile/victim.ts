/**
 * A fetcher's shell in a process of its own, as threats meet it: breakers, guard, limits, decoding and reading.
 * Reads one line of JSON, {@link VictimOrder}, from its input; prints one line of JSON for each threat, and ends.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { Breakers, createHttpClient } from "@sluice/http";
import { jobSchema, type JobInput } from "@sluice/records";
import type { FetchOutcome } from "../../services/fetcher/src/calls.ts";
import { performFetches } from "../../services/fetcher/src/perform.ts";
import { bodyReader } from "../../services/fetcher/src/reading/reader.ts";
import { noWait } from "../../services/fetcher/test/answers.ts";
import { plainRequests } from "../../services/fetcher/test/plain-requests.ts";

export interface VictimOrder {
  readonly port: number;
  /** One group after the other, the targets of a group side by side. */
  readonly groups: readonly (readonly VictimTarget[])[];
  /** What can be collected is, before each target: else what one leaves behind counts for the next. */
  readonly collects: boolean;
}

export interface VictimTarget {
  readonly name: string;
  readonly url: string;
  readonly fetch: NonNullable<JobInput["fetch"]>;
  /** How many fetches of it run at once. */
  readonly times: number;
}

export interface VictimReport {
  readonly name: string;
  /** Those of all its fetches, each once. */
  readonly categories: readonly string[];
  readonly codes: readonly string[];
  readonly truncated: boolean | null;
  readonly title: string | null;
  readonly links: number;
  readonly bodyBytes: number;
  /** From the first fetch asked for to the last one answered. */
  readonly tookMs: number;
  /** How far the resident memory rose above what it was before; of a group, by all of it. */
  readonly grownBytes: number;
  /** Resident memory before it, and the most during it. */
  readonly residentBytes: number;
  readonly peakBytes: number;
}

const order = JSON.parse(await text(process.stdin)) as VictimOrder;
const hosts = order.groups.flat().map(({ url }) => new URL(url).hostname);
const client = createHttpClient({
  userAgent: "sluice-test/1.0",
  isAllowed: (ip) => ({ allowed: ip === "127.0.0.1", reason: "not the hostile server" }),
  resolve: new Map(hosts.map((host) => [`${host}:${order.port}`, "127.0.0.1"])),
});
const reader = bodyReader();
const perform = performFetches(
  new Breakers(client, { nowMs: () => performance.now() }),
  plainRequests(),
  reader,
  () => performance.now(),
);

for (const group of order.groups) await Promise.all(group.map(meet));
await Promise.all([client.destroy(), reader.close()]);

async function meet({ name, url, fetch, times }: VictimTarget): Promise<void> {
  const call = {
    kind: "page" as const,
    domain: new URL(url).hostname,
    url,
    fetch: jobSchema.parse({ id: "victim", fetch }).fetch,
    policy: {},
    ...noWait,
  };
  const before = residentBytes();
  const startedAtMs = performance.now();
  const outcomes = await Promise.all(
    Array.from({ length: times }, () => perform(call, new AbortController().signal)),
  );
  const tookMs = Math.round(performance.now() - startedAtMs);
  const memory = { residentBytes: before, peakBytes: peakBytes() };
  process.stdout.write(`${JSON.stringify(reportOf(name, outcomes, tookMs, memory))}\n`);
}

function reportOf(
  name: string,
  outcomes: readonly FetchOutcome[],
  tookMs: number,
  memory: Pick<VictimReport, "residentBytes" | "peakBytes">,
): VictimReport {
  const pages = outcomes.flatMap((outcome) => (outcome.kind === "page" ? [outcome] : []));
  const first = pages[0];
  const response = first?.answer.kind === "response" ? first.answer : null;
  return {
    name,
    categories: [...new Set(pages.map(({ answer }) => categoryNameOf(answer)))],
    codes: [...new Set(pages.flatMap(({ answer }) => (answer.kind === "failed" ? [answer.code] : [])))],
    truncated: response?.truncated ?? null,
    title: first?.content?.title ?? null,
    links: first?.content?.links.length ?? 0,
    bodyBytes: response?.bodyBytes ?? 0,
    tookMs,
    grownBytes: Math.max(0, memory.peakBytes - memory.residentBytes),
    ...memory,
  };
}

/** As a result tells it. */
function categoryNameOf(answer: Extract<FetchOutcome, { kind: "page" }>["answer"]): string {
  if (answer.kind === "breaker_open") return answer.kind;
  if (answer.kind === "failed") return answer.category;
  if (answer.status >= 400) return answer.status >= 500 ? "http_5xx" : "http_4xx";
  return answer.status >= 300 ? "redirect" : "ok";
}

/** What is resident now; the peak begins anew (proc(5), clear_refs). */
function residentBytes(): number {
  if (order.collects) globalThis.gc?.();
  writeFileSync("/proc/self/clear_refs", "5");
  return statusBytes("VmRSS");
}

function peakBytes(): number {
  return statusBytes("VmHWM");
}

function statusBytes(field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(
    readFileSync("/proc/self/status", "utf8"),
  )?.[1];
  return Number(kibibytes) * 1024;
}
