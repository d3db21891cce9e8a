import { gzipSync } from "node:zlib";
import { Breakers, type FetchAnswer } from "@sluice/http";
import {
  eventSchema,
  jobSchema,
  linkSchema,
  outcomeSchema,
  topics,
  type CrawlEvent,
  type Job,
  type Link,
  type Outcome,
  type Permit,
} from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { canonicalize, type CanonicalUrl, type SitemapLinks } from "@sluice/web";
import { describe, expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { hinted, namedSitemapsMax } from "../src/core/sitemaps.ts";
import { performFetches } from "../src/perform.ts";
import { inlineReader } from "../src/reading/reader.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { noWait, pageAnswer, permitOf, robotsAnswer } from "./answers.ts";
import { plainRequests } from "./plain-requests.ts";

type Fields = Partial<Omit<Job, "scope" | "limits">> & { scope?: object; limits?: object };

const jobWith = ({ scope = {}, ...fields }: Fields = {}): Job =>
  jobSchema.parse({
    id: "j",
    seeds: ["https://h.example/"],
    scope: { kind: "host", sitemaps: "follow", ...scope },
    ...fields,
  });

const canonical = (raw: string): CanonicalUrl => {
  const url = canonicalize(raw);
  if (url.kind === "refused") throw new Error(url.detail);
  return url;
};

class Fetcher {
  readonly driver: StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>;

  constructor(job = jobWith()) {
    this.driver = new StepDriver({
      step: fetcherStep(),
      keepHistory: false,
      tables: { [topics.jobs.name]: [["j", job]] },
    });
  }

  permit(raw: string, fields: Partial<Permit> = {}): void {
    const { hostname } = new URL(raw);
    const base = permitOf(raw, this.driver.nowMs, { job: "j", delayMs: "0" });
    this.driver.feed(topics.permits.name, hostname, { ...base, root: "https://h.example/", ...fields });
  }

  /** Settles the first call that is out, which has to be for that. */
  #settle(kind: FetchCall["kind"], outcome: FetchOutcome): void {
    const [id, call] = [...this.driver.calls][0] ?? [];
    if (id === undefined || call?.request.kind !== kind) throw new Error(`${call?.request.kind} is asked`);
    this.driver.settle(id, outcome);
  }

  robots(...lines: readonly string[]): void {
    this.#settle("robots", robotsAnswer(this.driver.nowMs, "200", lines, {}));
  }

  page(status = "200"): void {
    this.#settle("page", pageAnswer(this.driver.nowMs, status, { links: "https://h.example/linked" }));
  }

  sitemap(found: Partial<SitemapLinks>, status = "200", location?: string): void {
    const answer = pageAnswer(this.driver.nowMs, status, location === undefined ? {} : { location });
    const empty = { kind: "urlset" as const, pages: [], sitemaps: [], refusedCount: 0, truncated: null };
    const sitemap = status === "200" ? { ...empty, ...found } : null;
    this.#settle("sitemap", { ...answer, content: null, sitemap });
  }

  /** What was sent since it was asked last. */
  take(): {
    links: readonly Link[];
    events: readonly CrawlEvent[];
    outcomes: readonly Outcome[];
    results: number;
  } {
    const sent = this.driver.takeSent();
    const of = (name: string): readonly unknown[] =>
      sent.flatMap(({ topic, value }) => (topic === name ? [value] : []));
    return {
      links: of(topics.links.name).map((value) => linkSchema.parse(value)),
      events: of(topics.events.name).map((value) => eventSchema.parse(value)),
      outcomes: of(topics.outcomes.name).map((value) => outcomeSchema.parse(value)),
      results: of(topics.results.name).length,
    };
  }
}

const sitemapsOf = (links: readonly Link[]): readonly string[] =>
  links.filter(({ kind }) => kind === "sitemap").flatMap(({ urls }) => urls);

describe("sitemaps are announced", () => {
  test("with the page of a seed, as robots.txt names them, also on other hosts, and are counted", () => {
    const fetcher = new Fetcher();
    fetcher.permit("https://h.example/");
    fetcher.robots(
      "Sitemap: https://h.example/a.xml",
      "Sitemap: https://cdn.example/b.xml.gz",
      "Sitemap: ftp:x",
    );
    fetcher.page();
    const { links, outcomes } = fetcher.take();
    expect(links.filter(({ kind }) => kind === "sitemap")).toMatchObject([
      { urls: ["https://h.example/a.xml"], sitemap: 1, depth: 0, root: "https://h.example/" },
      { urls: ["https://cdn.example/b.xml.gz"], sitemap: 1 },
    ]);
    expect(outcomes).toMatchObject([{ kind: "settled", linkRecords: 3, links: 3 }]);
  });

  test("at the usual place where robots.txt names none, or is not there, whatever became of the page", () => {
    const fetcher = new Fetcher();
    fetcher.permit("https://h.example/x", { root: "https://h.example/x" });
    fetcher.robots("Disallow: /private");
    fetcher.page("404");
    expect(sitemapsOf(fetcher.take().links)).toEqual(["https://h.example/sitemap.xml"]);
  });

  test("also where robots.txt forbids the seed itself, and not by a sitemap that it forbids", () => {
    const fetcher = new Fetcher();
    fetcher.permit("https://h.example/");
    fetcher.robots("User-agent: *", "Disallow: /", "Allow: /maps/", "Sitemap: https://h.example/maps/a.xml");
    const { links, outcomes, results } = fetcher.take();
    expect(links).toMatchObject([{ kind: "sitemap", urls: ["https://h.example/maps/a.xml"], sitemap: 1 }]);
    expect(outcomes).toMatchObject([{ kind: "refused", category: "robots", linkRecords: 1, links: 1 }]);
    expect(results).toBe(0);
    const other = new Fetcher();
    other.permit("https://h.example/sitemap.xml", { sitemap: 1 });
    other.robots("User-agent: *", "Disallow: /");
    expect(other.take()).toMatchObject({ links: [], outcomes: [{ kind: "refused", linkRecords: 0 }] });
    const found = new Fetcher();
    found.permit("https://h.example/deep", { depth: 1 });
    found.robots("User-agent: *", "Disallow: /");
    expect(found.take().links).toEqual([]);
  });

  test("once a host and run, and not by pages that were found, nor where no page of them could be deep enough", () => {
    const fetcher = new Fetcher();
    for (const path of ["/", "/b"]) fetcher.permit(`https://h.example${path}`);
    fetcher.robots();
    fetcher.page();
    fetcher.page();
    expect(sitemapsOf(fetcher.take().links)).toHaveLength(1);
    for (const job of [jobWith({ limits: { maxDepth: 0 } }), jobWith({ scope: { sitemaps: "ignore" } })]) {
      const other = new Fetcher(job);
      other.permit("https://h.example/");
      other.robots("Sitemap: https://h.example/a.xml");
      other.page();
      expect(sitemapsOf(other.take().links)).toEqual([]);
    }
    const found = new Fetcher();
    found.permit("https://h.example/", { depth: 1 });
    found.robots();
    found.page();
    expect(sitemapsOf(found.take().links)).toEqual([]);
  });

  test("no more than a limit of one robots.txt", () => {
    const fetcher = new Fetcher();
    fetcher.permit("https://h.example/");
    fetcher.robots(...Array.from({ length: 500 }, (_, index) => `Sitemap: https://v${index}.example/s.xml`));
    fetcher.page();
    expect(sitemapsOf(fetcher.take().links)).toHaveLength(namedSitemapsMax);
  });
});

describe("a sitemap", () => {
  const asked = (job?: Job, level = 1, url = "https://h.example/sitemap.xml"): Fetcher => {
    const fetcher = new Fetcher(job);
    fetcher.permit(url, { sitemap: level, priority: 60 });
    fetcher.robots("Disallow: /private");
    fetcher.take();
    return fetcher;
  };

  test("gives its pages as if the seed linked to them, within the scope, by the hints of their priority", () => {
    const fetcher = asked();
    fetcher.sitemap({
      pages: [
        { link: canonical("https://h.example/new"), priority: null },
        { link: canonical("https://h.example/top"), priority: 1 },
        { link: canonical("https://elsewhere.example/"), priority: 1 },
        { link: canonical("https://h.example/low"), priority: 0 },
        { link: canonical("https://h.example/old"), priority: 0.5 },
      ],
      refusedCount: 2,
      truncated: "a reason",
    });
    const { links, events, outcomes, results } = fetcher.take();
    expect(links.map(({ kind, depth, priority, urls }) => ({ kind, depth, priority, urls }))).toEqual([
      { kind: "link", depth: 1, priority: 60, urls: ["https://h.example/new", "https://h.example/old"] },
      { kind: "link", depth: 1, priority: 70, urls: ["https://h.example/top"] },
      { kind: "link", depth: 1, urls: ["https://h.example/low"] },
    ]);
    expect(links[0]?.parent).toBe(canonical("https://h.example/sitemap.xml").urlId);
    expect(events).toMatchObject([
      {
        type: "sitemap_read",
        url: "https://h.example/sitemap.xml",
        level: 1,
        outcome: "ok",
        status: 200,
        format: "urlset",
        urls: 5,
        admitted: 4,
        sitemaps: 0,
        note: "a reason",
        refused: 3,
        refusedFor: "invalid_url 2, scope_host 1",
      },
    ]);
    expect(outcomes).toMatchObject([{ kind: "settled", ok: true, sitemap: 1, linkRecords: 3, links: 4 }]);
    expect(results).toBe(0);
    fetcher.driver.end();
  });

  test("that is an index gives sitemaps of its own site one level deeper, and none from the third level on", () => {
    const sitemaps = ["https://www.h.example/1.xml", "https://victim.example/2.xml"].map(canonical);
    const first = asked();
    first.sitemap({ kind: "index", sitemaps });
    const { links, events } = first.take();
    expect(links).toMatchObject([{ kind: "sitemap", sitemap: 2, urls: ["https://www.h.example/1.xml"] }]);
    expect(events).toMatchObject([{ sitemaps: 2, sitemapsAdmitted: 1, refusedFor: "sitemap_host 1" }]);
    const third = asked(undefined, 3);
    third.sitemap({ kind: "index", sitemaps });
    const { links: none, events: told } = third.take();
    expect(none).toEqual([]);
    expect(told).toMatchObject([{ sitemapsAdmitted: 0, refused: 2, refusedFor: "sitemap_depth 2" }]);
  });

  test("that redirects is a sitemap of the same level where it leads to", () => {
    const fetcher = asked(undefined, 2);
    fetcher.sitemap({}, "301", "https://www.h.example/sitemap.xml");
    const { links, events, outcomes } = fetcher.take();
    expect(links).toMatchObject([
      { kind: "sitemap", sitemap: 2, redirects: 1, urls: ["https://www.h.example/sitemap.xml"] },
    ]);
    expect(events).toMatchObject([{ outcome: "redirect", format: null, status: 301 }]);
    expect(outcomes).toMatchObject([{ kind: "settled", ok: true, linkRecords: 1 }]);
  });

  test("that is not there is told of and has no result; one that fails is tried again like a page", () => {
    const missing = asked();
    missing.sitemap({}, "404");
    const { events, results, outcomes } = missing.take();
    expect(events).toMatchObject([{ type: "sitemap_read", outcome: "http_4xx", status: 404, urls: 0 }]);
    expect(outcomes).toMatchObject([{ kind: "settled", ok: false, category: "http_4xx" }]);
    expect(results).toBe(0);
    const broken = asked();
    broken.sitemap({}, "503");
    const tried = broken.take();
    expect(tried.outcomes).toMatchObject([{ kind: "retry", category: "http_5xx", sitemap: 1 }]);
    expect(tried.events).toMatchObject([{ type: "url_failed", final: false, sitemap: 1 }]);
  });

  test("that robots.txt forbids is not fetched, and one of a host that can't be reached has no result", () => {
    const forbidden = asked(undefined, 1, "https://h.example/private/sitemap.xml");
    const { outcomes, events } =
      forbidden.driver.calls.size === 0 ? forbidden.take() : { outcomes: [], events: [] };
    expect(outcomes).toEqual([]);
    expect(events).toEqual([]);
    const again = new Fetcher();
    again.permit("https://h.example/private/sitemap.xml", { sitemap: 1 });
    again.robots("Disallow: /private");
    const told = again.take();
    expect(told.outcomes).toMatchObject([{ kind: "refused", category: "robots" }]);
    expect(told.events).toMatchObject([
      { type: "url_failed", refused: true, category: "robots", sitemap: 1 },
    ]);
    const dead = new Fetcher(jobWith({ fetch: { attemptsMax: 1 } as Job["fetch"] }));
    dead.permit("https://h.example/sitemap.xml", { sitemap: 1 });
    const [id = ""] = dead.driver.calls.keys();
    dead.driver.settle(id, robotsAnswer(dead.driver.nowMs, "connect", [], {}));
    const unread = dead.take();
    expect(unread.results).toBe(0);
    expect(unread.events).toMatchObject([{ type: "sitemap_read", outcome: "connect", status: null }]);
    expect(unread.outcomes).toMatchObject([{ kind: "settled", ok: false, category: "connect" }]);
  });

  test("waits where as many as may be are fetched, and pages of its host go first meanwhile", () => {
    const fetcher = new Fetcher();
    for (const host of ["a", "b", "h"]) {
      fetcher.permit(`https://${host}.example/sitemap.xml`, { sitemap: 1 });
      fetcher.driver.settle(
        [...fetcher.driver.calls].find(([, { request }]) => request.kind === "robots")?.[0] ?? "",
        robotsAnswer(fetcher.driver.nowMs, "404", [], {}),
      );
    }
    const kinds = (): readonly string[] =>
      [...fetcher.driver.calls.values()].map(({ request }) => request.kind);
    expect(kinds()).toEqual(["sitemap", "sitemap"]);
    fetcher.permit("https://h.example/page");
    fetcher.driver.advance(300);
    expect(kinds()).toEqual(["sitemap", "sitemap", "page"]);
    fetcher.sitemap({});
    fetcher.driver.settle(
      [...fetcher.driver.calls].find(([, { request }]) => request.kind === "page")?.[0] ?? "",
      pageAnswer(fetcher.driver.nowMs, "200", {}),
    );
    fetcher.driver.advance(300);
    expect(kinds()).toEqual(["sitemap", "sitemap"]);
  });

  test("moves the priority of its pages by ten at most, within what priorities are", () => {
    expect([null, 0, 0.3, 0.5, 1].map((hint) => hinted(50, hint))).toEqual([50, 40, 46, 50, 60]);
    expect([hinted(95, 1), hinted(3, 0)]).toEqual([100, 0]);
  });
});

describe("the body of a sitemap", () => {
  const callOf = (url: string): FetchCall => ({
    kind: "sitemap",
    domain: "h.example",
    url,
    policy: {},
    fetch: jobWith().fetch,
    ...noWait,
  });

  /** As the shell reads a body that a host sends. */
  async function read(body: string | Buffer): Promise<{ sitemap: SitemapLinks; asked: readonly number[] }> {
    const asked: number[] = [];
    const bytes = new Uint8Array(Buffer.from(body));
    const answer = pageAnswer(0, "200", {}).answer;
    if (answer.kind !== "response") throw new Error("no response");
    const client = {
      fetch: (request: { readonly bodyBytesMax: number }): Promise<FetchAnswer> => {
        asked.push(request.bodyBytesMax);
        return Promise.resolve({ ...answer, headers: { "content-type": "text/xml" }, body: bytes });
      },
    };
    const breakers = new Breakers(client, { nowMs: () => 0 });
    const perform = performFetches(
      breakers,
      plainRequests(),
      inlineReader(() => 0),
      () => 0,
    );
    const found = await perform(callOf("https://h.example/sitemap.xml"), AbortSignal.timeout(60_000));
    if (found.kind !== "page" || found.sitemap === undefined || found.sitemap === null)
      throw new Error("no sitemap was read");
    return { sitemap: found.sitemap, asked };
  }

  const urlset = (...urls: readonly string[]): string =>
    `<?xml version="1.0"?><urlset>${urls.map((url) => `<url><loc>${url}</loc></url>`).join("")}</urlset>`;

  test("may be as large as the protocol allows, packed or not", async () => {
    const text = urlset("https://h.example/a", "https://h.example/b");
    for (const body of [text, gzipSync(text)]) {
      const { sitemap, asked } = await read(body);
      expect(sitemap.pages.map(({ link }) => link.path)).toEqual(["/a", "/b"]);
      expect(asked).toEqual([52_428_800]);
    }
  });

  test("expands no entities, and is unpacked no further than its limits", async () => {
    const lol = Array.from({ length: 20 }, (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`).join(
      "",
    );
    const bomb = `<!DOCTYPE u [<!ENTITY l0 "lol">${lol}]>${urlset("https://h.example/&l20;", "https://h.example/b")}`;
    const { sitemap } = await read(bomb);
    const chars = sitemap.pages.reduce((sum, { link }) => sum + link.url.length, 0);
    expect(chars).toBeLessThan(200);
    const large = gzipSync(
      Buffer.concat([Buffer.from(urlset("https://h.example/a")), Buffer.alloc(60_000_000, 32)]),
    );
    expect(large.length).toBeLessThan(100_000);
    const { sitemap: cut } = await read(large);
    expect(cut.pages).toHaveLength(1);
    expect(cut.truncated).toContain("52428800 bytes");
  });

  test("that is no sitemap lists nothing, and of one with too many URLs the first are taken", async () => {
    const { sitemap: none } = await read("<!doctype html><html><a href='/x'>not found</a></html>");
    expect(none).toMatchObject({ kind: "unknown", pages: [], sitemaps: [] });
    const many = Array.from({ length: 50_010 }, (_, index) => `https://h.example/${index}`);
    const { sitemap } = await read(many.join("\n"));
    expect(sitemap.pages).toHaveLength(50_000);
    expect(sitemap.truncated).toContain("50000");
  });
});
