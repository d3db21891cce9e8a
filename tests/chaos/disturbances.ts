import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceName } from "../fleet/fleet.ts";
import { draw } from "../fleet/graph.ts";
import { killBroker } from "./kills.ts";
import type { SmallDisk } from "./small-disk.ts";
import type { World } from "./world.ts";

/** What a disturbance found, for the JSON line; `wrong` says what must not be. */
export interface Findings {
  readonly figures: Readonly<Record<string, unknown>>;
  readonly wrong: readonly string[];
  /** Limits on time that were broken: a machine that is busy with something else may be to blame. */
  readonly slow: readonly string[];
}

/**
 * SIGSTOP for twice the session timeout, then SIGCONT: the woken process holds permits, open batches and a
 * producer of a time in which its partitions were its own.
 */
export async function freezeAll(world: World, rounds: number): Promise<Findings> {
  const forMs = 2 * world.options.sessionTimeoutMs;
  for (let round = 0; round < rounds; round += 1) {
    await world.untilShare((round + 1) / (rounds + 1));
    const { members } = world.fleet;
    const member = members[draw(world.options.seed, round, 11) % members.length];
    if (member === undefined) continue;
    const { service, index, pid } = member;
    world.options.log(`freeze ${service}-${index} for ${forMs} ms`);
    const atMs = Date.now();
    world.fleet.kill(service, index, "SIGSTOP");
    await sleep(forMs);
    const alive = world.fleet.pid(service, index) === pid;
    world.fleet.kill(service, index, "SIGCONT");
    world.blows.push({ service, index, killed: false, atMs, untilMs: Date.now(), how: "SIGSTOP" });
    if (!alive) world.options.log(`${service}-${index} had died before`);
  }
  return { figures: { freezes: rounds }, wrong: [], slow: [] };
}

/** How many of a service there are after each of its events: one, out to four, in to two, and to one. */
const sizes = [1, 4, 2, 1] as const;

/** After so long a rebalance is over. */
const settledMs = 5_000;

function instancesOf(world: World, service: ServiceName): readonly number[] {
  return world.fleet.members.filter((member) => member.service === service).map(({ index }) => index);
}

/** Services come and go gracefully, as an autoscaler would have them. */
export async function scaleAll(world: World, events: number): Promise<Findings> {
  const scaled: readonly ("frontier" | "fetcher" | "rate-limit")[] = ["fetcher", "frontier", "rate-limit"];
  for (let event = 0; event < events; event += 1) {
    await world.untilShare((event + 1) / (events + 1));
    const service = scaled[event % scaled.length] ?? "fetcher";
    const wanted = sizes[Math.floor(event / scaled.length) % sizes.length] ?? 1;
    const now = instancesOf(world, service);
    const fetchersBefore = instancesOf(world, "fetcher").length;
    const atMs = Date.now();
    world.events.push({ what: `scale ${service} from ${now.length} to ${wanted}`, atMs });
    world.options.log(`scale ${service} from ${now.length} to ${wanted}`);
    const changes: Promise<void>[] = [];
    for (let index = 0; index < wanted; index += 1) {
      if (now.includes(index)) continue;
      world.start(service, index);
      changes.push(world.fleet.joined(service, index));
    }
    for (const index of now) if (index >= wanted) changes.push(world.fleet.retire(service, index));
    await Promise.all(changes);
    // A task that moves takes what its fetcher had under way with it: it is asked for again.
    const untilMs = Date.now() + settledMs;
    const fetchers = Math.max(fetchersBefore, instancesOf(world, "fetcher").length);
    for (let index = 0; index < fetchers; index += 1)
      world.blows.push({ service: "fetcher", index, killed: false, atMs, untilMs, how: "scale" });
  }
  return { figures: { scale_events: events }, wrong: [], slow: [] };
}

type Sizes = Readonly<Record<string, number>>;

/** Processes that grew by more than a tenth, and more than their heap moves by anyway. */
function grown(before: Sizes, after: Sizes): readonly string[] {
  return Object.entries(after)
    .filter(([name, mb]) => mb > 1.1 * (before[name] ?? mb) + 4)
    .map(([name, mb]) => `${name} grew from ${before[name]} to ${mb} MB`);
}

const resumeMaxMs = 30_000;

/** The broker is gone for a while: nobody exits, nobody grows, and all go on soon after its return. */
export async function brokerAway(world: World, awayMs: number): Promise<Findings> {
  await world.untilShare(0.4);
  const deathsBefore = world.fleet.graveyard.length;
  const away = killBroker(world, awayMs);
  // The first seconds are those in which what was under way ends.
  await sleep(Math.min(10_000, awayMs / 4));
  const before = world.rssMb();
  await sleep(Math.max(0, awayMs - Math.min(10_000, awayMs / 4) - 500));
  const after = world.rssMb();
  const had = world.results;
  await away;
  const backAtMs = performance.now();
  const isOver = (): boolean => world.observer.status("chaos")?.state === "ended";
  const goesOn = (): boolean => world.results > had || isOver();
  await world.observer.until("a result after the broker's return, or the end", goesOn, 120_000);
  const hasGoneOn = world.results > had;
  const resumedMs = Math.round(performance.now() - backAtMs);
  const wrong = [
    ...grown(before, after),
    ...(world.fleet.graveyard.length > deathsBefore ? ["a process exited while the broker was away"] : []),
  ];
  return {
    figures: { away_ms: awayMs, resumed_ms: resumedMs, rss_mb_before: before, rss_mb_after: after },
    wrong,
    slow: [
      ...(hasGoneOn ? [] : ["the crawl was over before the broker was back"]),
      ...(resumedMs > resumeMaxMs ? [`the crawl went on only after ${resumedMs} ms`] : []),
    ],
  };
}

/** What keeps the sink from writing, and what lets it go on. */
export interface Hold {
  readonly what: string;
  readonly begin: () => void;
  readonly end: () => void;
  /** After it: what shows that it was held indeed; null where it was. */
  readonly doubt: () => string | null;
}

/** The sink's process stands still. */
export function stopped(world: World): Hold {
  const sink = (signal: NodeJS.Signals): void => world.fleet.kill("result-sink", 0, signal);
  return {
    what: "the sink stands still",
    begin: () => sink("SIGSTOP"),
    end: () => sink("SIGCONT"),
    doubt: () => null,
  };
}

/** Its disk is full. */
export function full(world: World, disk: SmallDisk): Hold {
  return {
    what: `the sink's disk is full (${disk.kind})`,
    begin: () => disk.fill(world.fleet),
    end: () => disk.free(world.fleet),
    doubt: () =>
      world.fleet.log("result-sink", 0).some(({ event }) => event === "write_failed")
        ? null
        : "no write of the sink failed",
  };
}

const stillLookMs = 100;
const stillMaxMs = 300_000;

/**
 * Waits until no result has come for so long, and tells after how long the last one came; null where they go on and
 * on. How long what was released takes to come through depends on the machine, that it ends does not.
 */
async function untilStill(world: World, quietMs: number): Promise<number | null> {
  const beganAtMs = performance.now();
  let [had, hadAtMs] = [world.results, beganAtMs];
  while (performance.now() - hadAtMs < quietMs) {
    if (performance.now() - beganAtMs > quietMs + stillMaxMs) return null;
    await sleep(stillLookMs);
    if (world.results > had) [had, hadAtMs] = [world.results, performance.now()];
  }
  return Math.round(hadAtMs - beganAtMs);
}

/** The sink is held in a crawl without delay: fetching has to stop by itself, without growing. */
export async function holdSink(world: World, hold: Hold, forMs: number): Promise<Findings> {
  await world.untilShare(0.2);
  const deathsBefore = world.fleet.graveyard.length;
  world.options.log(`${hold.what}, for ${forMs} ms`);
  hold.begin();
  const stoppedAfterMs = await untilStill(world, forMs / 2);
  const [resultsAtHalf, before] = [world.results, world.rssMb()];
  await sleep(forMs / 2);
  const [resultsAtEnd, after] = [world.results, world.rssMb()];
  hold.end();
  const wrong: string[] = [];
  if (stoppedAfterMs === null) wrong.push("fetching did not stop");
  else if (resultsAtEnd > resultsAtHalf)
    wrong.push(`${resultsAtEnd - resultsAtHalf} more results while held`);
  if (resultsAtHalf >= world.expected) wrong.push("the crawl was over before it could be held");
  if (world.fleet.graveyard.length > deathsBefore) wrong.push("a process exited while the sink was held");
  const doubt = hold.doubt();
  if (doubt !== null) wrong.push(doubt);
  wrong.push(...grown(before, after));
  return {
    figures: {
      held: hold.what,
      held_ms: forMs,
      stopped_after_ms: stoppedAfterMs,
      results_at_half: resultsAtHalf,
      results_at_end: resultsAtEnd,
      rss_mb_before: before,
      rss_mb_after: after,
    },
    wrong,
    slow: [],
  };
}
