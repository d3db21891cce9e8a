import { jobSchema, topics, type CrawlEvent, type Due, type Link, type Outcome } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { urlIdOf } from "@sluice/web";
import { describe, expect, test } from "vitest";
import type { FrontierState } from "../src/core/state.ts";
import { sitemapIdOf } from "../src/core/entry.ts";
import { defaultFrontierOptions, type FrontierOptions } from "../src/options.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";
import { checkTask } from "./invariants.ts";
import { answerTo } from "@sluice/records/testing";
import { linksTo } from "./records.ts";

const file = "https://h.example/sitemap.xml";

class Bench {
  readonly driver: StepDriver<FrontierState, FrontierRecord>;

  constructor(
    fields: { maxPages?: number; sitemaps?: "ignore" | "follow"; traps?: "follow" } = {},
    options: Partial<FrontierOptions> = {},
  ) {
    const { maxPages = null, sitemaps = "follow", ...scope } = fields;
    const job = jobSchema.parse({
      id: "j",
      open: true,
      scope: { kind: "any", sitemaps, ...scope },
      limits: { maxPages },
      politeness: { delayMs: 0 },
    });
    this.driver = new StepDriver({
      step: frontierStep({ ...defaultFrontierOptions, ...options }),
      keepHistory: false,
      tables: { [topics.jobs.name]: [[job.id, job]] },
    });
  }

  links(urls: readonly string[], fields: Partial<Link> = {}): void {
    const { domain, link } = linksTo("j", urls);
    this.driver.feed(topics.links.name, domain, { ...link, ...fields });
    checkTask(this.driver.state);
  }

  sitemaps(urls: readonly string[], fields: Partial<Link> = {}): void {
    this.links(urls, { kind: "sitemap", depth: 0, sitemap: 1, ...fields });
  }

  /** Released since it was asked last. */
  due(): readonly Due[] {
    const sent = this.driver.takeSent();
    for (const { topic, value } of sent) {
      const event = topic === topics.events.name ? (value as CrawlEvent) : null;
      if (event?.type === "url_failed") this.events.push(event);
    }
    return sent.filter(({ topic }) => topic === topics.due.name).map(({ value }) => value as Due);
  }

  readonly events: CrawlEvent[] = [];

  answer(due: Due, fields: Partial<Outcome> = {}): void {
    this.driver.feed(topics.outcomes.name, new URL(due.url).hostname, answerTo(due, fields));
    checkTask(this.driver.state);
  }

  get tally() {
    const view = this.driver.state.views.get("j");
    if (view === undefined) throw new Error("nothing is known of the job");
    return view.tally;
  }
}

const only = (dues: readonly Due[]): Due => {
  const [first] = dues;
  if (first === undefined || dues.length !== 1) throw new Error(`${dues.length} releases`);
  return first;
};

describe("a sitemap", () => {
  test("is taken in once a run, released with its level, and ends as skipped, read or not", () => {
    const bench = new Bench();
    bench.sitemaps([file], { root: "https://h.example/", priority: 70 });
    const due = only(bench.due());
    expect(due).toMatchObject({ url: file, sitemap: 1, depth: 0, root: "https://h.example/", priority: 70 });
    bench.sitemaps([file], { sitemap: 2 });
    expect(bench.due()).toEqual([]);
    bench.answer(due, { linkRecords: 3, ok: false, category: "http_4xx" });
    expect(bench.tally).toMatchObject({
      admitted: 1,
      sitemaps: 1,
      done: 0,
      failed: 0,
      skipped: 1,
      announced: 3,
    });
    bench.sitemaps([file]);
    expect(bench.due()).toEqual([]);
  });

  test("at a page's URL is another than the page, and both are fetched", () => {
    const bench = new Bench();
    bench.links([file]);
    bench.sitemaps([file]);
    const dues = bench.due();
    expect(dues.map(({ urlId, sitemap }) => [urlId, sitemap]).sort()).toEqual(
      [
        [urlIdOf(file), undefined],
        [sitemapIdOf(file), 1],
      ].sort(),
    );
    for (const due of dues) bench.answer(due);
    expect(bench.tally).toMatchObject({ admitted: 2, done: 1, skipped: 1, sitemaps: 1 });
  });

  test("needs no page grant and frees none, and goes before pages of its host", () => {
    const bench = new Bench({ maxPages: 1 }, { windowMax: 1 });
    bench.links(["https://h.example/a", "https://h.example/b"]);
    // No grant is there yet, so no page goes.
    expect(bench.due()).toEqual([]);
    bench.sitemaps([file]);
    const due = only(bench.due());
    expect(due.sitemap).toBe(1);
    bench.answer(due);
    expect(bench.tally).toMatchObject({ taken: 0, freed: 0, skipped: 1 });
    expect(bench.due()).toEqual([]);
  });

  test("that fails is tried again with its level, also after a restart", () => {
    const bench = new Bench();
    bench.sitemaps([file], { sitemap: 3, redirects: 2 });
    const dueAtMs = bench.driver.nowMs + 5000;
    bench.answer(only(bench.due()), { kind: "retry", ok: false, category: "http_5xx", dueAtMs });
    bench.driver.commit();
    bench.driver.restartFromCommit();
    checkTask(bench.driver.state);
    bench.driver.advance(6000);
    expect(only(bench.due())).toMatchObject({ url: file, sitemap: 3, redirects: 2, attempt: 2 });
  });

  test("that is found nearer while it waits is asked for at that level, and keeps it once it was asked for", () => {
    const bench = new Bench({}, { windowMax: 1 });
    const [first, index] = [file, "https://h.example/index.xml"];
    bench.sitemaps([first]);
    const out = only(bench.due());
    bench.sitemaps([index], { sitemap: 3 });
    bench.sitemaps([index], { sitemap: 2 });
    bench.sitemaps([index], { sitemap: 3 });
    bench.answer(out);
    const nearer = only(bench.due());
    expect(nearer).toMatchObject({ url: index, sitemap: 2, attempt: 1 });
    // It is out, and then waits for its next try: as one that waits it comes nearer again.
    bench.sitemaps([index], { sitemap: 1 });
    const dueAtMs = bench.driver.nowMs + 5000;
    bench.answer(nearer, { kind: "retry", ok: false, category: "http_5xx", dueAtMs });
    bench.sitemaps([index], { sitemap: 1 });
    bench.driver.commit();
    bench.driver.restartFromCommit();
    bench.driver.advance(6000);
    const last = only(bench.due());
    expect(last).toMatchObject({ url: index, sitemap: 1, attempt: 2 });
    bench.answer(last);
    bench.sitemaps([index]);
    expect(bench.due()).toEqual([]);
    expect(bench.tally).toMatchObject({ admitted: 2, sitemaps: 2, skipped: 2 });
  });

  test("is refused where the job does not follow them, too deep, on another's host, or redirected too often", () => {
    const bench = new Bench();
    bench.sitemaps([file], { sitemap: 4 });
    bench.sitemaps([file], { redirects: 11 });
    bench.sitemaps([file, "https://other.example/sitemap.xml"]);
    expect(bench.due().map(({ url }) => url)).toEqual([file]);
    expect(bench.tally).toMatchObject({ admitted: 1, refused: 3 });
    const ignoring = new Bench({ sitemaps: "ignore" });
    ignoring.sitemaps([file]);
    expect(ignoring.due()).toEqual([]);
    expect(ignoring.tally).toMatchObject({ admitted: 0, refused: 1 });
  });

  test("beyond the limit of a run is refused, with one event for the record that lists it", () => {
    const bench = new Bench({}, { sitemapsMax: 2 });
    bench.sitemaps([1, 2, 3, 4].map((number) => `https://h.example/${number}.xml`));
    expect(bench.due()).toHaveLength(2);
    expect(bench.tally).toMatchObject({ admitted: 2, sitemaps: 2, refused: 2 });
    expect(bench.events).toMatchObject([
      { type: "url_failed", category: "sitemaps_max", url: "https://h.example/3.xml", sitemap: 1 },
    ]);
  });
});
