/**
 * What hosts that keep every request waiting cost those that answer:
 * `node bench/hostile.ts [hosts] [tarpits] [delay ms]`. The same crawl twice in one fleet on a real Kafka, each
 * time on fresh hosts: alone, and beside a crawl of as many hosts that accept a connection and never say a word.
 * Prints one line of JSON; the ratio is the throughput beside them to that alone.
 */
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { loopback } from "../tests/fleet/graph.ts";
import { htmlPage, Origin, type Page } from "../tests/fleet/origin.ts";
import { openCrawlWorld, services } from "./crawl-world.ts";

const hosts = Number(process.argv[2] ?? 1_000);
const tarpits = Number(process.argv[3] ?? 1_000);
const delayMs = Number(process.argv[4] ?? 10_000);
const pagesPerHost = 4;
const urlsPerTarpit = 10;

/** A chain of pages, so that a host's pace is its delay from the first to the last. */
function page(path: string): Page {
  if (path === "/robots.txt") return { status: 404 };
  const index = path === "/" ? 0 : Number(path.slice(2));
  return htmlPage(path, index + 1 < pagesPerHost ? [`/p${index + 1}`] : []);
}

/** Accepts and is silent. Listens on the same port of each address. */
async function silentHosts(addresses: readonly string[]) {
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
    port,
    accepted: () => accepted,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

const peakMb = (pid: number): number =>
  Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024);

const { fleet, observer, close } = await openCrawlWorld("hostile");
const first = loopback(70, hosts);
const second = loopback(80, hosts);
const origin = await Origin.start(
  [...first, ...second],
  (_, path) => page(path),
  () => undefined,
);
const silent = await silentHosts(loopback(90, tarpits));

/** Pages a second of a crawl of these hosts. */
async function throughput(id: string, addresses: readonly string[]): Promise<number> {
  const startedAtMs = performance.now();
  await observer.submit({
    id,
    seeds: addresses.map((address) => origin.url(address)),
    politeness: { delayMs },
    urlEvents: "outcomes",
  });
  const status = await observer.ended(id, 1_200_000);
  if (status.done !== addresses.length * pagesPerHost)
    throw new Error(`${id}: ${status.done} pages of ${addresses.length * pagesPerHost}`);
  return status.done / ((performance.now() - startedAtMs) / 1000);
}

try {
  for (const service of services) fleet.start(service);
  await observer.submit({
    id: "warm-up",
    seeds: [origin.url(first[0] ?? "", "/p3")],
    politeness: { delayMs: 0 },
  });
  await observer.ended("warm-up");
  const alone = await throughput("alone", first.slice(1));
  const seeds = loopback(90, tarpits).flatMap((address) =>
    Array.from({ length: urlsPerTarpit }, (_, n) => `http://${address}:${silent.port}/${n}`),
  );
  await observer.submit({
    id: "silent",
    seeds: seeds.slice(0, 10_000),
    politeness: { delayMs },
    urlEvents: "outcomes",
  });
  await observer.until("the silent hosts are asked", () => silent.accepted() > 0 || tarpits === 0);
  const beside = await throughput("beside", second.slice(1));
  process.stdout.write(
    `${JSON.stringify({
      bench: "hostile",
      hosts: hosts - 1,
      tarpits,
      delay_ms: delayMs,
      pages: (hosts - 1) * pagesPerHost,
      alone_pages_per_second: Number(alone.toFixed(1)),
      beside_pages_per_second: Number(beside.toFixed(1)),
      ratio: Number((beside / alone).toFixed(3)),
      tarpit_connections: silent.accepted(),
      fetcher_peak_mb: peakMb(fleet.pid("fetcher", 0) ?? 0),
    })}\n`,
  );
} finally {
  await close();
  await origin.close();
  await silent.close();
}
