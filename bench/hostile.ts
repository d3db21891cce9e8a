/**
 * What hostile hosts cost those that answer: `node bench/hostile.ts [hosts] [tarpits, or "threats"] [delay ms] [pages of each] [row]`. The
 * same crawl three times in one fleet on a real Kafka, each time on fresh hosts: alone, beside a crawl of hostile hosts, and
 * alone again, since a machine gets faster as it warms up, or slower as others work on it. The hostile hosts are as many
 * as are asked for that accept a connection and never say a word, or those of the table of docs/security.md, all or of one
 * row. Prints a line of JSON for each, and one with the ratio of the throughput beside them to the mean of those alone.
 * The delay has to be so long that it, and not the machine, is what the pace is limited by: `pages_per_second_max`
 * says what it would allow.
 */
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { freePort } from "@sluice/local-kafka";
import { loopback } from "../tests/fleet/graph.ts";
import { htmlPage, Origin, type Page } from "../tests/fleet/origin.ts";
import type { ServiceName } from "../tests/fleet/fleet.ts";
import { cpuSecondsOf } from "../tests/fleet/process-usage.ts";
import { hostOf, HostileServer, threats } from "../tests/hostile/hostile-server.ts";
import { openCrawlWorld, services } from "./crawl-world.ts";

const hosts = Number(process.argv[2] ?? 1_000);
const kind = process.argv[3] ?? "1000";
const delayMs = Number(process.argv[4] ?? 10_000);
const pagesPerHost = Number(process.argv[5] ?? 4);
const row = process.argv[6];
const urlsPerHostile = 10;

interface HostileHosts {
  readonly hosts: number;
  readonly seeds: readonly string[];
  /** As `SLUICE_FETCHER_RESOLVE` has them. */
  readonly resolve: string;
  /** How often somebody has come. */
  readonly visits: () => number;
  readonly close: () => Promise<void>;
}

/** A chain of pages, so that a host's pace is its delay from the first to the last. */
function page(path: string): Page {
  if (path === "/robots.txt") return { status: 404 };
  const index = path === "/" ? 0 : Number(path.slice(2));
  return htmlPage(path, index + 1 < pagesPerHost ? [`/p${index + 1}`] : []);
}

/** They accept and are silent, on the same port of each address. */
async function silentHosts(addresses: readonly string[]): Promise<HostileHosts> {
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  let accepted = 0;
  let port = 0;
  for (const address of addresses) {
    const server = createServer((socket) => {
      accepted += 1;
      sockets.add(socket);
      socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
    port = (server.address() as { port: number }).port;
    servers.push(server);
  }
  return {
    hosts: addresses.length,
    seeds: addresses.flatMap((address) => numbered(`http://${address}:${port}/`)),
    resolve: "",
    visits: () => accepted,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** Each page of them is its threat; they have no robots.txt, so that their pages are asked for at all. */
async function threatHosts(): Promise<HostileHosts> {
  const server = await HostileServer.start({ robotsTxt: "missing" });
  const chosen = threats.filter((threat) => row === undefined || threat.row === row);
  return {
    hosts: chosen.length,
    seeds: chosen.flatMap((threat) => numbered(new URL("/", server.url(threat)).href)),
    resolve: chosen.map((threat) => `${hostOf(threat)}:${server.port}:127.0.0.1`).join(","),
    visits: () => chosen.reduce((sum, threat) => sum + server.requests(hostOf(threat)), 0),
    close: () => server[Symbol.asyncDispose](),
  };
}

const numbered = (url: string): readonly string[] =>
  Array.from({ length: urlsPerHostile }, (_, n) => `${url}${n}`);

const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const peakMb = (pid: number): number =>
  Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024);

const { fleet, observer, close } = await openCrawlWorld("hostile");
const good = [loopback(70, hosts), loopback(75, hosts), loopback(80, hosts)] as const;
const origin = await Origin.start(
  good.flat(),
  (_, path) => page(path),
  () => undefined,
);
const hostile = await (kind === "threats" ? threatHosts() : silentHosts(loopback(90, Number(kind))));
const adminPorts = new Map<ServiceName, number>();

/** Gauges of queues that may stand in the way; the largest value of each in a phase is told. */
const watched = [
  "sluice_runtime_running_calls",
  "sluice_runtime_slow_calls",
  "sluice_runtime_waiting_calls",
  "sluice_frontier_unanswered_urls",
];

async function watchGauges(signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {};
  while (!signal.aborted) {
    for (const [service, port] of adminPorts) {
      const text = await fetch(`http://127.0.0.1:${port}/metrics`).then((answer) => answer.text());
      for (const metric of watched.filter((each) => each.includes(service) || service === "fetcher")) {
        const values = [...text.matchAll(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))];
        const sum = values.reduce((total, [, value]) => total + Number(value), 0);
        found[metric] = Math.max(found[metric] ?? 0, sum);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return found;
}

const cpuSeconds = (): number =>
  fleet.members.reduce((total, { pid }) => total + (pid === undefined ? 0 : cpuSecondsOf(pid)), 0);

/** Pages a second of a crawl of these hosts. */
async function throughput(id: string, addresses: readonly string[]): Promise<number> {
  const startedAtMs = performance.now();
  const startedCpu = cpuSeconds();
  const over = new AbortController();
  const gauges = watchGauges(over.signal);
  await observer.submit({
    id,
    seeds: addresses.map((address) => origin.url(address)),
    politeness: { delayMs },
    urlEvents: "outcomes",
  });
  const status = await observer.ended(id, 1_200_000);
  if (status.done !== addresses.length * pagesPerHost)
    throw new Error(`${id}: ${status.done} pages of ${addresses.length * pagesPerHost}`);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const perSecond = status.done / seconds;
  over.abort();
  tell({
    phase: id,
    pages: status.done,
    seconds: Number(seconds.toFixed(1)),
    pages_per_second: Number(perSecond.toFixed(1)),
    services_cpu_seconds: Number((cpuSeconds() - startedCpu).toFixed(1)),
    most: await gauges,
  });
  return perSecond;
}

try {
  for (const service of services) {
    const port = await freePort(null);
    if (service === "fetcher" || service === "frontier") adminPorts.set(service, port);
    const resolve = service === "fetcher" ? { SLUICE_FETCHER_RESOLVE: hostile.resolve } : {};
    fleet.start(service, 0, {}, { SLUICE_ADMIN_PORT: String(port), ...resolve });
  }
  await observer.submit({
    id: "warm-up",
    seeds: [origin.url(good[0][0] ?? "", "/p3")],
    politeness: { delayMs: 0 },
  });
  await observer.ended("warm-up");
  // Who has just taken hosts over waits a whole delay before it asks any: that is no pace to compare with.
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  const alone = await throughput("alone", good[0].slice(1));
  const hostileJob = {
    id: "hostile",
    seeds: hostile.seeds.slice(0, 10_000),
    politeness: { delayMs },
    urlEvents: "outcomes",
  } as const;
  await observer.submit(hostileJob);
  await observer.until("the hostile hosts are asked", () => hostile.visits() > 0 || hostile.hosts === 0);
  const beside = await throughput("beside", good[1].slice(1));
  const visits = hostile.visits();
  await observer.submit({ ...hostileJob, desired: "cancelled" });
  await observer.ended("hostile");
  const aloneAgain = await throughput("alone-again", good[2].slice(1));
  const aloneMean = (alone + aloneAgain) / 2;
  tell({
    bench: "hostile",
    hosts: hosts - 1,
    hostile: kind === "threats" ? (row ?? kind) : "silent",
    hostile_hosts: hostile.hosts,
    delay_ms: delayMs,
    pages_per_host: pagesPerHost,
    pages: (hosts - 1) * pagesPerHost,
    pages_per_second_max: Number((((hosts - 1) * 1000) / delayMs).toFixed(1)),
    alone_pages_per_second: Number(aloneMean.toFixed(1)),
    beside_pages_per_second: Number(beside.toFixed(1)),
    ratio: Number((beside / aloneMean).toFixed(3)),
    hostile_visits: visits,
    fetcher_peak_mb: peakMb(fleet.pid("fetcher", 0) ?? 0),
  });
} finally {
  await close();
  await origin.close();
  await hostile.close();
}
