/**
 * What circuit breakers cost that nobody asks anything of: CPU of a process that holds many, beside one that holds none.
 * `node bench/idle-breakers.ts [hosts] [seconds]` writes one line of JSON.
 */
import { Breakers, type FetchAnswer } from "@sluice/http";

const hosts = Number(process.argv[2] ?? 10_000);
const seconds = Number(process.argv[3] ?? 10);

const answer: FetchAnswer = {
  kind: "failed",
  category: "connect",
  code: "ECONNREFUSED",
  message: "",
  requestSent: false,
  durationMs: 0,
};

async function idleShare(): Promise<number> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - startedMs);
}

const without = await idleShare();
const rssBefore = process.memoryUsage().rss;
const breakers = new Breakers({ fetch: async () => answer }, { nowMs: Date.now, breakersMax: hosts });
const request = {
  url: "http://a.example/",
  connectTimeoutMs: 1,
  headersTimeoutMs: 1,
  bodyTimeoutMs: 1,
  totalTimeoutMs: 1,
  bodyBytesMax: 1,
  onTooLarge: "truncate",
} as const;
// Every tenth is open, the others have counted a failure.
for (let host = 0; host < hosts; host += 1)
  for (let times = 0; times < (host % 10 === 0 ? 5 : 1); times += 1)
    await breakers.fetch(`h${host}.example`, request, new AbortController().signal);
const counts = breakers.counts();
const timers = process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
// What making them left for the garbage collector is no cost of idling.
await new Promise((resolve) => setTimeout(resolve, 5000));
const rssAfter = process.memoryUsage().rss;
const withBreakers = await idleShare();
process.stdout.write(
  `${JSON.stringify({
    bench: "idle-breakers",
    hosts,
    seconds,
    open: counts.open,
    timers,
    cpuShareWithout: Number(without.toFixed(5)),
    cpuShareWith: Number(withBreakers.toFixed(5)),
    cpuShareOfBreakers: Number(Math.max(0, withBreakers - without).toFixed(5)),
    rssBytesPerHost: Math.round((rssAfter - rssBefore) / hosts),
  })}\n`,
);
