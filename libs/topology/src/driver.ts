import type { OpenCall, RejectedRecord, SentRecord } from "./driven.ts";
import { MemoryEntries, Overlay, parsedEntries, parsedReads } from "./entries.ts";
import type { Effect, Input, InputRecord, Step, StepContext } from "./index.ts";
import { OrderedMap } from "./ordered-map.ts";
import { MemoryScratch } from "./scratch.ts";

export interface DriverOptions<State, Rec extends InputRecord, Call, Outcome> {
  readonly step: Step<State, Rec, Call, Outcome>;
  readonly nowMs?: number;
  readonly task?: number;
  readonly tasks?: number;
  readonly partitionOf?: (key: string) => number;
  readonly tables?: Readonly<Record<string, Iterable<readonly [string, unknown]>>>;
  /** False: calls begin only when `start` is called, as if every slot were taken. */
  readonly startCalls?: boolean;
  /** False: what was committed is not kept for `sent`; for long runs. */
  readonly keepHistory?: boolean;
}

interface Held<Rec> {
  readonly record: Rec;
  readonly lane: string;
  /** `queued` in its lane, `begun` by a step, or `finished` but not committed. */
  phase: "queued" | "begun" | "finished";
}

/** Wakes and records stepped at one instant, beyond which a step is taken to wake itself for ever. */
const stepsPerInstantMax = 1_000_000;

/**
 * Runs one task of a step as the runtime would, without a broker and by a clock that only `advance` moves:
 * lanes in order, wakes at their instants, calls settled by the test. It throws where a step breaks the
 * rules: a record that is finished twice or was never given, a call that is asked for twice. `end` throws
 * where a record was never finished.
 *
 * What a step did counts from `commit` on. `restart` commits and loads the state anew from what was put;
 * `restartFromCommit` drops what came after the last commit, and delivers those records again.
 */
export class StepDriver<State, Rec extends InputRecord = InputRecord, Call = never, Outcome = never> {
  state: State;
  nowMs: number;
  /** Inputs stepped so far. */
  steps = 0;
  readonly calls = new Map<string, OpenCall<Call>>();
  readonly rejected: RejectedRecord[] = [];
  readonly tables: Record<string, Map<string, unknown>> = {};
  readonly #options: DriverOptions<State, Rec, Call, Outcome>;
  #context: StepContext;
  #epoch = 1;
  readonly #durable = new MemoryEntries<string>();
  #changes = new OrderedMap<string | null>();
  #history: SentRecord[] = [];
  #fresh: SentRecord[] = [];
  #latest = new Map<string, SentRecord>();
  #held = new Map<string, Held<Rec>>();
  #lanes = new Map<string, { waiting: Rec[]; begun: number }>();
  #wakes = new Map<string, number>();
  #stepping = false;
  /** Records made by `feed`. */
  #fed = 0;

  constructor(options: DriverOptions<State, Rec, Call, Outcome>) {
    this.#options = options;
    this.nowMs = options.nowMs ?? 1_000_000_000_000;
    for (const [name, entries] of Object.entries(options.tables ?? {})) this.tables[name] = new Map(entries);
    this.#context = this.#contextNow();
    this.state = options.step.load(parsedEntries(this.#durable), new MemoryScratch());
    this.#step({ kind: "restored" });
    this.#work();
  }

  /** What the runtime would tell the step about where it runs. */
  get context(): StepContext {
    return this.#context;
  }

  /** Ids of records that were given and are not finished. */
  get unfinished(): readonly string[] {
    return [...this.#held].flatMap(([id, held]) => (held.phase === "finished" ? [] : [id]));
  }

  /** Wakes that are asked for: lane and instant. */
  get wakes(): ReadonlyMap<string, number> {
    return this.#wakes;
  }

  /** Durable entries with everything that was put so far. */
  get entries(): ReadonlyMap<string, unknown> {
    const all = new Map<string, unknown>();
    for (const [key, text] of this.#durable.map) all.set(key, JSON.parse(text));
    for (const [key, text] of this.#changes) {
      if (text === null) all.delete(key);
      else all.set(key, JSON.parse(text));
    }
    return all;
  }

  /** Gives the task a record; its lane decides when it is stepped. */
  pipe(record: Rec): void {
    if (this.#held.has(record.id)) throw new Error(`record ${record.id} was given twice`);
    this.#enqueue(record);
    this.#work();
  }

  /** Gives the task a value as the next record of partition 0, written now; offsets count over all topics. */
  feed(topic: string, key: string | null, value: unknown): void {
    const offset = this.#fed;
    this.#fed += 1;
    const at = { id: `${topic}/0/${offset}`, topic, partition: 0, offset };
    this.pipe({ ...at, key, value, headers: {}, timestampMs: this.nowMs } as InputRecord as Rec);
  }

  /** Sets (or with `undefined` removes) an entry of a table and steps the change. */
  table(name: string, key: string, value: unknown): void {
    const table = (this.tables[name] ??= new Map());
    if (value === undefined) table.delete(key);
    else table.set(key, value);
    this.#step({ kind: "table", table: name, key });
    this.#work();
  }

  /** Begins a call where `startCalls` is false. */
  start(callId: string): void {
    const call = this.#openCall(callId);
    if (call.started) throw new Error(`call ${callId} was started twice`);
    call.started = true;
    this.#step({ kind: "started", callId, lane: call.lane });
    this.#work();
  }

  /** Answers a call; throws where it is not open, so no call settles twice. */
  settle(callId: string, outcome: Outcome): void {
    const call = this.#openCall(callId);
    this.calls.delete(callId);
    this.#step({ kind: "settled", callId, lane: call.lane, outcome });
    this.#work();
  }

  /** Moves the clock on, waking each lane at its instant. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const next = this.nextWakeMs();
      if (next === null || next > untilMs) break;
      this.nowMs = Math.max(this.nowMs, next);
      this.#work();
    }
    this.nowMs = untilMs;
  }

  /** The earliest instant at which a lane is to be woken. */
  nextWakeMs(): number | null {
    let next: number | null = null;
    for (const atMs of this.#wakes.values()) if (next === null || atMs < next) next = atMs;
    return next;
  }

  /** Values sent to a topic so far, in order; of `latest` ones each. */
  sent(topic: string): readonly unknown[] {
    return [...this.#history, ...this.#fresh]
      .filter((record) => record.topic === topic)
      .map(({ value }) => value);
  }

  /** What was sent since this was last asked, in order. */
  takeSent(): readonly SentRecord[] {
    const taken = this.#fresh;
    this.#fresh = [];
    if (this.#options.keepHistory !== false) this.#history.push(...taken);
    return taken;
  }

  /**
   * Makes what was done so far durable and returns what a transaction would have written: of records sent
   * with `latest` only the last of each key.
   */
  commit(): readonly SentRecord[] {
    for (const [key, text] of this.#changes) {
      if (text === null) this.#durable.map.delete(key);
      else this.#durable.map.set(key, text);
    }
    this.#changes = new OrderedMap();
    for (const [id, held] of this.#held) if (held.phase === "finished") this.#held.delete(id);
    const last = new Set(this.#latest.values());
    const written = this.#uncommitted.filter((record) => !this.#replaceable.has(record) || last.has(record));
    this.#uncommitted = [];
    this.#replaceable = new Set();
    this.#latest = new Map();
    this.takeSent();
    return written;
  }

  /** A clean end and a new start: everything done so far counts. */
  restart(): void {
    this.commit();
    this.#reload();
  }

  /** A crash: what was done since the last commit never happened, its records come again. */
  restartFromCommit(): void {
    const dropped = new Set(this.#uncommitted);
    this.#history = this.#history.filter((record) => !dropped.has(record));
    this.#fresh = [];
    this.#changes = new OrderedMap();
    this.#uncommitted = [];
    this.#replaceable = new Set();
    this.#latest = new Map();
    this.#reload();
  }

  /** Throws where a record is not finished, or a call is open. */
  end(): void {
    const left = this.unfinished;
    if (left.length > 0) throw new Error(`records were never finished: ${left.slice(0, 10).join(", ")}`);
    if (this.calls.size > 0) throw new Error(`calls are open: ${[...this.calls.keys()].join(", ")}`);
  }

  #uncommitted: SentRecord[] = [];
  #replaceable = new Set<SentRecord>();

  #contextNow(): StepContext {
    const { task = 0, tasks = 1, partitionOf = () => 0 } = this.#options;
    const entries = parsedReads(() => new Overlay(this.#durable, this.#changes));
    const { tables, nowMs } = this;
    return { task, tasks, epoch: this.#epoch, assignedAtMs: nowMs, entries, tables, partitionOf };
  }

  #reload(): void {
    this.#epoch += 1;
    this.#context = this.#contextNow();
    this.#wakes = new Map();
    this.#lanes = new Map();
    this.calls.clear();
    const again = [...this.#held.values()].map(({ record }) => record);
    this.#held = new Map();
    this.state = this.#options.step.load(parsedEntries(this.#durable), new MemoryScratch());
    this.#step({ kind: "restored" });
    for (const record of again) this.#enqueue(record);
    this.#work();
  }

  #openCall(callId: string): OpenCall<Call> {
    const call = this.calls.get(callId);
    if (call === undefined)
      throw new Error(`call ${callId} is not open: it was never asked for, or has settled`);
    return call;
  }

  #enqueue(record: Rec): void {
    const lane = this.#options.step.laneOf(record);
    this.#held.set(record.id, { record, lane, phase: "queued" });
    const queue = this.#lanes.get(lane) ?? { waiting: [], begun: 0 };
    queue.waiting.push(record);
    this.#lanes.set(lane, queue);
  }

  /** Wakes that are due, then records that their lanes let start, until nothing is left to do now. */
  #work(): void {
    for (let count = 0; ; count += 1) {
      if (count > stepsPerInstantMax) throw new Error("the step wakes itself for ever at one instant");
      const input = this.#nextWake() ?? this.#nextRecord() ?? this.#nextStart();
      if (input === null) return;
      this.#step(input);
    }
  }

  #nextWake(): Input<Rec, Outcome> | null {
    for (const [lane, atMs] of this.#wakes) {
      if (atMs > this.nowMs) continue;
      this.#wakes.delete(lane);
      return { kind: "wake", lane };
    }
    return null;
  }

  #nextRecord(): Input<Rec, Outcome> | null {
    for (const [lane, queue] of this.#lanes) {
      const width = this.#options.step.laneWidth?.(lane, this.state) ?? 1;
      if (queue.begun >= width) continue;
      const record = queue.waiting.shift();
      if (record === undefined) continue;
      queue.begun += 1;
      const held = this.#held.get(record.id);
      if (held !== undefined) held.phase = "begun";
      return { kind: "record", record };
    }
    return null;
  }

  #nextStart(): Input<Rec, Outcome> | null {
    if (this.#options.startCalls === false) return null;
    for (const call of this.calls.values()) {
      if (call.started) continue;
      call.started = true;
      return { kind: "started", callId: call.callId, lane: call.lane };
    }
    return null;
  }

  #step(input: Input<Rec, Outcome>): void {
    if (this.#stepping) throw new Error("a step was stepped from within");
    this.#stepping = true;
    this.steps += 1;
    try {
      for (const effect of this.#options.step.step(this.state, input, this.nowMs, this.#context))
        this.#perform(effect);
    } finally {
      this.#stepping = false;
    }
  }

  #perform(effect: Effect<Call>): void {
    switch (effect.kind) {
      case "send":
        return this.#send(effect);
      case "put":
        if (!/^[ -~]*$/.test(effect.key)) throw new Error(`key ${effect.key} is not printable ASCII`);
        this.#changes.set(effect.key, effect.value === null ? null : JSON.stringify(effect.value));
        return;
      case "wake": {
        if (Number.isNaN(effect.atMs)) throw new Error(`wake of ${effect.lane} at NaN`);
        const known = this.#wakes.get(effect.lane);
        if (known === undefined || effect.atMs < known) this.#wakes.set(effect.lane, effect.atMs);
        return;
      }
      case "call":
        if (this.calls.has(effect.callId)) throw new Error(`call ${effect.callId} was asked for twice`);
        this.calls.set(effect.callId, {
          callId: effect.callId,
          lane: effect.lane,
          request: effect.request,
          started: false,
          aborted: false,
        });
        return;
      case "abort": {
        const call = this.calls.get(effect.callId);
        if (call !== undefined) call.aborted = true;
        return;
      }
      case "finish":
        return this.#finish(effect.id);
      case "reject":
        this.rejected.push({ id: effect.id, reason: effect.reason });
        return this.#finish(effect.id);
      default:
        effect satisfies never;
    }
  }

  #send(effect: Extract<Effect<Call>, { kind: "send" }>): void {
    const record: SentRecord = {
      topic: effect.topic,
      key: effect.key,
      value: effect.value === null ? null : (JSON.parse(JSON.stringify(effect.value)) as unknown),
      partition: effect.partition ?? null,
      headers: effect.headers ?? {},
    };
    this.#fresh.push(record);
    this.#uncommitted.push(record);
    if (effect.latest !== true) return;
    this.#replaceable.add(record);
    this.#latest.set(`${effect.topic}\n${effect.key}`, record);
  }

  #finish(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined)
      throw new Error(`record ${id} was finished and never given, or finished before the last commit`);
    if (held.phase === "finished") throw new Error(`record ${id} was finished twice`);
    if (held.phase === "queued") throw new Error(`record ${id} was finished before its lane let it start`);
    held.phase = "finished";
    const queue = this.#lanes.get(held.lane);
    if (queue === undefined) return;
    queue.begun -= 1;
    if (queue.begun === 0 && queue.waiting.length === 0) this.#lanes.delete(held.lane);
  }
}
