/** The client library against a live crawl: what a program that uses Sluice would do. */
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { filter, foldByKey, map, openClient, type Client } from "@sluice/client";
import type { Result, Seed } from "@sluice/records";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Fleet } from "../fleet/fleet.ts";
import { loopback } from "../fleet/graph.ts";
import { Observer } from "../fleet/observer.ts";
import { htmlPage, Origin } from "../fleet/origin.ts";
import { testBrokers } from "./brokers.ts";

const pages = 10;

describe("a program with the client library", { timeout: 180_000 }, () => {
  const prefix = `client-${process.pid}.`;
  const addresses = loopback(57, 10);
  const dir = mkdtempSync(join(tmpdir(), "sluice-client-"));
  let origin: Origin;
  let observer: Observer;
  let fleet: Fleet;
  let client: Client;

  /** One host in ten has no pages. */
  const urls = (): readonly string[] =>
    addresses.flatMap((address) =>
      Array.from({ length: pages }, (_, page) => origin.url(address, `/${page}`)),
    );
  const urlsOf = (results: Iterable<Result>): readonly string[] =>
    [...results].map(({ url }) => url).toSorted();

  beforeAll(async () => {
    origin = await Origin.start(addresses, (host, path) =>
      path === "/robots.txt" || host === addresses[0] ? { status: 404 } : htmlPage(host + path, ["/next"]),
    );
    observer = await Observer.open(testBrokers(), prefix, 4);
    fleet = new Fleet(dir, {
      KAFKA_BROKERS: testBrokers().join(","),
      SLUICE_PREFIX: prefix,
      SLUICE_PARTITIONS: "4",
      SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
    });
    for (const service of ["frontier", "rate-limit", "fetcher"] as const) fleet.start(service, 0);
    client = await openClient({ prefix }, { KAFKA_BROKERS: testBrokers().join(",") });
  });
  afterAll(async () => {
    await client.close();
    await fleet.stop();
    await observer.close();
    await origin.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it("crawls many URLs by one call; failures are counted, none is lost, none comes twice", async () => {
    const seen: Result[] = [];
    const progress: number[] = [];
    const crawl = await client.crawl(urls(), {
      job: { id: "many", politeness: { delayMs: 20 } },
      onResult: (result) => void seen.push(result),
      onProgress: ({ done, failed }) => progress.push(done + failed),
      concurrency: 4,
    });
    expect(urlsOf(seen)).toEqual([...urls()].toSorted());
    expect(crawl.status).toMatchObject({ finishReason: "completed", done: 90, failed: 10 });
    expect(crawl.outcomes).toEqual(
      new Map([
        ["ok", 90],
        ["http_4xx", 10],
      ]),
    );
    expect(progress.at(-1)).toBe(100);
  });

  it("reads seeds from a file of JSON lines, and writes results into a database in batches, each row once", async () => {
    const file = join(dir, "seeds.jsonl");
    writeFileSync(
      file,
      urls()
        .map((url) => `${JSON.stringify({ url, rank: 1 })}\n`)
        .join(""),
    );
    async function* seeds(): AsyncGenerator<Seed> {
      for await (const line of createInterface({ input: createReadStream(file) }))
        yield { url: (JSON.parse(line) as { url: string }).url };
    }
    const database = new DatabaseSync(join(dir, "results.sqlite"));
    database.exec("CREATE TABLE results (result_id TEXT PRIMARY KEY, url TEXT, host TEXT, status INTEGER)");
    const upsert = database.prepare(
      "INSERT INTO results VALUES (?, ?, ?, ?) ON CONFLICT (result_id) DO UPDATE SET status = excluded.status",
    );
    await client.submit({
      id: "file",
      open: true,
      scope: { kind: "any" },
      limits: { maxDepth: 0 },
      politeness: { delayMs: 20 },
    });
    expect(await client.sendSeeds(seeds(), "file")).toBe(100);
    const sizes: number[] = [];
    const reading = client.results({ group: "database", job: "file", demandMax: 20 });
    let rows = 0;
    for await (const batch of reading.batches({ sizeMax: 25, lingerMs: 500 })) {
      sizes.push(batch.length);
      for (const { result_id, url, host, status } of batch) upsert.run(result_id, url, host, status);
      rows = Number(database.prepare("SELECT count(*) AS n FROM results").get()?.["n"]);
      if (rows === 100) break;
    }
    const stored = database.prepare("SELECT url FROM results ORDER BY url").all();
    database.close();
    expect(stored.map(({ url }) => url)).toEqual([...urls()].toSorted());
    expect(Math.max(...sizes)).toBeLessThanOrEqual(25);
  });

  it("has all results in each of its groups, and counts pages by host", async () => {
    for (const group of ["one", "two"]) {
      const all: Result[] = [];
      for await (const result of client.results({ group, job: "many" })) {
        all.push(result);
        if (all.length === 100) break;
      }
      const byHost = await foldByKey(
        all,
        ({ host }) => host,
        0,
        (count) => count + 1,
      );
      expect(byHost).toEqual(new Map(addresses.map((address) => [address, pages])));
    }
    const ok = filter(client.results({ group: "three", job: "many" }), ({ status }) => status === 200);
    const titles: string[] = [];
    for await (const title of map(ok, (result) => result.title ?? "")) {
      titles.push(title);
      if (titles.length === 90) break;
    }
    expect(new Set(titles).size).toBe(90);
  });
});
