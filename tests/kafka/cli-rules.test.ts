import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Result } from "@sluice/records";
import {
  commandLine,
  CrawlCommand,
  parseResults,
  readResults,
  readSummary,
  unaccounted,
} from "../fleet/crawl-command.ts";
import { loopback } from "../fleet/graph.ts";
import { htmlPage, Origin, politenessViolations, type AccessLine } from "../fleet/origin.ts";
import { testBrokers } from "./brokers.ts";

const loopbackToo = commandLine("--allow-private 127.0.0.0/8");

describe("sluice crawl of a web with rules and faults", { timeout: 180_000 }, () => {
  const [polite = "", faulty = "", dead = ""] = loopback(49, 3);
  const contact = "https://crawler.example/about";
  let site: Origin;
  let command: CrawlCommand;
  let results: readonly Result[];
  let summary: Readonly<Record<string, unknown>>;

  const requests = (host: string, path: string): readonly AccessLine[] =>
    site.log.filter((line) => line.host === host && line.path === path);
  const resultOf = (host: string, path: string): Result | undefined =>
    results.find(({ url }) => url === site.url(host, path));

  beforeAll(async () => {
    const dir = mkdtempSync(join(tmpdir(), "sluice-cli-"));
    site = await Origin.start([polite, faulty], (host, path) => {
      if (path === "/robots.txt") {
        const body = host === polite ? "User-agent: sluice\nDisallow: /private/\nCrawl-delay: 1\n" : "";
        return { headers: { "content-type": "text/plain" }, body };
      }
      if (host === polite) return htmlPage("Rules & order", path === "/" ? ["/private/x", "/open"] : []);
      if (path === "/") return htmlPage("faults", ["/broken", "/missing", "/moved"]);
      if (path === "/moved") return { status: 302, headers: { location: "/target" } };
      if (path === "/target") return htmlPage("target", []);
      return { status: path === "/broken" ? 500 : 404, body: "no" };
    });
    const seeds = [polite, faulty, dead].map((host) => site.url(host));
    command = new CrawlCommand(
      [
        ...seeds,
        ...commandLine(
          `--job cli-rules-${process.pid} --out ${dir}/out --delay 0 --contact ${contact} --json`,
        ),
        ...loopbackToo,
        "--brokers",
        testBrokers().join(","),
      ],
      { SLUICE_DATA_DIR: join(dir, "data"), SLUICE_FETCHER_ROBOTS_RETRY_MS: "200" },
    );
    try {
      expect(await command.ended, command.stderr).toBe(0);
      results = readResults(`${dir}/out`);
      summary = readSummary(`${dir}/out`);
      expect(command.stdout).toBe(readFileSync(`${dir}/out/results.jsonl`, "utf8"));
    } finally {
      await command.dispose();
      await site.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it("asks for nothing that robots.txt forbids, and keeps to its crawl-delay", () => {
    expect(requests(polite, "/private/x")).toEqual([]);
    expect(resultOf(polite, "/private/x")).toBeUndefined();
    expect(resultOf(polite, "/open")).toMatchObject({ outcome: "ok", robots_status: "parsed" });
    const log = site.log.filter(({ host }) => host === polite);
    expect(log).toHaveLength(3);
    expect(politenessViolations(log, 1000)).toEqual([]);
  });

  it("introduces itself with version and contact, and warns no more", () => {
    const agents = new Set(site.log.map(({ userAgent }) => userAgent));
    expect([...agents]).toEqual([
      expect.stringMatching(/^Sluice\/\d+\.\d+\.\d+\S* \(\+https:\/\/crawler\.example\/about\)$/),
    ]);
    expect(command.stderr).not.toContain("warning: no --contact");
  });

  it("tries a page that fails three times and reports its category, and one that is missing once", () => {
    expect(requests(faulty, "/broken")).toHaveLength(3);
    expect(resultOf(faulty, "/broken")).toMatchObject({ outcome: "http_5xx", status: 500, attempt: 3 });
    expect(requests(faulty, "/missing")).toHaveLength(1);
    expect(resultOf(faulty, "/missing")).toMatchObject({ outcome: "http_4xx", status: 404, attempt: 1 });
    expect(resultOf(faulty, "/moved")).toMatchObject({
      outcome: "redirect",
      status: 302,
      redirect_to: site.url(faulty, "/target"),
    });
    expect(resultOf(faulty, "/target")).toMatchObject({ outcome: "ok", title: "target" });
  });

  it("reports a host that is dead after three tries, with the category of its failure", () => {
    expect(resultOf(dead, "/")).toMatchObject({
      status: null,
      outcome: "connect",
      error_code: "ECONNREFUSED",
      attempt: 3,
    });
  });

  it("writes every field of the contract in each line, the same on stdout", () => {
    expect(parseResults(command.stdout)).toEqual(results);
    const fields = "url status outcome result_id job depth fetched_at title links_count redirect_to".split(
      " ",
    );
    for (const line of results) expect(Object.keys(line)).toEqual(expect.arrayContaining(fields));
    expect(resultOf(polite, "/")).toMatchObject({
      title: "Rules & order",
      links_count: 2,
      depth: 0,
      redirect_to: null,
    });
  });

  it("writes a summary whose figures add up", () => {
    expect(Object.keys(summary)).toEqual(
      expect.arrayContaining(
        "job run finish_reason admitted done failed skipped waiting in_flight duration_ms pages_per_second".split(
          " ",
        ),
      ),
    );
    expect(unaccounted(summary)).toBe(0);
    expect(summary).toMatchObject({
      run: 1,
      finish_reason: "completed",
      failed: 3,
      skipped: 1,
      waiting: 0,
      in_flight: 0,
    });
    expect(Number(summary["done"]) + Number(summary["failed"])).toBe(results.length);
  });
});
