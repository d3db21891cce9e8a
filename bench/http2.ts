/**
 * Whether HTTP/2 gains anything for a crawler, which asks one host one thing at a time:
 * `node bench/http2.ts [requests]`. Pages of 29 KiB over TLS on loopback, one after the other on one connection,
 * and on a new connection each. The server is a process of its own; CPU is that of the client. Prints one line of JSON.
 */
import { fork } from "node:child_process";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { Client } from "undici";
import { testCertificate, testKey } from "../libs/http/test/test-certificate.ts";

const body = Buffer.alloc(29_696, "p");

if (process.send === undefined) await measure(Number(process.argv[2] ?? 2_000));
else {
  const server = createSecureServer(
    { allowHTTP1: true, key: testKey, cert: testCertificate },
    (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end(body),
  );
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
  process.once("disconnect", () => process.exit());
}

async function measure(requests: number): Promise<void> {
  const server = fork(import.meta.filename);
  const port = await new Promise<number>((resolve) =>
    server.once("message", (value) => resolve(Number(value))),
  );
  const origin = `https://127.0.0.1:${port}`;
  const found: Record<string, object> = {};
  // By turns, so that a machine that gets slower does so for both; the first round warms up.
  for (const round of [0, 1]) {
    for (const allowH2 of [false, true]) {
      const kept = await timed(requests, async () => {
        const client = clientOf(origin, allowH2);
        for (let n = 0; n < requests; n += 1) await ask(client);
        await client.close();
      });
      const opened = Math.ceil(requests / 10);
      const fresh = await timed(opened, async () => {
        for (let n = 0; n < opened; n += 1) {
          const client = clientOf(origin, allowH2);
          await ask(client);
          await client.close();
        }
      });
      if (round === 1) found[allowH2 ? "http2" : "http1"] = { one_connection: kept, connection_each: fresh };
    }
  }
  server.disconnect();
  process.stdout.write(`${JSON.stringify({ bench: "http2", requests, ...found })}\n`);
}

function clientOf(origin: string, allowH2: boolean): Client {
  return new Client(origin, { allowH2, pipelining: 1, connect: { rejectUnauthorized: false } });
}

async function ask(client: Client): Promise<void> {
  const { body: stream } = await client.request({ method: "GET", path: "/" });
  await stream.dump();
}

async function timed(requests: number, run: () => Promise<void>): Promise<object> {
  const cpu = process.cpuUsage();
  const startedAtMs = performance.now();
  await run();
  const tookMs = performance.now() - startedAtMs;
  const { user, system } = process.cpuUsage(cpu);
  return {
    ms_per_request: Number((tookMs / requests).toFixed(3)),
    client_cpu_ms_per_request: Number(((user + system) / 1000 / requests).toFixed(3)),
  };
}
