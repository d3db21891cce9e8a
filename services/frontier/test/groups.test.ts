/** Host names of one registrable domain that share a clock lie in one queue, with one window. */
import { topics, type Link } from "@sluice/records";
import { expect, test } from "vitest";
import { JobBench } from "./job-bench.ts";
import { answerTo } from "@sluice/records/testing";
import { linksTo } from "./records.ts";

const domain = "site.example";
const grouped = { politenessKey: "registrable-domain" } as const;
const slow = { scope: { kind: "any" }, politeness: { delayMs: 10_000 } };

function found(bench: JobBench, urls: readonly string[], fields: Partial<Link> = {}): void {
  const view = bench.driver.state.views.get("j");
  if (view !== undefined) view.tally.announced += 1;
  bench.driver.feed(topics.links.name, domain, { ...linksTo("j", urls).link, ...fields });
  bench.settle();
}

const hostsOut = (bench: JobBench): readonly string[] => bench.out.map(({ url }) => new URL(url).hostname);

test("URLs of all of them are released under their domain, no more together than one host's window", () => {
  const bench = new JobBench(slow, grouped);
  const urls = ["a", "b", "c", "d"].map((name) => `https://${name}.site.example/`);
  found(bench, urls);
  // Thirty seconds of its pace.
  expect(hostsOut(bench)).toEqual(["a.site.example", "b.site.example", "c.site.example"]);
  expect(bench.driver.state.hosts.size).toBe(1);
  for (let left = urls.length; left > 0; left -= 1) {
    const due = bench.out.shift();
    if (due === undefined) throw new Error("nothing is out");
    bench.driver.feed(topics.outcomes.name, domain, answerTo(due));
    bench.settle();
  }
  expect(bench.status).toMatchObject({ admitted: 4, done: 4, waiting: 0, inFlight: 0 });
});

test("a URL of another domain is refused, and one of a host of it is known however its record is keyed", () => {
  const bench = new JobBench(slow, grouped);
  found(bench, ["https://a.site.example/", "https://a.other.example/", "https://site.example.evil.example/"]);
  expect(hostsOut(bench)).toEqual(["a.site.example"]);
  found(bench, ["https://a.site.example/"]);
  expect(bench.status).toMatchObject({ admitted: 1 });
});

test("seeds, and what a page found nearer leads to, are sent on to the registrable domains they are of", () => {
  const sent: [string, readonly string[]][] = [];
  const bench = new JobBench({ scope: { kind: "any" }, limits: { maxDepth: 2 } }, grouped);
  const take = (): void => {
    for (const { topic, key, value } of bench.driver.takeSent())
      if (topic === topics.links.name) sent.push([key, (value as Link).urls]);
  };
  bench.driver.feed(topics.seeds.name, null, { url: "https://www.site.example/", job: "j" });
  take();
  expect(sent.splice(0)).toEqual([[domain, ["https://www.site.example/"]]]);
  const page = "https://a.site.example/page";
  const { link } = linksTo("j", [page], 2);
  bench.driver.feed(topics.links.name, domain, link);
  const view = bench.driver.state.views.get("j");
  const [due] = bench.driver.sent(topics.due.name) as { urlId: string; url: string }[];
  expect(due?.url).toBe(page);
  const parent = due?.urlId ?? "";
  const outlinks: Link = {
    ...link,
    kind: "outlinks",
    parent,
    depth: 2,
    urls: ["https://b.site.example/x", "https://x.other.example/", "https://127.0.0.1/"],
  };
  bench.driver.feed(topics.links.name, domain, outlinks);
  take();
  bench.driver.feed(topics.links.name, domain, { ...link, depth: 1 });
  bench.driver.feed(topics.outcomes.name, domain, { ...answerTo(due as never), linkRecords: 1 });
  take();
  bench.driver.feed(topics.links.name, domain, { ...outlinks, depth: 2 });
  take();
  expect(view?.tally.announced).toBeGreaterThan(1);
  expect(Object.fromEntries(sent)).toEqual({
    [domain]: ["https://b.site.example/x"],
    "other.example": ["https://x.other.example/"],
    "127.0.0.1": ["https://127.0.0.1/"],
  });
});
