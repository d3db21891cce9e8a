/** Host names of one registrable domain that share a clock. */
import { outcomeSchema, topics, type Link, type Outcome, type Result } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { defaultFetcherOptions } from "../src/options.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { jobOf, pageAnswer, permitOf, robotsAnswer } from "./answers.ts";

const domain = "site.example";

class Fetcher {
  readonly driver: StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>;

  constructor(originsMax = defaultFetcherOptions.originsMax) {
    const options = { ...defaultFetcherOptions, politenessKey: "registrable-domain" as const, originsMax };
    this.driver = new StepDriver({ step: fetcherStep(options), partitionOf: (key) => key.length });
    this.driver.table(topics.jobs.name, "j", jobOf("j", {}));
    this.driver.advance(1000);
  }

  permit(url: string, fields: Readonly<Record<string, string>> = {}): void {
    this.driver.feed(
      topics.permits.name,
      domain,
      permitOf(url, this.driver.nowMs, { job: "j", root: url, ...fields }),
    );
  }

  /** What is asked for now, with whose breaker it goes through. */
  get asked(): readonly string[] {
    return [...this.driver.calls.values()].map(({ request }) => `${request.url} ${request.domain}`);
  }

  robots(rules: readonly string[], status = "200", fields: Readonly<Record<string, string>> = {}): void {
    this.driver.settle(this.#call(), robotsAnswer(this.driver.nowMs, status, rules, fields));
  }

  page(fields: Readonly<Record<string, string>> = {}): void {
    this.driver.settle(this.#call(), pageAnswer(this.driver.nowMs, "200", fields));
  }

  get outcomes(): readonly Outcome[] {
    return this.driver.sent(topics.outcomes.name).map((value) => outcomeSchema.parse(value));
  }

  #call(): string {
    const [callId] = this.driver.calls.keys();
    if (callId === undefined) throw new Error("nothing is asked for");
    return callId;
  }
}

test("requests to all of them, robots.txt of each included, are a delay apart and one at a time", () => {
  const fetcher = new Fetcher();
  fetcher.permit("https://a.site.example/");
  fetcher.permit("https://b.site.example/private/");
  fetcher.permit("https://b.site.example/");
  const seen: string[] = [];
  for (let second = 0; second < 4; second += 1) {
    expect(fetcher.asked).toHaveLength(1);
    seen.push(...fetcher.asked);
    const [url = ""] = fetcher.asked;
    if (url.includes("//a") && url.includes("robots")) fetcher.robots([]);
    else if (url.includes("robots")) fetcher.robots(["Disallow: /private/"]);
    else fetcher.page();
    fetcher.driver.advance(999);
    expect(fetcher.asked).toEqual([]);
    fetcher.driver.advance(1);
  }
  expect(seen).toEqual([
    "https://a.site.example/robots.txt site.example",
    "https://a.site.example/ site.example",
    "https://b.site.example/robots.txt site.example",
    "https://b.site.example/ site.example",
  ]);
  expect(fetcher.outcomes.map(({ category, host }) => `${category} ${host}`)).toEqual([
    "ok a.site.example",
    "robots b.site.example",
    "ok b.site.example",
  ]);
  fetcher.driver.end();
});

test("what one of them asks for by Retry-After or Crawl-delay holds for all", () => {
  const fetcher = new Fetcher();
  fetcher.permit("https://a.site.example/");
  fetcher.robots(["Crawl-delay: 5"]);
  fetcher.driver.advance(5000);
  fetcher.page();
  fetcher.permit("https://b.site.example/");
  fetcher.driver.advance(4999);
  expect(fetcher.asked).toEqual([]);
  fetcher.driver.advance(1);
  fetcher.robots([], "503", { retryAfter: "30" });
  fetcher.permit("https://a.site.example/2");
  fetcher.driver.advance(29_999);
  expect(fetcher.asked).toEqual([]);
  fetcher.driver.advance(1);
  expect(fetcher.asked).toEqual(["https://a.site.example/2 site.example"]);
});

test("links and results go to the partition of the registrable domain that they are about", () => {
  const fetcher = new Fetcher();
  fetcher.permit("https://a.site.example/");
  fetcher.robots([]);
  fetcher.driver.advance(1000);
  fetcher.page({
    links: "https://b.site.example/,https://a.site.example/1,https://x.other.example/,https://[::1]/",
  });
  const sent = fetcher.driver.takeSent();
  const links = sent.filter(({ topic }) => topic === topics.links.name);
  expect(links.map(({ key, value }) => [key, (value as Link).urls])).toEqual([
    ["site.example", ["https://b.site.example/", "https://a.site.example/1"]],
    ["other.example", ["https://x.other.example/"]],
    ["[::1]", ["https://[::1]/"]],
  ]);
  const [result] = sent.filter(({ topic }) => topic === topics.results.name);
  expect(result?.partition).toBe(domain.length);
  expect(result?.value as Result).toMatchObject({ host: "a.site.example", registrable_domain: domain });
});

test("of more origins than are remembered those learnt longest ago are asked again for their robots.txt", () => {
  const fetcher = new Fetcher(2);
  for (const name of ["a", "b", "c"]) {
    fetcher.permit(`https://${name}.site.example/`);
    fetcher.robots(name === "a" ? ["Crawl-delay: 5"] : []);
    fetcher.driver.advance(5000);
    fetcher.page();
    fetcher.driver.advance(5000);
  }
  expect([...(fetcher.driver.state.hosts.get(domain)?.robots.keys() ?? [])]).toEqual([
    "https://b.site.example",
    "https://c.site.example",
  ]);
  expect(fetcher.driver.state.hosts.get(domain)?.crawlDelayMs).toBeNull();
  fetcher.permit("https://a.site.example/2");
  expect(fetcher.asked).toEqual(["https://a.site.example/robots.txt site.example"]);
});

test("robots.txt that redirects among them is asked for by their own clock", () => {
  const fetcher = new Fetcher();
  fetcher.permit("https://a.site.example/");
  fetcher.robots([], "301", { location: "https://www.site.example/robots.txt" });
  fetcher.driver.advance(999);
  expect(fetcher.asked).toEqual([]);
  fetcher.driver.advance(1);
  expect(fetcher.asked).toEqual(["https://www.site.example/robots.txt site.example"]);
});
