import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Fleet } from "../fleet/fleet.ts";
import { loopback } from "../fleet/graph.ts";
import { htmlPage, Origin } from "../fleet/origin.ts";
import { parseResults } from "../fleet/crawl-command.ts";
import { Observer } from "../fleet/observer.ts";
import { testBrokers } from "./brokers.ts";

const hasKcat = spawnSync("kcat", ["-V"]).error === undefined;
if (!hasKcat) process.stderr.write("seeds.test.ts is skipped: kcat not found\n");

const limitMs = 30_000;

/** Runs kcat against the test's Kafka; resolves to the bytes it writes. */
function kcat(args: readonly string[], input: Buffer = Buffer.alloc(0)): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn("kcat", ["-q", "-b", testBrokers().join(","), ...args]);
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
    const out: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => errors.push(bytes));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(Buffer.concat(out));
      else
        reject(new Error(`kcat ${args.join(" ")}: ${signal ?? code}: ${Buffer.concat(errors).toString()}`));
    });
    child.stdin.end(input);
  });
}

describe.skipIf(!hasKcat)(
  "seeds from a client that knows nothing of us, sent with kcat",
  { timeout: 90_000 },
  () => {
    const prefix = `seeds-${process.pid}.`;
    const addresses = loopback(51, 6);
    const dir = mkdtempSync(join(tmpdir(), "sluice-seeds-"));
    let origin: Origin;
    let observer: Observer;
    let fleet: Fleet;

    const url = (index: number, path = "/"): string => origin.url(addresses[index] ?? "", path);
    const send = (text: string | Buffer, ...args: readonly string[]): Promise<Buffer> =>
      kcat(["-P", "-t", `${prefix}crawl.seeds`, ...args], Buffer.from(text));
    const read = (topic: string, format: string): Promise<Buffer> =>
      kcat([
        "-C",
        "-t",
        prefix + topic,
        "-o",
        "beginning",
        "-e",
        "-X",
        "isolation.level=read_committed",
        "-f",
        format,
      ]);
    const hasBoth = (index: number): boolean => {
      const found = observer.results.map((result) => result.url);
      return found.includes(url(index)) && found.includes(url(index, "/one"));
    };

    beforeAll(async () => {
      origin = await Origin.start(addresses, (host, path) => {
        if (path === "/robots.txt") return { status: 404 };
        return htmlPage(host + path, path === "/" ? ["/one"] : []);
      });
      observer = await Observer.open(testBrokers(), prefix, 12);
      fleet = new Fleet(dir, {
        KAFKA_BROKERS: testBrokers().join(","),
        SLUICE_PREFIX: prefix,
        SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
      });
      for (const service of ["frontier", "rate-limit", "fetcher"] as const) fleet.start(service);
    });

    afterAll(async () => {
      await fleet.stop();
      await observer.close();
      await origin.close();
      rmSync(dir, { recursive: true, force: true });
    });

    it("are crawled as bare URL or JSON, with any key, on any partition, while services run", async () => {
      await send(`${url(0)}\n`);
      await observer.until("the first seed", () => hasBoth(0), 40_000);
      // With a key, librdkafka chooses the partition by CRC32, where we would by murmur2.
      await send(`any key|${url(1)}\nanother|${JSON.stringify({ url: url(2) })}\n`, "-K", "|");
      await send(`${JSON.stringify({ url: url(3), job: "default" })}\n`, "-p", "11");
      await observer.until("all seeds", () => [1, 2, 3].every(hasBoth), 30_000);
    });

    it("go to the dead letters with their bytes and the reason where they are malformed, and the next one is crawled", async () => {
      const bad = Buffer.from([0x6e, 0x6f, 0x20, 0xff, 0xfe, 0x21]);
      await send(
        Buffer.concat([Buffer.from("k|"), bad, Buffer.from(`\nk|${url(4)}\n`)]),
        "-p",
        "2",
        "-K",
        "|",
      );
      await send(`{"url": 7}\n${JSON.stringify({ url: url(5) })}\n`, "-p", "3");
      await observer.until("the seeds behind", () => [4, 5].every(hasBoth), 30_000);
      const letters = await read("crawl.seeds.dlq", "%k;%h;");
      const bytes = await read("crawl.seeds.dlq", "%s\n");
      expect(bytes.includes(Buffer.concat([bad, Buffer.from("\n")]))).toBe(true);
      expect(bytes.includes('{"url": 7}\n')).toBe(true);
      const [key, headers = ""] = letters.toString().split(";");
      expect(key).toBe("k");
      expect(headers).toMatch(/dlq\.error\.message=[^,]+/);
      expect(headers).toContain(`dlq.original.topic=${prefix}crawl.seeds`);
      expect(headers).toContain("dlq.original.partition=2");
      expect(bytes.toString("latin1").match(/\n/g)).toHaveLength(2);
    });

    it("lead to results that kcat reads with read_committed, each once", async () => {
      const results = parseResults((await read("crawl.results", "%s\n")).toString());
      const expected = [0, 1, 2, 3, 4, 5].flatMap((index) => [url(index), url(index, "/one")]);
      expect(results.map((result) => result.url).sort()).toEqual(expected.sort());
      expect(results.map(({ job }) => job)).toEqual(results.map(() => "default"));
      const keys = (await read("crawl.results", "%k\n")).toString().trimEnd().split("\n");
      expect(keys.sort()).toEqual(results.map((result) => result.url_id).sort());
    });
  },
);
