/**
 * The web of a crawl test, in a container whose names in the network are its hosts:
 *   node origin-main.ts '{"hosts":[…],"pagesPerHost":20,"seed":1,"port":8080}'
 * Writes one line of JSON for each request when it has been answered.
 */
import { createServer } from "node:http";
import { Graph } from "../fleet/graph.ts";

const { hosts, pagesPerHost, seed, port } = JSON.parse(process.argv[2] ?? "") as OriginPlan;
const graph = new Graph({ hosts, pagesPerHost, seed, crossLinks: 2, port: () => port });

export interface OriginPlan {
  readonly hosts: readonly string[];
  readonly pagesPerHost: number;
  readonly seed: number;
  readonly port: number;
}

createServer((request, response) => {
  const startMs = performance.now();
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  const path = request.url ?? "/";
  const { status = 200, headers, body = "" } = graph.site(host, path);
  response.once("close", () => {
    const line = { host, path, startMs, endMs: performance.now(), aborted: !response.writableFinished };
    process.stdout.write(`${JSON.stringify({ ...line, userAgent: request.headers["user-agent"] ?? "" })}\n`);
  });
  response.writeHead(status, { "content-type": "text/html; charset=utf-8", ...headers });
  response.end(body);
}).listen(port, () => process.stdout.write("listening\n"));

process.once("SIGTERM", () => process.exit(0));
