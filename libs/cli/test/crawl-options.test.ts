import { SluiceError } from "@sluice/errors";
import { jobIdSchema } from "@sluice/records";
import { describe, expect, it } from "vitest";
import { parseCrawlOptions, type RawCrawlOptions } from "../src/crawl-options.ts";

const seed = "https://example.org/docs/";
const parse = (raw: RawCrawlOptions = {}, urls: readonly string[] = [seed]) =>
  parseCrawlOptions(urls, raw, "/home/someone");

function problemsOf(raw: RawCrawlOptions, urls: readonly string[] = [seed]): readonly string[] {
  try {
    parse(raw, urls);
  } catch (error) {
    if (error instanceof SluiceError && error.code === "SLUICE_USAGE") return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("crawl options", () => {
  it.each<[string, RawCrawlOptions]>([
    ["--max-pages", { maxPages: "x" }],
    ["--max-pages", { maxPages: "0" }],
    ["--max-pages", { maxPages: "1.5" }],
    ["--max-pages", { maxPages: "99999999999999999999" }],
    ["--max-depth", { maxDepth: "-1" }],
    ["--max-duration", { maxDuration: "0" }],
    ["--scope", { scope: "planet" }],
    ["--include", { include: ["ok/**", "[z-"] }],
    ["--exclude", { exclude: [""] }],
    ["--delay", { delay: "-5" }],
    ["--delay", { delay: "1e3" }],
    ["--concurrency-per-host", { concurrencyPerHost: "65" }],
    ["--max-concurrency", { maxConcurrency: "0" }],
    ["--request-timeout", { requestTimeout: "" }],
    ["--attempts", { attempts: "11" }],
    ["--user-agent", { userAgent: "böt" }],
    ["--user-agent", { userAgent: "a\r\nX-Evil: 1" }],
    ["--contact", { contact: "" }],
    ["--allow-private", { allowPrivate: ["127.0.0.0/8", "localhost"] }],
    ["--allow-private", { allowPrivate: ["10.0.0.0/33"] }],
    ["--resolve", { resolve: ["example.org:80"] }],
    ["--resolve", { resolve: ["example.org:80:999.1.1.1"] }],
    ["--resolve", { resolve: ["example.org:70000:127.0.0.1"] }],
    ["--brokers", { brokers: "localhost" }],
    ["--brokers", { brokers: "," }],
    ["--partitions", { partitions: "1001" }],
    ["--job", { job: "Upper" }],
    ["--job", { job: "../etc" }],
    ["--prefix", { prefix: "no-end" }],
    ["--retention", { retention: "5" }],
    ["--frontiers", { frontiers: "0" }],
    ["--fetchers", { fetchers: "two" }],
    ["--out", { out: "" }],
  ])("names the field of a bad value: %s %j", (field, raw) => {
    const problems = problemsOf(raw);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${field}: ".*" is `));
  });

  it("says what a number may be", () => {
    expect(problemsOf({ maxPages: "x" })).toEqual(['--max-pages: "x" is not a whole number of at least 1']);
    expect(problemsOf({ attempts: "0" })).toEqual(['--attempts: "0" is not a whole number from 1 to 10']);
  });

  it("tells all problems at once", () => {
    const problems = problemsOf({ maxPages: "x", delay: "y", scope: "z" }, [
      "ftp://example.org/",
      "nonsense",
    ]);
    expect(problems.map((line) => line.split(":", 1)[0])).toEqual([
      "URL",
      "URL",
      "--scope",
      "--max-pages",
      "--delay",
    ]);
  });

  it("asks for a URL where none is given", () => {
    expect(problemsOf({}, [])).toEqual(["URL: give at least one URL to start from"]);
  });

  it("suggests the scheme that a URL lacks", () => {
    expect(problemsOf({}, ["example.org/docs"])[0]).toContain("did you mean https://example.org/docs");
    expect(problemsOf({}, ["example.org:8080/docs"])[0]).toContain(
      "did you mean https://example.org:8080/docs",
    );
    expect(problemsOf({}, ["localhost:8080"])[0]).toContain("did you mean https://localhost:8080");
    for (const odd of ["mailto:me@example.org", "file:///etc/passwd", "javascript:alert(1)", "about:blank"]) {
      const [problem] = problemsOf({}, [odd]);
      expect(problem).toContain(JSON.stringify(odd));
      expect(problem).not.toContain("did you mean");
    }
  });

  it("makes a job of what is given and leaves the rest to the defaults", () => {
    const { job, out, prefix } = parse({
      maxPages: "7",
      maxDepth: "0",
      maxDuration: "90",
      delay: "0",
      include: ["a/**"],
      attempts: "2",
    });
    expect(job).toMatchObject({
      seeds: [seed],
      scope: { kind: "host", include: ["a/**"], exclude: [] },
      limits: { maxPages: 7, maxDepth: 0, maxDurationMs: 90_000 },
      politeness: { delayMs: 0, concurrencyPerHost: 1 },
      fetch: { totalTimeoutMs: 30_000, attemptsMax: 2 },
    });
    expect(out).toBe(`/home/someone/crawl-results/${job.id}`);
    expect(prefix).toBe(`${job.id}.`);
    expect(parse().job.politeness.delayMs).toBe(1000);
  });

  it("makes seeds canonical and takes each once", () => {
    expect(parse({}, ["HTTPS://Example.org:443/a#x", "https://example.org/a"]).job.seeds).toEqual([
      "https://example.org/a",
    ]);
  });

  it("runs exactly one fetcher for one request at a time, and never more fetchers than requests", () => {
    expect(parse({ fetchers: "3", maxConcurrency: "1" }).fetchers).toBe(1);
    expect(parse({ fetchers: "3", maxConcurrency: "2" }).fetchers).toBe(2);
    expect(parse({ fetchers: "3" }).fetchers).toBe(3);
  });
});

describe("job names", () => {
  const nameOf = (urls: readonly string[], raw: RawCrawlOptions = {}): string => parse(raw, urls).job.id;
  const [a, b] = ["https://b.example/", "https://a.example/x"];

  it("are the same for the same seeds and globs in another order", () => {
    expect(nameOf([a, b], { include: ["x/**", "y/**"] })).toBe(
      nameOf([b, a, b], { include: ["y/**", "x/**"] }),
    );
  });

  it("differ with seeds, scope, include and exclude, and with nothing else", () => {
    const names = [
      nameOf([a]),
      nameOf([a, b]),
      nameOf([a], { scope: "domain" }),
      nameOf([a], { include: ["x"] }),
      nameOf([a], { exclude: ["x"] }),
    ];
    expect(new Set(names).size).toBe(names.length);
    expect(nameOf([a], { maxPages: "3", delay: "9", fetchers: "2", out: "elsewhere" })).toBe(nameOf([a]));
  });

  it.each([
    "https://EXAMPLE.org/",
    "http://[::1]:8080/",
    "https://bücher.example/",
    `https://${"a".repeat(60)}.${"b".repeat(60)}.example/`,
    "http://_x_.example/",
  ])("can name a job and stand before topics: %s", (url) => {
    const { job, prefix } = parse({}, [url]);
    expect(jobIdSchema.safeParse(job.id).success).toBe(true);
    expect(prefix).toBe(`${job.id}.`);
  });

  it("that cannot stand before topics get a hash there, each its own", () => {
    const long = "a".repeat(100);
    const prefixes = [long, `${long.slice(1)}b`, "my_job", "my-job"].map((job) => parse({ job }).prefix);
    for (const prefix of prefixes) expect(prefix).toMatch(/^[a-z0-9][a-z0-9.-]{0,80}[.-]$/);
    expect(new Set(prefixes).size).toBe(prefixes.length);
  });
});
