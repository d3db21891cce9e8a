/**
 * How fast a whole crawl goes through a real Kafka, and what a page costs:
 * `npm run -s bench -- [hosts] [pages] [all|outcomes]`, of which the last one says what is told of each URL.
 * Prints one line of JSON. The origin runs in this process; CPU and memory are those of the services alone.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveKafka } from "@sluice/local-kafka";
import { Fleet, type ServiceName } from "../tests/fleet/fleet.ts";
import { loopback } from "../tests/fleet/graph.ts";
import { Observer } from "../tests/fleet/observer.ts";
import { Origin, type Page } from "../tests/fleet/origin.ts";

const hosts = Number(process.argv[2] ?? 100);
const pagesPerHost = Number(process.argv[3] ?? 50);
const urlEvents = process.argv[4] === "outcomes" ? "outcomes" : "all";
const services: readonly ServiceName[] = ["frontier", "rate-limit", "fetcher", "result-sink"];

/** Seconds of CPU (user and system) and resident megabytes of a process, from the kernel's own accounting. */
function usage(pid: number): { readonly cpuSeconds: number; readonly rssMb: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const pages = Number(fields[21]);
  return { cpuSeconds: ticks / 100, rssMb: Math.round((pages * 4096) / 1_048_576) };
}

/** About 29 KiB with 60 links, of which a few lead to new pages. */
function page(path: string): Page {
  if (path === "/robots.txt") return { status: 404 };
  const index = path === "/" ? 0 : Number(path.slice(2));
  const links = Array.from(
    { length: 60 },
    (_, link) =>
      `<p>${"text ".repeat(80)}<a href="/p${(index + 1 + link) % pagesPerHost}">link ${link}</a></p>`,
  );
  return {
    body: `<!doctype html><html><head><title>Page ${index}</title></head><body>${links.join("\n")}</body></html>`,
  };
}

const dir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
const kafka = await resolveKafka({
  dataDir: join(dir, "kafka"),
  env: process.env,
  log: (line) => process.stderr.write(`${line}\n`),
});
const addresses = loopback(60, hosts);
const origin = await Origin.start(addresses, (_, path) => page(path));
const prefix = `bench-${process.pid}.`;
const observer = await Observer.open(kafka.brokers, prefix, 12);
const fleet = new Fleet(dir, {
  KAFKA_BROKERS: kafka.brokers.join(","),
  SLUICE_PREFIX: prefix,
  SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
  SLUICE_SINK_DIR: join(dir, "results"),
});
try {
  for (const service of services) fleet.start(service);
  // A first small job warms the processes up; it is not counted.
  await observer.submit({
    id: "warm-up",
    seeds: [origin.url(addresses[0] ?? "")],
    politeness: { delayMs: 0 },
    limits: { maxPages: 20 },
  });
  await observer.ended("warm-up");
  const before = services.map((service) => usage(fleet.pid(service, 0) ?? 0).cpuSeconds);
  const startedAtMs = performance.now();
  await observer.submit({
    id: "bench",
    seeds: addresses.map((address) => origin.url(address)),
    politeness: { delayMs: 0 },
    urlEvents,
  });
  const status = await observer.ended("bench", 1_200_000);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const used = services.map((service) => usage(fleet.pid(service, 0) ?? 0));
  const cpuSeconds = used.reduce((sum, { cpuSeconds: now }, index) => sum + now - (before[index] ?? 0), 0);
  process.stdout.write(
    `${JSON.stringify({
      bench: "crawl",
      url_events: urlEvents,
      hosts,
      pages: status.done,
      seconds: Number(seconds.toFixed(1)),
      pages_per_second: Math.round(status.done / seconds),
      cpu_ms_per_page: Number(((cpuSeconds * 1000) / status.done).toFixed(2)),
      cpu_ms_per_page_by_service: Object.fromEntries(
        services.map((service, index) => [
          service,
          Number(((((used[index]?.cpuSeconds ?? 0) - (before[index] ?? 0)) * 1000) / status.done).toFixed(2)),
        ]),
      ),
      rss_mb: Object.fromEntries(services.map((service, index) => [service, used[index]?.rssMb ?? 0])),
    })}\n`,
  );
} finally {
  await fleet.stop();
  await observer.close();
  await origin.close();
  await kafka.stop();
  rmSync(dir, { recursive: true, force: true });
}
