/**
 * How long a page takes on a system that has nothing else to do, what the services weigh then, and how many
 * series they show: `npm run -s bench:latency -- [hosts] [pages]`. Prints one line of JSON. Seeds are written one
 * at a time; the origin, the reader of results and the client of events run in this process, by one clock.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@sluice/local-kafka";
import { startTestKafka } from "@sluice/local-kafka/testing";
import { topics } from "@sluice/records";
import { Fleet, type ServiceName } from "../tests/fleet/fleet.ts";
import { loopback } from "../tests/fleet/graph.ts";
import { Observer } from "../tests/fleet/observer.ts";
import { htmlPage, Origin } from "../tests/fleet/origin.ts";
import { rssMbOf } from "../tests/fleet/process-usage.ts";

const hosts = Number(process.argv[2] ?? 60);
const pages = Number(process.argv[3] ?? 100);
const services: readonly ServiceName[] = ["frontier", "rate-limit", "fetcher", "result-sink", "api"];
const job = "latency";
/** Between a result and the next seed, so that everything is at rest again; of different length, so that no rhythm is met. */
const restMs = (index: number): number => 150 + ((index * 37) % 200);

/** Instants by URL, by the clock of this process. */
const resultMs = new Map<string, number>();
const eventMs = new Map<string, number>();

interface Latencies {
  readonly n: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

function latencies(values: readonly number[]): Latencies {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Number((sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN).toFixed(1));
  return { n: sorted.length, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) };
}

const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const rssMb = (service: ServiceName): number => Math.round(rssMbOf(fleet.pid(service, 0) ?? 0));

async function untilReady(port: number): Promise<void> {
  const limitMs = performance.now() + 60_000;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (answer?.ok === true) return;
    if (performance.now() > limitMs) throw new Error(`nothing is ready at port ${port}`);
    await rest(100);
  }
}

/** Notes when each page's event arrives, until the stream is cut. */
async function followEvents(api: string, signal: AbortSignal): Promise<void> {
  const answer = await fetch(`${api}/v1/jobs/${job}/events`, { signal });
  let text = "";
  for await (const part of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const nowMs = performance.now();
    text += part;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      if (!/^event: url_crawled$/m.test(block)) continue;
      const data = /^data: (.*)$/m.exec(block)?.[1] ?? "{}";
      const { url } = JSON.parse(data) as { readonly url?: string };
      if (url !== undefined) eventMs.set(url, nowMs);
    }
  }
}

const dir = mkdtempSync(join(tmpdir(), "sluice-latency-"));
const kafka = await startTestKafka();
const addresses = loopback(61, hosts + 1);
const origin = await Origin.start(addresses, (host, path) =>
  path === "/robots.txt" ? { status: 404 } : htmlPage(host + path, []),
);
const prefix = `latency-${process.pid}.`;
const observer = await Observer.open(kafka.brokers, prefix, 12);
const apiPort = await freePort(null);
const fleet = new Fleet(dir, {
  KAFKA_BROKERS: kafka.brokers.join(","),
  SLUICE_PREFIX: prefix,
  SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
  SLUICE_SINK_DIR: join(dir, "results"),
  SLUICE_API_PORT: String(apiPort),
});
const seeds = await observer.broker.producer();
const cut = new AbortController();

/** Milliseconds from the send of a seed to its result at a reader with read_committed. */
async function crawlOne(url: string, partition: number): Promise<number> {
  const value = JSON.stringify({ url, job });
  const startMs = performance.now();
  await seeds.send([{ topic: prefix + topics.seeds.name, partition, key: null, value }]);
  await observer.until(url, () => {
    if (!resultMs.has(url) && observer.results.at(-1)?.url === url) resultMs.set(url, performance.now());
    return resultMs.has(url);
  });
  return (resultMs.get(url) ?? Number.NaN) - startMs;
}

async function crawlAll(urls: readonly string[]): Promise<Latencies> {
  const took: number[] = [];
  for (const [index, url] of urls.entries()) {
    took.push(await crawlOne(url, index % 12));
    await rest(restMs(index));
  }
  return latencies(took);
}

try {
  const ports = new Map<ServiceName, number>();
  for (const service of services) {
    ports.set(service, await freePort(null));
    fleet.start(service, 0, { SLUICE_ADMIN_PORT: String(ports.get(service)) });
  }
  for (const port of ports.values()) await untilReady(port);
  await observer.submit({ id: job, open: true, politeness: { delayMs: 0 } });
  await untilReady(apiPort);
  const [warm = "", one = "", ...fresh] = addresses;
  const following = followEvents(`http://127.0.0.1:${apiPort}`, cut.signal).catch(() => undefined);
  await crawlAll(Array.from({ length: 20 }, (_, index) => origin.url(warm, `/warm/${index}`)));
  await crawlOne(origin.url(one, "/first"), 0);
  const measured = origin.log.length;
  const freshHosts = await crawlAll(fresh.map((address) => origin.url(address, "/")));
  const oneHost = await crawlAll(Array.from({ length: pages }, (_, index) => origin.url(one, `/p${index}`)));
  await rest(1000);
  cut.abort();
  await following;
  const told = origin.log
    .slice(measured)
    .filter(({ path }) => path !== "/robots.txt")
    .map(({ host, path, endMs }) => (eventMs.get(origin.url(host, path)) ?? Number.NaN) - endMs);
  const series: Record<string, number> = {};
  for (const [service, port] of ports) {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    series[service] = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  }
  process.stdout.write(
    `${JSON.stringify({
      seed_to_result: { fresh_hosts: freshHosts, one_host: oneHost },
      answer_to_event: latencies(told),
      events_missing: told.filter(Number.isNaN).length,
      rss_mb: Object.fromEntries(services.map((service) => [service, rssMb(service)])),
      series,
    })}\n`,
  );
} finally {
  cut.abort();
  await seeds.close();
  await fleet.stop();
  await observer.close();
  await origin.close();
  await kafka.stop();
  rmSync(dir, { recursive: true, force: true });
}
