import { jobSchema, policySchema, topics, type Link } from "@sluice/records";
import { urlIdOf } from "@sluice/web";
import { describe, expect, test } from "vitest";
import { letters } from "../src/core/keys.ts";
import { JobBench } from "./job-bench.ts";

const drop = policySchema.parse({ blocked: { reason: "asked by the owner", forget: true } });
const fast = { politeness: { delayMs: 0 } };

function dropHost(bench: JobBench, pattern: string): void {
  bench.driver.table(topics.policies.name, pattern, drop);
  settleAll(bench);
}

function settleAll(bench: JobBench): void {
  bench.settle();
  bench.driver.advance(100);
  bench.settle();
}

/** Keys under which something is stored that is not of the job as a whole. */
const storedKeys = (bench: JobBench): readonly string[] =>
  letters.flatMap((letter) => bench.driver.state.entries.first(letter, 10_000).map(([key]) => key));

/** Keys of what names the host, or is of one of its pages. */
function storedOf(bench: JobBench, host: string, count: number): readonly string[] {
  const ids = Array.from({ length: count }, (_, index) =>
    Buffer.from(urlIdOf(`https://${host}/${index}`), "hex").toString("base64url"),
  );
  return letters.flatMap((letter) =>
    bench.driver.state.entries
      .first(letter, 10_000)
      .filter(([key, value]) => {
        const text = JSON.stringify([key, value]);
        return text.includes(host) || ids.some((id) => text.includes(id));
      })
      .map(([key]) => key),
  );
}

/** What the page at an index leads to, as the fetcher writes it down of a job with maxDepth. */
function outlinks(bench: JobBench, host: string, index: number): void {
  const link: Link = {
    job: "j",
    run: 1,
    kind: "outlinks",
    parent: urlIdOf(`https://${host}/${index}`),
    depth: 1,
    root: `https://${host}/`,
    redirects: 0,
    urls: ["https://c.example/far"],
  };
  const view = bench.driver.state.views.get("j");
  if (view !== undefined) view.tally.announced += 1;
  bench.driver.feed(topics.links.name, host, link);
  bench.settle();
}

/** Of each of the hosts some URLs are done, some have failed, some are out, and some wait, in whatever way. */
function busyBench(hosts: readonly string[]): JobBench {
  const bench = new JobBench({
    politeness: { delayMs: 10_000 },
    limits: { maxDepth: 5, perHost: { pagesMax: 15 }, perPath: [{ prefix: "/1", pagesMax: 1 }] },
  });
  for (const host of hosts) bench.links(host, 30);
  const dueAtMs = bench.driver.nowMs + 3_600_000;
  for (let number = 0; number < 11 * hosts.length; number += 1) {
    const { hostname, pathname } = new URL(bench.out[0]?.url ?? "");
    const index = Number(pathname.slice(1));
    outlinks(bench, hostname, index);
    if (index % 3 === 0) bench.answer({ ok: true, linkRecords: 0 });
    else if (index % 3 === 2) bench.answer({ category: "dns" });
    // It keeps its unit of the path, so that others wait for it.
    else bench.answer({ kind: "deferred", detail: "breaker", dueAtMs });
  }
  return bench;
}

describe("a host that is dropped", () => {
  test("leaves nothing behind but sums, whatever its URLs were at; other hosts keep everything", () => {
    const bench = busyBench(["a.example", "b.example"]);
    const alone = storedOf(bench, "b.example", 30);
    const letterOf = (keys: readonly string[]): string => [...new Set(keys.map((key) => key[0]))].join("");
    expect(letterOf(storedOf(bench, "a.example", 30))).toBe("kqdhfxlb");
    const known = bench.driver.state.views.get("j")?.known.size;
    dropHost(bench, "a.example");
    while (bench.out.some(({ url }) => url.includes("a.example"))) {
      bench.out.sort((a, b) => a.url.localeCompare(b.url));
      outlinks(bench, "a.example", Number(new URL(bench.out[0]?.url ?? "").pathname.slice(1)));
      bench.answer({ kind: "refused", category: "blocked" });
    }
    settleAll(bench);
    expect(storedOf(bench, "a.example", 30)).toEqual([]);
    expect(storedOf(bench, "b.example", 30)).toEqual(alone);
    expect([known, bench.driver.state.views.get("j")?.known.size]).toEqual([60, 30]);
    expect(bench.status).toMatchObject({ admitted: 60, done: 8, failed: 8 });
    expect(bench.status?.skippedBy?.["blocked"]).toBe(22);
  });

  test("also where a page of it comes to its end later, with a result", () => {
    const bench = busyBench(["a.example", "b.example"]);
    dropHost(bench, ".example");
    while (bench.out.length > 0) {
      const { url } = bench.answer({ ok: true, linkRecords: 0 });
      // What it leads to may be read after its outcome.
      outlinks(bench, new URL(url).hostname, Number(new URL(url).pathname.slice(1)));
    }
    settleAll(bench);
    expect(storedKeys(bench)).toEqual([]);
    expect(bench.driver.state.views.get("j")?.known.size).toBe(0);
  });

  test("does not wait for a paused job to go on", () => {
    const bench = new JobBench({ desired: "paused" });
    bench.links("a.example", 30);
    expect(bench.out).toEqual([]);
    dropHost(bench, "a.example");
    expect(storedKeys(bench)).toEqual([]);
    expect(bench.status).toMatchObject({ admitted: 30, skippedBy: { blocked: 30 }, waiting: 0 });
    expect([...bench.driver.state.hosts.keys()]).toEqual([]);
  });

  test("has nothing taken away twice where a job is about to give everything up", () => {
    const bench = new JobBench({ desired: "paused" });
    bench.links("a.example", 1500);
    bench.driver.commit();
    const cancelled = jobSchema.parse({ id: "j", open: true, desired: "cancelled" });
    bench.driver.tables[topics.jobs.name] = new Map([["j", cancelled]]);
    bench.driver.tables[topics.policies.name] = new Map([["a.example", drop]]);
    bench.driver.restartFromCommit();
    settleAll(bench);
    expect(bench.status).toMatchObject({ admitted: 1500, skipped: 1500, waiting: 0, inFlight: 0 });
    expect(storedOf(bench, "a.example", 1)).toEqual([]);
  });

  test("is refused when it is found again, and new once the order is taken back", () => {
    const bench = new JobBench(fast);
    bench.links("a.example", 5);
    while (bench.out.length > 0) bench.answer({ ok: true });
    dropHost(bench, "a.example");
    bench.links("a.example", 7);
    expect(bench.status).toMatchObject({ admitted: 5, done: 5, refusedBy: { blocked: 7 } });
    expect(storedKeys(bench)).toEqual([]);
    bench.driver.table(topics.policies.name, "a.example", undefined);
    bench.links("a.example", 7);
    expect(bench.out).toHaveLength(7);
    expect(bench.status).toMatchObject({ admitted: 12, done: 5 });
  });

  test("is gone through a piece a step, also where the task was taken over since", () => {
    const bench = new JobBench(fast);
    for (let host = 0; host < 600; host += 1) bench.links(`h${host}.example`, 1);
    while (bench.out.length > 0) bench.answer({ ok: true });
    bench.driver.commit();
    expect(storedKeys(bench)).toHaveLength(600);
    bench.driver.tables[topics.policies.name] = new Map([["*.example", drop]]);
    bench.driver.restartFromCommit();
    settleAll(bench);
    expect(storedKeys(bench)).toEqual([]);
    expect(bench.driver.state.views.get("j")?.known.size).toBe(0);
    expect(bench.status).toMatchObject({ admitted: 600, done: 600 });
  });

  test("leaves a job that has ended, and is kept for what failed in it", () => {
    const fields = { ...fast, limits: { maxDepth: 5 } };
    const bench = new JobBench(fields);
    bench.links("a.example", 4);
    bench.links("b.example", 4);
    outlinks(bench, "a.example", 3);
    while (bench.out.length > 0) bench.answer({ category: "dns" });
    bench.job({ ...fields, open: false });
    bench.driver.advance(5000);
    bench.settle();
    expect(bench.status?.state).toBe("ended");
    expect(storedOf(bench, "a.example", 4).some((key) => key.startsWith("l"))).toBe(true);
    dropHost(bench, "a.example");
    expect(storedOf(bench, "a.example", 4)).toEqual([]);
    expect(storedOf(bench, "b.example", 4).length).toBeGreaterThan(0);
  });
});
