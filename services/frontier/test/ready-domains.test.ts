import { jobSchema, topics } from "@sluice/records";
import { describe, expect, test } from "vitest";
import { ReadyDomains } from "../src/core/ready-domains.ts";
import { JobBench } from "./job-bench.ts";

describe("domains of a job that lacks page grants", () => {
  test("keep their turns, in their order, while those where something has changed have theirs", () => {
    const ready = new ReadyDomains();
    for (const domain of ["a", "b", "d"]) ready.keep("j", domain);
    ready.add("j", "c");
    expect([ready.has("j", false), ready.take("j", false)]).toEqual([true, "c"]);
    expect([ready.has("j", false), ready.take("j", false)]).toEqual([false, null]);
    expect([ready.take("j", true), ready.take("j", true), ready.take("j", true)]).toEqual(["a", "b", "d"]);
    expect([ready.size, ready.has("j", true)]).toEqual([0, false]);
  });

  test("are left alone by every release, and each has its turn as grants come", () => {
    const hosts = 40;
    const bench = new JobBench(
      { limits: { maxPages: 30 }, politeness: { delayMs: 0 } },
      { grantsAtOnce: 5, releasedMax: 1000 },
    );
    for (let number = 0; number < hosts; number += 1) bench.links(`h${number}.example`, 2);
    const hadOf = (from: number): readonly string[] =>
      bench.out.slice(from).map(({ url }) => new URL(url).host);
    // All that the limit allows is out, each host had its turn before any had a second one.
    expect(hadOf(0)).toHaveLength(30);
    expect(new Set(hadOf(0)).size).toBeGreaterThan(10);
    expect(bench.driver.state.ready.has("j", false)).toBe(false);
    // A page that fails before a request gives its grant back; any of the others may take it.
    bench.answer({ kind: "refused", category: "robots" });
    expect(hadOf(29)).toHaveLength(1);
    // What holds its grant goes before all that wait for one.
    const again = bench.answer({ kind: "retry", category: "dns", dueAtMs: null });
    expect(bench.out.at(-1)?.url).toBe(again.url);
    bench.driver.table(
      topics.jobs.name,
      "j",
      jobSchema.parse({ id: "j", open: true, politeness: { delayMs: 0 } }),
    );
    bench.settle();
    expect(bench.out.length).toBe(hosts * 2 - 1);
  });

  test("are asked all the same where what waits has become in vain, which takes no grant", () => {
    const bench = new JobBench(
      { limits: { maxPages: 5, perHost: { pagesMax: 1 } }, politeness: { delayMs: 0 } },
      { grantsAtOnce: 1 },
    );
    bench.links("a.example", 2);
    const view = bench.driver.state.views.get("j");
    expect([view?.grantsHeld, view?.waiting]).toEqual([0, 1]);
    bench.answer({ ok: true, category: "ok" });
    expect([view?.waiting, view?.tally.done, view?.tally.skipped]).toEqual([0, 1, 1]);
  });
});
