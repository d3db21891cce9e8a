/** A site without end beside a good one, through all services: how much of the one is had, and what the other costs. */
import { hostOf, jobSchema, topics, type Result } from "@sluice/records";
import type { HostDefinition, PageDefinition } from "./site.ts";
import { host, planAsOperated, planned } from "./tarpits.ts";
import { World } from "./world.ts";

type Endless = (path: string) => readonly string[] | null;

const number = (text: string | undefined): number => Number(text ?? 0);

/** What each kind of trap leads to from a path. Each page of it leads to more of its kind, and back to its beginning. */
export const traps: Readonly<Record<string, Endless>> = {
  /** Two relative links that were meant to begin with a slash. */
  "path repetition": (path) => ["/", `${path}shop/`, `${path}about/`],
  /** Months to both sides, with their days. */
  calendar: (path) => {
    const found = /^\/calendar\/(\d{4})\/(\d\d)\/(?:\d\d\/)?$/.exec(path);
    const month = found === null ? 2026 * 12 + 10 : number(found[1]) * 12 + number(found[2]) - 1;
    const link = (at: number): string =>
      `/calendar/${Math.floor(at / 12)}/${String((at % 12) + 1).padStart(2, "0")}/`;
    const days = Array.from({ length: 28 }, (_, day) => `${link(month)}${String(day + 1).padStart(2, "0")}/`);
    return ["/", link(month - 1), link(month + 1), ...days];
  },
  /** Twenty pages, linked from each under an id that is made for the visit. */
  "session id in the query": (path) => {
    const id = idAfter(path);
    return Array.from({ length: 20 }, (_, page) => `/page/${page}?PHPSESSID=${id}`);
  },
  "session id in the path": (path) => {
    const id = idAfter(path);
    return Array.from({ length: 20 }, (_, page) => `/page/${page};jsessionid=${id}`);
  },
  /** Each link brings the address of the page along. */
  "too long": (path) => ["/", ...["/a", "/b"].map((to) => `${to}?from=${encodeURIComponent(path)}`)],
  "too deep": (path) => ["/", `${path}${path.length.toString(36)}x/`],
};

/** Looks drawn, and is the same for the same page. */
function idAfter(path: string): string {
  let state = 7;
  for (let at = 0; at < path.length; at += 1) state = (state * 31 + path.charCodeAt(at)) % 2 ** 31;
  return `${state.toString(16)}${(state * 977).toString(16)}`.padStart(26, "0").slice(0, 26);
}

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
  const endless = traps[kind];
  if (endless === undefined) throw new Error(`no trap is called ${kind}`);
  const pages = goodSite(goodPages);
  const definitions: readonly HostDefinition[] = [
    host("good.example", pages, { kind: "up" }),
    { ...host("trap.example", new Map(), { kind: "up" }), endless },
  ];
  const job = jobSchema.parse({
    id: "job",
    seeds: definitions.map(({ name }) => `http://${name}/`),
    politeness: { delayMs: 100 },
    urlEvents: "outcomes",
  });
  const world = new World(planAsOperated(definitions, [planned(job, [0, 1])]));
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
    throw new Error(`${kind}: ${JSON.stringify(world.violations)} ${JSON.stringify(status)}`);
  const asked = { good: 0, trap: 0 };
  for (const records of world.cluster.committed(topics.results.name))
    for (const { value } of records) {
      if (value === null) continue;
      const { url } = JSON.parse(value.toString("utf8")) as Result;
      asked[hostOf(url) === "good.example" ? "good" : "trap"] += 1;
    }
  const wasted = Math.max(0, asked.trap - real(kind));
  return {
    goodPages: pages.size,
    goodHad: asked.good,
    trapRequests: asked.trap,
    wastedShare: Number((wasted / (asked.good + asked.trap)).toFixed(5)),
    refusedBy: status.refusedBy ?? {},
    skippedBy: status.skippedBy ?? {},
  };
}

/**
 * A site that has much of what traps are told by, and is none: numbered pages, an archive that is reached only by the
 * next link, a calendar of ten years whose months have events, URLs that are deep, long and repeat a name.
 */
function goodSite(size: number): ReadonlyMap<string, PageDefinition> {
  const links = new Map<string, string[]>();
  const add = (from: string, ...to: readonly string[]): void => {
    links.set(from, [...(links.get(from) ?? []), ...to]);
    for (const path of to) if (!links.has(path)) links.set(path, []);
  };
  const months = 120;
  const events = 2;
  const archive = 100;
  const wiki = Math.max(10, size - months * (events + 1) - archive - 3);
  for (let page = 0; page < wiki; page += 1)
    for (let child = page * 4 + 1; child <= page * 4 + 4 && child < wiki; child += 1)
      add(page === 0 ? "/" : `/wiki?id=${page}`, `/wiki?id=${child}`);
  const monthOf = (at: number): string =>
    `/events/${2016 + Math.floor(at / 12)}/${String((at % 12) + 1).padStart(2, "0")}/`;
  add("/", monthOf(months - 1), "/archive?page=1");
  for (let at = months - 1; at >= 0; at -= 1) {
    if (at > 0) add(monthOf(at), monthOf(at - 1));
    for (let event = 0; event < events; event += 1) add(monthOf(at), `${monthOf(at)}meeting-${event}`);
  }
  for (let page = 1; page < archive; page += 1) add(`/archive?page=${page}`, `/archive?page=${page + 1}`);
  add("/", `/${"folder/".repeat(2)}a/b/c/d/e/f/g/h/i/j/k/l/m`, `/search?q=${"long".repeat(200)}`);
  return new Map(
    [...links].map(([path, hrefs]) => [
      path,
      {
        status: 200,
        location: null,
        links: hrefs.map((href) => ({ href, to: { host: 0, path: href } })),
        troubles: 0,
        trouble: "reset",
        nofollow: false,
        fillBytes: 0,
      } satisfies PageDefinition,
    ]),
  );
}
