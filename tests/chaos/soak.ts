/** A crawl for hours at an even pace over a web of fixed size: what grows is no state, so nothing may grow. */
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@sluice/local-kafka";
import { cpuSecondsOf } from "../fleet/process-usage.ts";
import type { Findings } from "./disturbances.ts";
import { collectGarbage } from "./inspector.ts";
import { levelSlope, longestPause, metricValue, type Reading, type Span } from "./steadiness.ts";
import type { World } from "./world.ts";

const lookMs = 250;
const sampleMaxMs = 5_000;
/** Windows whose median reading is taken. In the middle of each the garbage is collected. */
const windows = 24;
/** Between two collections at least: they cost what the process would do. */
const collectMinMs = 60_000;
/** Memory finds its level: code is compiled, caches and the heap grow to what the work needs. */
const warmUpShare = 0.25;
const warmUpMaxMs = 1_800_000;
/** In less time a slope says more about chance than about a leak. */
const judgedFromMs = 1_800_000;
/** The 99th percentile of a process is told since it was last asked, and asked for so often. */
const loopWindowMs = 600_000;
const limits = { slopeMbPerHour: 1, loopDelayMs: 50, pauseMs: 30_000 } as const;
/** Of the time of a process. Where it waits longer for a core, its event loop is late by the machine's fault. */
const waitedShareMax = 0.05;

/** What the sink remembers fills up in the warm-up: 100,000 results, its default, would take hours. */
const idsMax = 1_000;

type Figures = Readonly<Record<string, number>>;

export class Soak {
  readonly #world: World;
  /** Port of each process's metrics, by its name. */
  readonly #ports = new Map<string, number>();
  /** Port of each process's inspector. */
  readonly #inspectors = new Map<string, number>();
  readonly #readings = new Map<string, Reading[]>();
  readonly #loopDelaysMs = new Map<string, number>();
  readonly #progressAtMs: number[] = [];
  readonly #spans: Span[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** Starts the services, each with a port for its metrics and one for its inspector. */
  async start(
    members: readonly (readonly ["frontier" | "rate-limit" | "fetcher" | "result-sink", number])[],
  ) {
    for (const [service, index] of members) {
      const [port, inspector] = [await freePort(null), await freePort(null)];
      this.#ports.set(`${service}-${index}`, port);
      this.#inspectors.set(`${service}-${index}`, inspector);
      const options = `${process.env["NODE_OPTIONS"] ?? ""} --inspect=127.0.0.1:${inspector}`.trim();
      this.#world.start(service, index, {
        SLUICE_ADMIN_PORT: String(port),
        SLUICE_SINK_IDS_MAX: String(idsMax),
        NODE_OPTIONS: options,
      });
    }
    // How long a start takes is not what is asked here.
    for (const [service, index] of members) await this.#world.fleet.joined(service, index);
  }

  /** Crawls the same web run after run for so long, and the last run to its end. */
  async run(forMs: number): Promise<Findings> {
    const world = this.#world;
    const warmUpMs = Math.min(warmUpMaxMs, forMs * warmUpShare);
    const steadyMs = forMs - warmUpMs;
    const startedAtMs = performance.now();
    const ran = this.#runs(startedAtMs + forMs);
    const watch = new AbortController();
    const watched = this.#watchProgress(watch.signal);
    await Promise.race([ran, sleep(warmUpMs)]);
    const [resultsBefore, cpuBefore] = [world.results, this.#cpuSeconds()];
    const waitedBefore = this.#waitedSeconds();
    await this.#askLoopDelays();
    this.#loopDelaysMs.clear();
    const collections = this.#collectGarbage(startedAtMs + warmUpMs, steadyMs, watch.signal);
    const sampleMs = Math.min(sampleMaxMs, steadyMs / windows);
    const loopWindows = Math.max(1, Math.floor(steadyMs / loopWindowMs));
    for (let window = 1; window <= loopWindows; window += 1) {
      await this.#sampleUntil(startedAtMs + warmUpMs + (steadyMs * window) / loopWindows, sampleMs);
      await this.#askLoopDelays();
    }
    const seconds = (performance.now() - startedAtMs - warmUpMs) / 1000;
    const results = world.results - resultsBefore;
    const cpu = this.#cpuSeconds();
    const waited = this.#waitedSeconds();
    await ran;
    watch.abort();
    await Promise.all([watched, collections]);
    const grewBy = (after: Figures, before: Figures): number =>
      Object.entries(after).reduce((sum, [name, value]) => sum + value - (before[name] ?? 0), 0);
    const waitedShare = grewBy(waited, waitedBefore) / seconds / this.#ports.size;
    return this.#findings(steadyMs, waitedShare, {
      soak_seconds: Math.round(forMs / 1000),
      warm_up_seconds: Math.round(warmUpMs / 1000),
      results_per_second: Number((results / seconds).toFixed(1)),
      cpu_cores: Number((grewBy(cpu, cpuBefore) / seconds).toFixed(3)),
      // What others on the machine take: an event loop that waits for a core is late, too.
      waited_for_core_share: Number(waitedShare.toFixed(3)),
    });
  }

  async #runs(untilMs: number): Promise<void> {
    const world = this.#world;
    do {
      const fromMs = Date.now();
      await world.submit(world.runs + 1);
      await world.ended(true);
      this.#spans.push({ fromMs, toMs: Date.now() });
      world.options.log(`run ${world.runs}: ${world.results} results in all`);
    } while (performance.now() < untilMs);
  }

  async #watchProgress(signal: AbortSignal): Promise<void> {
    let had = 0;
    while (!signal.aborted) {
      if (this.#world.results > had) this.#progressAtMs.push(Date.now());
      had = this.#world.results;
      await sleep(lookMs);
    }
  }

  /**
   * V8 leaves garbage in the old generation for hours where little of it comes to be: what grows so is no leak, and is
   * told apart from one only by a collection.
   */
  async #collectGarbage(fromMs: number, steadyMs: number, signal: AbortSignal): Promise<void> {
    const times = Math.max(1, Math.min(windows, Math.floor(steadyMs / collectMinMs)));
    for (let time = 0; time < times; time += 1) {
      const atMs = fromMs + (steadyMs * (time + 0.5)) / times;
      while (!signal.aborted && performance.now() < atMs) await sleep(lookMs);
      if (signal.aborted) return;
      for (const port of this.#inspectors.values()) await collectGarbage(port);
    }
  }

  async #sampleUntil(untilMs: number, sampleMs: number): Promise<void> {
    while (performance.now() < untilMs) {
      const atMs = Date.now();
      const sizes = this.#world.rssMb();
      appendFileSync(
        join(this.#world.options.dir, "memory.jsonl"),
        `${JSON.stringify({ atMs, ...sizes })}\n`,
      );
      for (const [name, mb] of Object.entries(sizes)) {
        const readings = this.#readings.get(name) ?? [];
        readings.push({ atMs, mb });
        this.#readings.set(name, readings);
      }
      await sleep(Math.min(sampleMs, Math.max(0, untilMs - performance.now())));
    }
  }

  /** Keeps the largest 99th percentile of each process. */
  async #askLoopDelays(): Promise<void> {
    for (const [name, port] of this.#ports) {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      const metric = "sluice_process_event_loop_delay_seconds";
      const value = metricValue(await answer.text(), metric, 'quantile="0.99"');
      if (value === null) throw new Error(`${name} has no ${metric}`);
      this.#loopDelaysMs.set(name, Math.max(value * 1000, this.#loopDelaysMs.get(name) ?? 0));
    }
  }

  /** CPU used by each process so far. */
  #cpuSeconds(): Figures {
    return this.#ofEach(cpuSecondsOf);
  }

  /** How long the main thread of each could have run and had no core, so far: /proc/PID/schedstat. */
  #waitedSeconds(): Figures {
    return this.#ofEach((pid) => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e9);
  }

  #ofEach(figure: (pid: number) => number): Figures {
    const figures: Record<string, number> = {};
    for (const { service, index, pid } of this.#world.fleet.members) {
      if (pid !== undefined) figures[`${service}-${index}`] = figure(pid);
    }
    return figures;
  }

  #findings(steadyMs: number, waitedShare: number, figures: Figures): Findings {
    const slopes: Record<string, number> = {};
    const errors: Record<string, number> = {};
    const [first, last]: [Record<string, number>, Record<string, number>] = [{}, {}];
    const wrong: string[] = [];
    const slow: string[] = [];
    for (const [name, readings] of this.#readings) {
      const slope = levelSlope(readings, windows);
      if (slope === null) {
        wrong.push(`too few readings of ${name}`);
        continue;
      }
      slopes[name] = Number(slope.mbPerHour.toFixed(2));
      errors[name] = Number(slope.errorMbPerHour.toFixed(2));
      [first[name], last[name]] = [readings[0]?.mb ?? 0, readings.at(-1)?.mb ?? 0];
      if (steadyMs >= judgedFromMs && slope.mbPerHour > limits.slopeMbPerHour)
        wrong.push(`${name} grows by ${slopes[name]} MB/h`);
    }
    const loop: Record<string, number> = {};
    const loopJudged = waitedShare <= waitedShareMax;
    for (const [name, ms] of this.#loopDelaysMs) {
      loop[name] = Number(ms.toFixed(1));
      if (loopJudged && ms > limits.loopDelayMs)
        slow.push(`the event loop of ${name} is late by ${loop[name]} ms`);
    }
    const pauseMs = longestPause(this.#progressAtMs, this.#spans);
    if (pauseMs > limits.pauseMs) slow.push(`no result for ${pauseMs} ms while there was work`);
    const { graveyard } = this.#world.fleet;
    if (graveyard.length > 0) wrong.push(`${graveyard.length} processes exited`);
    return {
      figures: {
        ...figures,
        rss_slope_mb_per_hour: slopes,
        rss_slope_error_mb_per_hour: errors,
        rss_slope_judged: steadyMs >= judgedFromMs,
        rss_mb_after_warm_up: first,
        rss_mb_at_end: last,
        event_loop_delay_p99_ms: loop,
        event_loop_delay_judged: loopJudged,
        longest_pause_ms: pauseMs,
      },
      wrong,
      slow,
    };
  }
}
