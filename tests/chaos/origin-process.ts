/**
 * The crawled web in a process of its own: many hosts on loopback addresses, one access log by one clock.
 * `origin-process.ts OPTIONS-AS-JSON`; prints `{"port":…}` when it listens, ends its files at SIGTERM.
 */
import { createWriteStream, writeFileSync } from "node:fs";
import { Graph, loopback } from "../fleet/graph.ts";
import { Origin } from "../fleet/origin.ts";

export interface OriginProcessOptions {
  /** The second number of the loopback addresses. */
  readonly block: number;
  readonly hosts: number;
  readonly pagesPerHost: number;
  readonly seed: number;
  readonly crossLinks: number;
  readonly accessLog: string;
  /** Where the graph is written, for the verifier. */
  readonly graphFile: string;
}

const options = JSON.parse(process.argv[2] ?? "{}") as OriginProcessOptions;
const addresses = loopback(options.block, options.hosts);
let port = 0;
const graph = new Graph({ ...options, hosts: addresses, port: () => port });
const log = createWriteStream(options.accessLog);
const origin = await Origin.start(
  addresses,
  (host, path) => graph.site(host, path),
  (line) => {
    const { host, path, userAgent, aborted } = line;
    const [start, end] = [line.startMs, line.endMs].map((ms) => performance.timeOrigin + ms);
    log.write(`${JSON.stringify({ host, path, agent: userAgent, start, end, aborted })}\n`);
  },
);
port = origin.port;
const lines = [JSON.stringify({ robots: graph.site(addresses[0] ?? "", "/robots.txt").body })];
for (const page of graph.pages()) lines.push(JSON.stringify(page));
writeFileSync(options.graphFile, `${lines.join("\n")}\n`);
process.stdout.write(`${JSON.stringify({ port })}\n`);

process.once("SIGTERM", () => {
  origin
    .close()
    .then(() => new Promise((resolve) => log.end(resolve)))
    .then(
      () => process.exit(0),
      () => process.exit(1),
    );
});
