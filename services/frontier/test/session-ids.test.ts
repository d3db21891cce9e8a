import { jobSchema, topics, type Due, type Link } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { urlIdOf } from "@sluice/web";
import { describe, expect, test } from "vitest";
import type { FrontierState } from "../src/core/state.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";
import { checkTask } from "./invariants.ts";
import { answerTo } from "@sluice/records/testing";
import { linksTo } from "./records.ts";

const page = (id: string): string =>
  `https://h.example/page${id === "" ? "" : `?PHPSESSID=${id.repeat(26)}`}`;
const behind = "https://h.example/behind";

/** A job with a limit of depth, whose links go back to it as they would through the topic. */
class Bench {
  readonly driver: StepDriver<FrontierState, FrontierRecord>;
  readonly due: Due[] = [];

  constructor(maxDepth: number | null) {
    const job = jobSchema.parse({
      id: "j",
      open: true,
      scope: { kind: "any" },
      limits: { maxDepth },
      politeness: { delayMs: 0 },
    });
    this.driver = new StepDriver({
      step: frontierStep(),
      keepHistory: false,
      tables: { [topics.jobs.name]: [[job.id, job]] },
    });
  }

  link(url: string, depth: number, fields: Partial<Link> = {}): void {
    const { domain, link } = linksTo("j", [url], depth);
    this.#feed(domain, { ...link, ...fields });
  }

  #feed(domain: string, link: Link): void {
    this.driver.feed(topics.links.name, domain, link);
    checkTask(this.driver.state);
    for (const { topic, key, value } of this.driver.takeSent()) {
      if (topic === topics.links.name) this.#feed(key, value as Link);
      else if (topic === topics.due.name) this.due.push(value as Due);
    }
  }

  /** The page that was released last has led to one page, which is announced where it is near enough. */
  settle(maxDepth: number): void {
    const due = this.due.at(-1);
    if (due === undefined) throw new Error("nothing is released");
    const { depth, urlId: parent } = due;
    this.link(behind, depth + 1, { kind: "outlinks", parent });
    if (depth < maxDepth) this.link(behind, depth + 1, { parent });
    this.driver.feed(topics.outcomes.name, "h.example", answerTo(due));
    checkTask(this.driver.state);
  }

  get released(): readonly (readonly [string, number])[] {
    return this.due.map(({ url, depth }) => [url, depth]);
  }
}

describe("a page under several session ids, in a job with maxDepth", () => {
  const spellings = ["", "a", "b"];
  const ways = spellings.flatMap((far) =>
    spellings.flatMap((near) => (far === near ? [] : [[far, near] as const])),
  );

  test.each(ways)("is fetched once as %j, and comes nearer when it is found as %j", (far, near) => {
    const bench = new Bench(2);
    bench.link(page(far), 2);
    bench.settle(2);
    expect(bench.released).toEqual([[page(far), 2]]);
    bench.driver.commit();
    bench.driver.restartFromCommit();
    bench.link(page(near), 1);
    // What it leads to is no deeper than the limit now.
    expect(bench.released).toEqual([
      [page(far), 2],
      [behind, 2],
    ]);
    bench.link(page("c"), 1);
    bench.link(page("c"), 2);
    expect(bench.released).toHaveLength(2);
  });

  test.each(ways)(
    "is released as near as it was found, as %j, where it waits when it is found as %j",
    (far, near) => {
      const bench = new Bench(2);
      bench.driver.table("flow", "release", { group: "sink" });
      bench.link(page(far), 2);
      bench.link(page(near), 1);
      expect(bench.released).toEqual([]);
      bench.driver.table("flow", "release", undefined);
      bench.link("https://other.example/", 1);
      expect(bench.released).toContainEqual([page(far), 1]);
      expect(bench.released.filter(([url]) => url.includes("/page"))).toHaveLength(1);
    },
  );

  test("is nobody's redirect where depth has no limit", () => {
    const bench = new Bench(null);
    bench.link(page("a"), 2);
    bench.link(page("b"), 1);
    expect(bench.released).toEqual([[page("a"), 2]]);
    expect(bench.driver.state.entries.first("l", 10)).toEqual([]);
    expect(bench.driver.state.views.get("j")?.tally.announced).toBe(0);
    expect(urlIdOf(page("a"))).not.toBe(urlIdOf(page("b")));
  });
});
