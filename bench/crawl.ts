/**
 * How fast a whole crawl goes through a real Kafka, and what a page costs:
 * `npm run -s bench -- [hosts] [pages] [all|outcomes]`, of which the last one says what is told of each URL.
 * Prints one line of JSON. The origin runs in this process; CPU and memory are those of the services alone.
 */
import { loopback } from "../tests/fleet/graph.ts";
import { Origin, type Page } from "../tests/fleet/origin.ts";
import { cpuSecondsOf, rssMbOf } from "../tests/fleet/process-usage.ts";
import { openCrawlWorld, services } from "./crawl-world.ts";

const hosts = Number(process.argv[2] ?? 100);
const pagesPerHost = Number(process.argv[3] ?? 50);
const urlEvents = process.argv[4] === "outcomes" ? "outcomes" : "all";

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

const addresses = loopback(60, hosts);
const { fleet, observer, close } = await openCrawlWorld("bench");
const origin = await Origin.start(addresses, (_, path) => page(path));
const pidOf = (service: (typeof services)[number]): number => fleet.pid(service, 0) ?? 0;
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
  const before = services.map((service) => cpuSecondsOf(pidOf(service)));
  const startedAtMs = performance.now();
  await observer.submit({
    id: "bench",
    seeds: addresses.map((address) => origin.url(address)),
    politeness: { delayMs: 0 },
    urlEvents,
  });
  const status = await observer.ended("bench", 1_200_000);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const used = services.map((service, index) => cpuSecondsOf(pidOf(service)) - (before[index] ?? 0));
  const cpuSeconds = used.reduce((sum, each) => sum + each, 0);
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
          Number((((used[index] ?? 0) * 1000) / status.done).toFixed(2)),
        ]),
      ),
      rss_mb: Object.fromEntries(services.map((service) => [service, Math.round(rssMbOf(pidOf(service)))])),
    })}\n`,
  );
} finally {
  await close();
  await origin.close();
}
