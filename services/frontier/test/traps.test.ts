import { hostOf, jobSchema, openOf } from "@sluice/records";
import { Random } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import { Cluster, type Chances } from "./cluster.ts";
import { blogs, endlessHosts, endlessPaths, goodSite } from "./endless-sites.ts";
import { checkTask } from "./invariants.ts";
import type { Page } from "./web.ts";

/** Records come in any order between topics and tasks, which is worse than what brokers do. */
const chances: Chances = { detour: 0, crash: 0, restart: 0, commit: 0.2, hold: 0 };
const tasks = 12;

interface Crawled {
  readonly byHost: ReadonlyMap<string, number>;
  readonly all: number;
  readonly reasons: readonly string[];
}

/** All pages that a crawl of the domains of its seeds asks for. */
function crawl(seed: number, leadsTo: (url: string) => readonly string[], seeds: readonly string[]): Crawled {
  const page = (url: string): Page => ({ url, domain: hostOf(url), fate: "ok", links: leadsTo(url) });
  const cluster = new Cluster(tasks, new Random(seed), { page }, chances);
  cluster.submit(
    jobSchema.parse({ id: "job", seeds, scope: { kind: "domain" }, politeness: { delayMs: 1000 } }),
  );
  while (cluster.terminal.length === 0) {
    if (cluster.steps > 400_000) throw new Error("the job did not end");
    if (!cluster.step() && cluster.terminal.length === 0) cluster.settleAndWait();
  }
  const byHost = new Map<string, number>();
  for (const url of cluster.results) byHost.set(hostOf(url), (byHost.get(hostOf(url)) ?? 0) + 1);
  const reasons = new Set<string>();
  for (const event of cluster.events) if (event.type === "url_failed") reasons.add(event.category);
  for (const driver of cluster.tasks) {
    checkTask(driver.state);
    for (const view of driver.state.views.values()) {
      expect(openOf(view.tally)).toBe(0);
      for (const reason of view.refusedBy.keys()) reasons.add(reason);
    }
  }
  return { byHost, all: cluster.results.length, reasons: [...reasons] };
}

const at = (host: string) => (path: string) => `http://${host}${path}`;
const pathOf = (url: string): string => url.slice(url.indexOf("/", url.indexOf("://") + 3));
/** Beside a good site of 2,000 pages it is 1 %. */
const wastedMax = 20;
/** Pages of a trap that are none: its first, and those that there are under any number of ids. */
const real = (kind: string): number => (kind.startsWith("session") ? 21 : 1);

describe("a site without end", () => {
  const good = goodSite(800);

  test.each(Object.keys(endlessPaths))(
    "takes no page from a good one beside it, and costs 20 requests at most: %s",
    (kind) => {
      for (const seed of [1, 2, 3]) {
        const { byHost, reasons } = crawl(
          seed,
          (url) =>
            hostOf(url) === "good.example"
              ? (good.get(pathOf(url)) ?? []).map(at("good.example"))
              : (endlessPaths[kind]?.(pathOf(url)) ?? []).map(at("trap.example")),
          ["http://good.example/", "http://trap.example/"],
        );
        expect(byHost.get("good.example")).toBe(good.size);
        expect((byHost.get("trap.example") ?? 0) - real(kind)).toBeLessThanOrEqual(wastedMax);
        expect(reasons.length).toBeGreaterThan(0);
        for (const reason of reasons) expect(reason).toMatch(/^(trap_|too_long)/);
      }
    },
  );

  test("is not what a page of one look is taken for that alone leads to pages of another", () => {
    const path = "/src/vendor/one/vendor/two/vendor/";
    const deep = `${path}a/b/c/d/e/f/g/h/`;
    const links = new Map([
      ["/", [path]],
      [path, [deep]],
      [deep, [1, 2, 3, 4, 5, 6, 7, 8].map((file) => `${deep}file${file}`)],
    ]);
    const { all, reasons } = crawl(1, (url) => (links.get(pathOf(url)) ?? []).map(at("good.example")), [
      "http://good.example/",
    ]);
    expect(reasons).toEqual([]);
    expect(all).toBe(11);
  });

  test("of host names costs 20 requests at most", () => {
    const hosts = endlessHosts(1000);
    for (const seed of [1, 2, 3]) {
      const { all, reasons } = crawl(seed, (url) => hosts.get(url) ?? [], ["http://trap.example/"]);
      expect(all - 1).toBeLessThanOrEqual(wastedMax);
      expect(reasons).toEqual(["trap_host"]);
    }
  });

  test("is not what 3,000 blogs on hosts of one domain are taken for, though every tenth leads only to others", () => {
    const links = blogs(3000);
    const { byHost, all, reasons } = crawl(1, (url) => links.get(url) ?? [], ["http://www.blogs.example/"]);
    expect(reasons).toEqual([]);
    expect(byHost.size).toBe(3001);
    expect(all).toBe(links.size);
  });
});
