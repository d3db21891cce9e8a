/** One process of one service, wired as its own main is, on simulated time, network, web and disk. */
import { type MemoryClient, type MemoryCluster, serviceClock, type Trace } from "@sluice/broker/memory";
import { asError } from "@sluice/errors";
import { Breakers } from "@sluice/http";
import { LagWatch, openBrokerClock } from "@sluice/process";
import { topics, type TopicLayout } from "@sluice/records";
import { type Clock, Service, type ServiceOptions, silentProbe, type StateStores } from "@sluice/runtime";
import type { InputRecord, Step } from "@sluice/topology";
import { performFetches } from "../../services/fetcher/src/perform.ts";
import { inlineReader } from "../../services/fetcher/src/reading/reader.ts";
import { plainRequests } from "../../services/fetcher/test/plain-requests.ts";
import { fetcherInputs, fetcherStep, fetcherTables } from "../../services/fetcher/src/step.ts";
import { frontierInputs, frontierStep, frontierTables } from "../../services/frontier/src/step.ts";
import { rateLimitInputs, rateLimitStep, rateLimitTables } from "../../services/rate-limit/src/step.ts";
import { JsonlFile } from "../../services/result-sink/src/jsonl-file.ts";
import {
  sinkInputs,
  sinkStep,
  type SinkCall,
  type SinkOutcome,
} from "../../services/result-sink/src/step.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { LifeName, Observer } from "./observer.ts";
import type { ServiceName } from "./fault-plan.ts";

import type { Settings } from "./settings.ts";
import { tappedBroker } from "./tapped-broker.ts";
import type { SimulatedWeb, Visit } from "./web.ts";

export const resultsPath = "/out/results.jsonl";

/** What every process of a run shares. */
export interface Surroundings {
  readonly cluster: MemoryCluster;
  readonly layout: TopicLayout;
  readonly web: SimulatedWeb;
  readonly disk: SimulatedDisk;
  readonly settings: Settings;
  readonly observers: readonly Observer[];
  readonly trace: Trace;
  readonly onBegun: (life: Life) => void;
  readonly onStep: () => void;
  /** The process died of what it was doing. */
  readonly onDeath: (life: Life) => void;
  /** It ended itself: a bug, or a consumer that is dead for good. */
  readonly onFatal: (life: Life, error: Error) => void;
  /** Its composition root failed: a supervisor starts it again. */
  readonly onStartFailed: (life: Life, error: Error) => void;
  readonly onEvent: ((life: Life, event: string, fields: Readonly<Record<string, unknown>>) => void) | null;
}

export interface LifeOptions {
  readonly service: ServiceName;
  readonly instance: string;
  readonly number: number;
  /** The state on its disk. */
  readonly stores: StateStores;
  /** What its clock is ahead of true time. */
  readonly skewMs: number;
}

/** A service, whatever it steps. */
interface Running {
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly ready: boolean;
  leftovers(): Readonly<Record<string, number>>;
  gauges(): { readonly heldRecords: number; readonly heldBytes: number; readonly calls: number };
}

export class Life implements LifeName {
  readonly service: ServiceName;
  readonly name: string;
  readonly instance: string;
  readonly client: MemoryClient;
  readonly #at: Surroundings;
  #clock: Clock;
  readonly #options: LifeOptions;
  readonly #open = new Set<Visit>();
  #running: Running | null = null;
  #beside: (() => void) | null = null;
  /** Dies with the so many-th effect of the kind from now on; null: not planned. */
  #death: { left: number; readonly effect: string | null } | null = null;

  constructor(options: LifeOptions, at: Surroundings) {
    this.service = options.service;
    this.instance = options.instance;
    this.name = `${options.instance}#${options.number}`;
    this.#at = at;
    this.#options = options;
    this.client = at.cluster.connect(this.name, { onFailpoint: (name) => this.#effect(name) });
    const clock = serviceClock(this.client.clock);
    this.#clock = { ...clock, nowMs: () => clock.nowMs() + options.skewMs };
  }

  get isAlive(): boolean {
    return this.client.state !== "killed";
  }

  get ready(): boolean {
    return this.#running?.ready === true;
  }

  /** The service, once it is composed: what it holds can be asked. */
  get holding(): Pick<Running, "gauges"> | null {
    return this.#running;
  }

  /** Whatever is still under way in it; all 0 where nothing is. */
  leftovers(): Readonly<Record<string, number>> {
    return this.#running?.leftovers() ?? {};
  }

  start(): void {
    const start = async (): Promise<void> => {
      const running = await this.#compose();
      if (!this.isAlive) return;
      this.#running = running;
      this.#at.onBegun(this);
      await running.start();
    };
    start().catch((error: unknown) => {
      if (this.isAlive) this.#at.onStartFailed(this, asError(error));
    });
  }

  /** As SIGTERM does: resolves when the process has ended. */
  async stop(): Promise<void> {
    this.#beside?.();
    await this.#running?.stop();
    this.kill();
  }

  kill(): void {
    if (!this.isAlive) return;
    this.client.kill();
    this.#at.web.disconnect({
      name: this.name,
      clock: this.client.clock,
      isAlive: () => false,
      open: this.#open,
    });
    for (const observer of this.#at.observers) observer.ended?.(this);
  }

  dieAt(effects: number, effect: string | null): void {
    this.#death = { left: effects, effect };
  }

  #effect(kind: string): void {
    const death = this.#death;
    if (death === null || !this.isAlive || (death.effect !== null && death.effect !== kind)) return;
    death.left -= 1;
    if (death.left > 0) return;
    this.#at.trace.add(this.name, "dies_at", kind);
    this.#at.onDeath(this);
  }

  async #compose(): Promise<Running> {
    const { layout, onEvent, settings } = this.#at;
    this.#clock = await openBrokerClock({
      broker: this.client,
      layout,
      clock: this.#clock,
      onEvent: (event, fields) => onEvent?.(this, event, fields),
    });
    const noCalls = (): Promise<never> => Promise.reject(new Error(`${this.service} makes no calls`));
    switch (this.service) {
      case "frontier": {
        const watch = this.#lagWatch();
        const service = this.#build({
          step: frontierStep(settings.frontier),
          inputs: frontierInputs,
          tables: frontierTables,
          changelog: topics.frontierState.name,
          perform: noCalls,
          localTables: new Map([["flow", watch.watch.flow]]),
        });
        watch.onChanged = () => service.localTableChanged("flow", "release");
        watch.watch.start();
        this.#beside = () => watch.watch.stop();
        return service;
      }
      case "rate-limit":
        return this.#build({
          step: rateLimitStep(settings.pace),
          inputs: rateLimitInputs,
          tables: rateLimitTables,
          changelog: topics.rateLimitState.name,
          perform: noCalls,
        });
      case "fetcher": {
        const isAlive = (): boolean => this.isAlive;
        const visitor = { name: this.name, clock: this.client.clock, isAlive, open: this.#open };
        const breakers = new Breakers(this.#at.web.client(visitor), {
          nowMs: this.#clock.nowMs,
          resetTimeoutMs: 2000,
          probeWaitMs: 300,
        });
        const perform = performFetches(
          breakers,
          plainRequests(),
          inlineReader(this.#clock.nowMs),
          this.#clock.nowMs,
        );
        return this.#build({
          step: fetcherStep(settings.fetcher),
          inputs: fetcherInputs,
          tables: fetcherTables,
          changelog: null,
          perform: (call, signal) => {
            this.#effect("request");
            return perform(call, signal);
          },
        });
      }
      case "result-sink":
        return await this.#sink();
      default:
        return this.service satisfies never;
    }
  }

  #lagWatch(): { watch: LagWatch; onChanged: () => void } {
    const { layout, settings } = this.#at;
    const held = {
      onChanged: (): void => undefined,
      watch: new LagWatch({
        broker: this.client,
        clock: this.#clock,
        groups:
          settings.lagMax === null
            ? []
            : [{ group: `${layout.prefix}result-sink`, topic: layout.prefix + topics.results.name }],
        lagMax: settings.lagMax ?? 0,
        everyMs: 1000,
        log: () => undefined,
        onChanged: () => held.onChanged(),
      }),
    };
    return held;
  }

  async #sink(): Promise<Running> {
    const { disk, layout, settings } = this.#at;
    const isAlive = (): boolean => this.isAlive;
    const onOperation = (): void => this.#effect("disk");
    const file = await JsonlFile.open(
      resultsPath,
      disk.for({ clock: this.client.clock, isAlive, onOperation }),
      settings.sink.idsMax,
    );
    const marks = await this.client.admin.watermarks(layout.prefix + topics.results.name);
    await file.forgetIfRecreated(marks.map(({ high }) => high));
    return this.#build<unknown, InputRecord, SinkCall, SinkOutcome>({
      step: sinkStep(settings.sink) as unknown as Step<unknown, InputRecord, SinkCall, SinkOutcome>,
      inputs: sinkInputs,
      tables: [],
      changelog: null,
      perform: async ({ rows }) => {
        try {
          const { repeated } = await file.append(rows);
          return { kind: "written", repeated };
        } catch (error) {
          return { kind: "failed", message: asError(error).message };
        }
      },
    });
  }

  #build<State, Rec extends InputRecord, Call, Outcome>(
    own: Pick<
      ServiceOptions<State, Rec, Call, Outcome>,
      "step" | "inputs" | "tables" | "changelog" | "perform"
    > &
      Partial<Pick<ServiceOptions<State, Rec, Call, Outcome>, "localTables">>,
  ): Service<State, Rec, Call, Outcome> {
    const { layout, observers, settings, onEvent } = this.#at;
    const tap = { life: this, observers, onEffect: (kind: string) => this.#effect(kind) };
    return new Service<State, Rec, Call, Outcome>({
      ...own,
      step: this.#tapped(own.step),
      layout,
      broker: tappedBroker(this.client, tap),
      clock: this.#clock,
      stores: this.#options.stores,
      instance: this.instance,
      limits: settings.runtime,
      probe:
        onEvent === null
          ? silentProbe
          : { ...silentProbe, event: (event, fields) => onEvent(this, event, fields) },
      onFailpoint: (name) => this.#effect(name),
      onFatal: (error) => this.#at.onFatal(this, error),
    });
  }

  #tapped<State, Rec extends InputRecord, Call, Outcome>(
    step: Step<State, Rec, Call, Outcome>,
  ): Step<State, Rec, Call, Outcome> {
    const { observers, trace } = this.#at;
    return {
      ...step,
      step: (state, input, nowMs, context) => {
        this.#effect("step");
        const effects = step.step(state, input, nowMs, context);
        // Dead in the middle of a turn: what it still does comes to nothing.
        if (!this.isAlive) return effects;
        this.#at.onStep();
        trace.add(this.name, input.kind, describe(input, effects));
        for (const observer of observers) observer.stepped?.(this, { input, effects, nowMs, context, state });
        return effects;
      },
    };
  }
}

/** What a step was given and did, short: the contents of records are in the broker's own lines. */
function describe(input: object, effects: readonly { readonly kind: string }[]): string {
  let text = "";
  if ("record" in input) text = (input.record as InputRecord).id;
  else if ("lane" in input) text = String(input.lane);
  for (const effect of effects) {
    text += ` ${effect.kind}`;
    if ("key" in effect) text += ` ${String(effect.key)}`;
    else if ("id" in effect) text += ` ${String(effect.id)}`;
    else if ("atMs" in effect) text += ` ${String(effect.atMs)}`;
  }
  return text;
}
