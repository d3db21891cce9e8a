/** A site without end beside a good one, through all services: how much of the one is had, and what the other costs. */
import { hostOf, jobSchema, topics, type JobStatus, type Result } from "@sluice/records";
import { blogs, endlessHosts, endlessPaths, goodSite } from "../../services/frontier/test/endless-sites.ts";
import type { HostDefinition, PageDefinition } from "./site.ts";
import { host, planAsOperated, planned } from "./tarpits.ts";
import { World } from "./world.ts";

/** As a name server makes them up that answers to all names. */
const hostNames = "host names";

export const trapKinds: readonly string[] = [...Object.keys(endlessPaths), hostNames];

export interface TrapFigures {
  readonly goodPages: number;
  readonly goodHad: number;
  readonly trapRequests: number;
  readonly wastedShare: number;
  readonly refusedBy: Readonly<Record<string, number>>;
  readonly skippedBy: Readonly<Record<string, number>>;
}

/** Pages of a trap that are no waste: the beginning, and those that there are under any number of ids. */
const real = (kind: string): number => (kind.startsWith("session") ? 21 : 1);

export async function crawlBesideTrap(kind: string, goodPages: number): Promise<TrapFigures> {
  const site = goodSite(goodPages);
  const good = [...site].map(
    ([path, hrefs]) =>
      [urlAt("good.example", path), hrefs.map((href) => urlAt("good.example", href))] as const,
  );
  const made = kind === hostNames ? [...endlessHosts(hostsMade)] : [];
  const endless = endlessPaths[kind];
  const definitions = [
    ...hostsOf([...good, ...made]),
    ...(endless === undefined
      ? []
      : [{ ...host("trap.example", new Map(), { kind: "up" as const }), endless }]),
  ];
  const { asked, status } = await crawl(kind, definitions, ["good.example", "trap.example"]);
  const goodHad = asked.get("good.example") ?? 0;
  const all = [...asked.values()].reduce((sum, each) => sum + each, 0);
  const trapRequests = all - goodHad;
  const wasted = Math.max(0, trapRequests - real(kind));
  return {
    goodPages: site.size,
    goodHad,
    trapRequests,
    wastedShare: Number((wasted / all).toFixed(5)),
    refusedBy: status.refusedBy ?? {},
    skippedBy: status.skippedBy ?? {},
  };
}

/** How many hosts of a domain with so many blogs were asked for a page. */
export async function crawlBlogs(count: number): Promise<number> {
  const { asked } = await crawl("blogs", hostsOf([...blogs(count)]), ["www.blogs.example"]);
  return asked.size - 1;
}

const hostsMade = 400;
const urlAt = (name: string, path: string): string => `http://${name}${path}`;
const pathOf = (url: string): string => url.slice(url.indexOf("/", url.indexOf("://") + 3));

/** Servers of URLs that lead to each other. */
function hostsOf(links: readonly (readonly [string, readonly string[]])[]): readonly HostDefinition[] {
  const names = [...new Set(links.map(([url]) => hostOf(url)))];
  const numbers = new Map(names.map((name, number) => [name, number]));
  const pages = names.map(() => new Map<string, PageDefinition>());
  for (const [url, to] of links)
    pages[numbers.get(hostOf(url)) ?? -1]?.set(pathOf(url), {
      status: 200,
      location: null,
      links: to.map((href) => ({ href, to: { host: numbers.get(hostOf(href)) ?? -1, path: pathOf(href) } })),
      troubles: 0,
      trouble: "reset",
      nofollow: false,
      fillBytes: 0,
    });
  return names.map((name, number) => host(name, pages[number] ?? new Map(), { kind: "up" }));
}

/** A crawl of the whole domains of its seeds, to its end: pages by host, and how the job ended. */
async function crawl(
  name: string,
  definitions: readonly HostDefinition[],
  seeds: readonly string[],
): Promise<{ readonly asked: ReadonlyMap<string, number>; readonly status: JobStatus }> {
  const job = jobSchema.parse({
    id: "job",
    seeds: seeds.map((host) => `http://${host}/`),
    scope: { kind: "domain" },
    politeness: { delayMs: 100 },
    urlEvents: "outcomes",
  });
  const world = new World(
    planAsOperated(definitions, [
      planned(
        job,
        definitions.map((_, number) => number),
      ),
    ]),
  );
  await world.open();
  const { clock, startMs } = world;
  clock.setTimer(startMs + 1000, () => world.submit(job));
  let over = false;
  const look = (): void => {
    over = world.violations.length > 0 || world.statuses().get("job")?.state === "ended";
    if (!over) clock.setTimer(clock.nowMs() + 500, look);
  };
  look();
  await clock.runUntil(() => over, 3_600_000);
  const status = world.statuses().get("job");
  if (world.violations.length > 0 || status?.state !== "ended")
    throw new Error(`${name}: ${JSON.stringify(world.violations)} ${JSON.stringify(status)}`);
  const asked = new Map<string, number>();
  for (const records of world.cluster.committed(topics.results.name))
    for (const { value } of records) {
      if (value === null) continue;
      const host = hostOf((JSON.parse(value.toString("utf8")) as Result).url);
      asked.set(host, (asked.get(host) ?? 0) + 1);
    }
  return { asked, status };
}
