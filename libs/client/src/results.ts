/** Results as they come: members of one group share them, each group has them all. */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { asError } from "@sluice/errors";
import { topics, type Result, type TopicLayout } from "@sluice/records";
import {
  defaultLimits,
  memoryStores,
  Service,
  silentProbe,
  type Broker,
  type Clock,
  type RuntimeProbe,
} from "@sluice/runtime";
import type { InputRecord } from "@sluice/topology";
import { Handovers } from "./handovers.ts";
import { resultStep, type Handled, type Handover } from "./result-step.ts";

export interface ResultsOptions {
  /** Name of the group without the prefix. What it has dealt with it is not given again, restarts included. */
  readonly group: string;
  /** Only results of this job. */
  readonly job?: string;
  /** Of a partition, results read ahead at most: reading stops there … */
  readonly demandMax?: number;
  /** … and goes on when no more than so many are left. */
  readonly demandMin?: number;
  /** Stable name of this member: its partitions come back to it after a restart. */
  readonly instance?: string;
  /** Ends the reading; what was not dealt with comes again. */
  readonly signal?: AbortSignal;
  /** Told of what the runtime does; nothing is by default. */
  readonly onEvent?: RuntimeProbe["event"];
  /** How long the group waits for a member that is silent, in milliseconds. */
  readonly sessionTimeoutMs?: number;
}

export interface HandleOptions {
  /** Results handled at once; with 1, those of a host come in order. */
  readonly concurrency?: number;
  /** Tries of one result before the reading fails with what the last one threw. */
  readonly attemptsMax?: number;
  /** Wait before the second try, in milliseconds; doubled with each further one. */
  readonly retryDelayMs?: number;
}

/** A window over the results: it closes by count or by time, whichever is first. */
export interface BatchOptions {
  readonly sizeMax: number;
  /** Since its first result, in milliseconds; without it only the count closes it. */
  readonly lingerMs?: number;
}

export interface ReadingParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly layout: TopicLayout;
}

/** How many are handed over ahead of an iterator. */
const handoversMin = 16;
const retryDelayMaxMs = 60_000;

/**
 * The results of a crawl for one reader. A result counts as dealt with when its handler has resolved, or when
 * the next one is asked of the iterator; only then its offset is committed. After a crash a result may come
 * again: `result_id` tells.
 */
export class Results implements AsyncIterable<Result> {
  readonly #parts: ReadingParts;
  readonly #options: ResultsOptions;
  readonly #readings = new Set<Reading>();

  constructor(parts: ReadingParts, options: ResultsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Results read and not dealt with, over all partitions of this member. */
  get held(): number {
    return [...this.#readings].reduce((sum, reading) => sum + reading.held, 0);
  }

  /**
   * Handles each result as it comes, until the signal ends it. A slow handler slows the reading: no more than
   * `demandMax` of a partition are held.
   * @throws what the handler threw at last; nothing behind that result is committed for its partition
   */
  async forEach(
    handle: (result: Result, signal: AbortSignal) => void | Promise<void>,
    { concurrency = 1, attemptsMax = 1, retryDelayMs = 1000 }: HandleOptions = {},
  ): Promise<void> {
    const { clock } = this.#parts;
    const tried = async (result: Result, signal: AbortSignal): Promise<Handled> => {
      for (let attempt = 1; ; attempt += 1) {
        if (signal.aborted) return { kind: "withdrawn" };
        try {
          await handle(result, signal);
          return { kind: "handled" };
        } catch (error) {
          if (signal.aborted) return { kind: "withdrawn" };
          if (attempt >= attemptsMax) throw error;
          await pause(clock, Math.min(retryDelayMaxMs, retryDelayMs * 2 ** (attempt - 1)), signal);
        }
      }
    };
    const reading = this.#read(concurrency, tried);
    try {
      await reading.started;
      await Promise.race([reading.failed, aborted(this.#options.signal)]);
    } finally {
      await reading.stop();
    }
  }

  /** One after the other, until the signal or a `break` ends it. The one at which it ends comes again. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Result, void, undefined> {
    for await (const [result] of this.batches({ sizeMax: 1 })) if (result !== undefined) yield result;
  }

  /** Several at a time, all dealt with when the next ones are asked for: for writers that like batches. */
  async *batches({
    sizeMax,
    lingerMs = Infinity,
  }: BatchOptions): AsyncGenerator<readonly Result[], void, undefined> {
    const { clock } = this.#parts;
    const handovers = new Handovers();
    const reading = this.#read(Math.max(sizeMax, handoversMin), (result, signal) =>
      handovers.offer(result, signal),
    );
    // A reading that has failed ends the iteration, also while it waits.
    reading.failed.catch(() => handovers.end());
    const onAbort = (): void => handovers.end();
    this.#options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await reading.started;
      while (!this.#isAborted && !reading.hasFailed) {
        if (handovers.waiting === 0) {
          await handovers.arrival();
          continue;
        }
        const window = new Window(clock, lingerMs);
        while (handovers.waiting < sizeMax && !window.isOver) {
          if (this.#isAborted || reading.hasFailed) break;
          await Promise.race([handovers.arrival(), window.over]);
        }
        window.close();
        const results = handovers.take(sizeMax);
        if (results.length === 0) continue;
        yield results;
        handovers.acknowledge();
      }
      if (reading.hasFailed) await reading.failed;
    } finally {
      this.#options.signal?.removeEventListener("abort", onAbort);
      handovers.end();
      await reading.stop();
    }
  }

  get #isAborted(): boolean {
    return this.#options.signal?.aborted === true;
  }

  #read(concurrency: number, handle: (result: Result, signal: AbortSignal) => Promise<Handled>): Reading {
    const reading: Reading = new Reading(this.#parts, this.#options, concurrency, handle, () =>
      this.#readings.delete(reading),
    );
    this.#readings.add(reading);
    return reading;
  }
}

/** A member of the group at work. */
class Reading {
  readonly started: Promise<void>;
  /** Rejects when the reading has failed; never resolves. */
  readonly failed: Promise<never>;
  hasFailed = false;
  readonly #service: Service<object, InputRecord<Result>, Handover, Handled>;
  readonly #onStopped: () => void;
  readonly #ended = new AbortController();

  constructor(
    { broker, clock, layout }: ReadingParts,
    options: ResultsOptions,
    concurrency: number,
    handle: (result: Result, signal: AbortSignal) => Promise<Handled>,
    onStopped: () => void,
  ) {
    const { demandMax = 100, demandMin = Math.floor(demandMax / 2) } = options;
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => undefined);
    const fail = (error: unknown): void => {
      this.hasFailed = true;
      reject(asError(error));
    };
    this.failed = failed;
    this.#onStopped = onStopped;
    setMaxListeners(0, this.#ended.signal);
    this.#service = new Service({
      step: resultStep({ group: options.group, job: options.job ?? null, demandMax }),
      inputs: [topics.results.name],
      tables: [],
      changelog: null,
      layout,
      broker,
      clock,
      stores: memoryStores(),
      instance: options.instance ?? randomUUID(),
      perform: async ({ result }, signal) => {
        try {
          return await handle(result, AbortSignal.any([signal, this.#ended.signal]));
        } catch (error) {
          // Not the runtime's fault: the reader is told what its own code threw.
          fail(error);
          return { kind: "withdrawn" };
        }
      },
      limits: {
        ...defaultLimits,
        partition: { ...defaultLimits.partition, recordsHigh: demandMax, recordsLow: demandMin },
        callsMax: concurrency,
        sessionTimeoutMs: options.sessionTimeoutMs ?? defaultLimits.sessionTimeoutMs,
      },
      probe: options.onEvent === undefined ? silentProbe : { ...silentProbe, event: options.onEvent },
      onFatal: fail,
    });
    this.started = this.#service.start();
    this.started.catch(fail);
  }

  /** Commits what was dealt with and leaves the group. Handlers are told by their signal. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.started.catch(() => undefined);
    await this.#service.stop();
    this.#onStopped();
  }

  get held(): number {
    return this.#service.gauges().heldRecords;
  }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The time in which a batch is gathered. */
class Window {
  isOver = false;
  readonly over: Promise<void>;
  readonly close: () => void;

  constructor(clock: Clock, lingerMs: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.close =
      lingerMs === Infinity
        ? () => undefined
        : clock.after(lingerMs, () => {
            this.isOver = true;
            resolve();
          });
  }
}

/** Waits, but no longer than the signal. */
function pause(clock: Clock, forMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(forMs, resolve);
    signal.addEventListener(
      "abort",
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}
