import { topics, type Due } from "@sluice/records";
import { describe, expect, test } from "vitest";
import { keys } from "../src/core/keys.ts";
import { JobBench } from "./job-bench.ts";
import { linksTo } from "./records.ts";

const slow = { scope: { kind: "any" }, politeness: { delayMs: 60_000 } };
const rootOf = (number: number): string => `https://seed-${number}.example/where/it/began`;

/** Links to pages of one host that were found on the way from a root. */
function find(bench: JobBench, root: string, names: readonly string[]): void {
  const { domain, link } = linksTo(
    "j",
    names.map((name) => `https://a.example/${name}`),
  );
  const view = bench.driver.state.views.get("j");
  if (view !== undefined) view.tally.announced += 1;
  bench.driver.feed(topics.links.name, domain, { ...link, root });
  bench.settle();
}

function stored(bench: JobBench, letter: "q" | "r"): readonly (readonly [string, unknown])[] {
  const number = bench.driver.state.views.get("j")?.number ?? 0;
  return bench.driver.state.entries.first(keys.all(letter, number), 10_000);
}

/** Releases what waits, one by one. */
function released(bench: JobBench, count: number): readonly Due[] {
  const all: Due[] = [];
  while (all.length < count) {
    if (bench.out.length === 0) bench.driver.advance(60_000);
    bench.settle();
    while (bench.out.length > 0) all.push(bench.answer({ ok: true }));
  }
  return all;
}

describe("the root of many URLs", () => {
  test("is stored once, and said of each of them, also after the task was taken over", () => {
    const bench = new JobBench(slow);
    find(bench, rootOf(1), ["a", "b", "c", "d", "e", "f"]);
    expect(stored(bench, "r").map(([, root]) => root)).toEqual([rootOf(1)]);
    expect(stored(bench, "q").length).toBeGreaterThan(1);
    expect(JSON.stringify(stored(bench, "q"))).not.toContain("seed-1");
    bench.driver.restart();
    find(bench, rootOf(2), ["g"]);
    find(bench, rootOf(1), ["h"]);
    expect(stored(bench, "r").map(([, root]) => root)).toEqual([rootOf(1), rootOf(2)]);
    const roots = released(bench, 8).map(({ url, root }) => [url.slice(-1), root]);
    expect(Object.fromEntries(roots)).toEqual({
      ...Object.fromEntries([..."abcdefh"].map((name) => [name, rootOf(1)])),
      g: rootOf(2),
    });
  });

  test("is stored with each where there are more of them than have numbers", () => {
    const bench = new JobBench(slow);
    for (let number = 1; number <= 130; number += 1) find(bench, rootOf(number), [`${number}`]);
    bench.driver.restart();
    expect(stored(bench, "r")).toHaveLength(100);
    expect(JSON.stringify(stored(bench, "q")).match(/seed-/g)).toHaveLength(30);
    expect(released(bench, 130).map(({ url, root }) => [url, root])).toEqual(
      expect.arrayContaining(
        [1, 100, 101, 130].map((number) => [`https://a.example/${number}`, rootOf(number)]),
      ),
    );
  });

  test("is named by what failed as well, and goes with the job", () => {
    const bench = new JobBench(slow);
    find(bench, rootOf(1), ["a"]);
    bench.answer({ category: "dns" });
    const failed = bench.driver.state.entries.first("x", 10);
    expect([failed.length, JSON.stringify(failed).includes("seed-1")]).toEqual([1, false]);
    bench.driver.table(topics.jobs.name, "j", undefined);
    bench.settle();
    bench.driver.advance(1000);
    bench.settle();
    expect([bench.driver.state.entries.first("", 10), bench.driver.state.roots.size]).toEqual([[], 0]);
  });
});
