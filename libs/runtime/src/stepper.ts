import { SluiceError } from "@sluice/errors";
import { decodeRecord, isKeyed, topicOf } from "@sluice/records";
import type { Effect, Input, InputRecord } from "@sluice/topology";
import { deadLetter } from "./dead-letter.ts";
import type { Kernel } from "./kernel.ts";
import type { HeldRecord, Task } from "./task.ts";

/** Steps tasks and performs the effects that need no waiting; calls are queued, output is gathered. */
export class Stepper<State, Rec extends InputRecord, Call, Outcome> {
  readonly #kernel: Kernel<State, Rec, Call, Outcome>;
  /** A lane was freed since the tasks were last worked on. */
  #freed = false;

  constructor(kernel: Kernel<State, Rec, Call, Outcome>) {
    this.#kernel = kernel;
  }

  get freed(): boolean {
    return this.#freed;
  }

  /** Steps what is due in the running tasks, at most `stepsPerTurn`; true where that was not all. */
  workAll(): boolean {
    const { tasks, limits } = this.#kernel;
    let budget = limits.stepsPerTurn;
    for (const task of tasks.values()) {
      if (task.phase !== "running") continue;
      budget = this.#work(task, budget);
      if (budget > 0) continue;
      // Behind all others, or a task with an endless backlog would leave nothing to those after it.
      tasks.delete(task.number);
      tasks.set(task.number, task);
      break;
    }
    this.#freed = false;
    return budget <= 0;
  }

  /** Wakes first, then records, as long as there is room for output. */
  #work(task: Task<State, Rec>, budget: number): number {
    let left = budget;
    const { closing, clock, limits, options } = this.#kernel;
    const { measureRead } = options;
    if (closing) return left;
    const nowMs = clock.nowMs();
    while (left > 0) {
      const lane = task.wakes.due(nowMs);
      if (lane === null) break;
      this.step(task, { kind: "wake", lane });
      left -= 1;
    }
    while (left > 0 && task.output.bytes < limits.outputBytesMax) {
      const next = task.lanes.take((lane) => this.#widthOf(task, lane));
      if (next === null) break;
      const held = task.held.get(next.item.id);
      if (held === undefined)
        throw new SluiceError("SLUICE_STEP_BROKEN", `record ${next.item.id} is not held`);
      held.lane = next.lane;
      this.step(task, { kind: "record", record: next.item });
      if (measureRead !== undefined) task.output.count(measureRead(next.item.topic, next.item.value));
      left -= 1;
    }
    return left;
  }

  #widthOf(task: Task<State, Rec>, lane: string): number {
    if (task.state === null) return 0;
    return this.#kernel.options.step.laneWidth?.(lane, task.state) ?? 1;
  }

  step(task: Task<State, Rec>, input: Input<Rec, Outcome>): void {
    if (task.state === null || task.context === null)
      throw new SluiceError("SLUICE_STEP_BROKEN", "a task without state was stepped");
    const { clock, options, probe } = this.#kernel;
    const effects = options.step.step(task.state, input, clock.nowMs(), task.context);
    probe.stepped();
    for (const effect of effects) this.#apply(task, effect);
    if (options.step.laneWidth !== undefined && "lane" in input) task.lanes.refresh(input.lane);
  }

  /** An entry of a table changed: every running task may have something to do about it. */
  stepTable(table: string, key: string): void {
    for (const task of this.#kernel.tasks.values())
      if (task.phase === "running") this.step(task, { kind: "table", table, key });
  }

  #apply(task: Task<State, Rec>, effect: Effect<Call>): void {
    switch (effect.kind) {
      case "send":
        return task.output.send(effect);
      case "put":
        return task.output.put(effect.key, effect.value);
      case "wake":
        return task.wakes.set(effect.lane, effect.atMs);
      case "call":
        return this.#queueCall(task, effect);
      case "abort": {
        // One that had not begun still settles: it begins, already aborted.
        const waiting = this.#kernel.calls.abort(task.number, task.epoch, effect.callId);
        if (waiting === null) return;
        waiting.controller.abort();
        return this.#kernel.calls.push(waiting);
      }
      case "finish":
        return this.finish(task, effect.id);
      case "reject":
        return this.#reject(task, effect.id, effect.reason);
      default:
        effect satisfies never;
    }
  }

  #queueCall(task: Task<State, Rec>, effect: Effect<Call> & { kind: "call" }): void {
    const { lane, callId, request, promptness = "unknown" } = effect;
    if (task.calls.has(callId))
      throw new SluiceError("SLUICE_STEP_BROKEN", `call ${callId} was asked for twice`);
    task.calls.add(callId);
    this.#kernel.calls.push({
      task: task.number,
      epoch: task.epoch,
      lane,
      callId,
      request,
      promptness,
      controller: new AbortController(),
    });
  }

  /** Decodes a record and puts it into its lane; what can't be read goes to the dead letters. */
  accept(task: Task<State, Rec>, held: HeldRecord): void {
    const { raw, topic } = held;
    const id = `${topic}/${task.number}/${raw.offset}`;
    task.held.set(id, held);
    this.#kernel.budget.add(this.#kernel.at(topic, task.number), 1, held.bytes);
    if (raw.fault !== undefined) return this.#reject(task, id, raw.fault);
    // Whose it is can't be told then, and a step would take it for somebody's.
    if (raw.key === null && isKeyed(topic)) return this.#reject(task, id, "key: null");
    const decoded = decodeRecord(topic, raw.value);
    if (decoded.kind === "poison") return this.#reject(task, id, decoded.reason);
    if (decoded.kind === "tombstone") {
      // Compacted topics are cleared by tombstones, and nothing follows from one; elsewhere it has no meaning.
      if (topicOf(topic)?.cleanup !== "compact") return this.#reject(task, id, "value: null");
      return this.finish(task, id);
    }
    const record = {
      id,
      topic,
      partition: task.number,
      offset: raw.offset,
      key: raw.key?.toString("utf8") ?? null,
      value: decoded.value,
      headers: raw.headers,
      timestampMs: raw.timestampMs,
    } as InputRecord as Rec;
    task.lanes.push(this.#kernel.options.step.laneOf(record), record);
  }

  finish(task: Task<State, Rec>, id: string): void {
    const held = task.held.get(id);
    if (held === undefined)
      throw new SluiceError("SLUICE_STEP_BROKEN", `record ${id} was finished twice, or never read`);
    task.held.delete(id);
    task.inputs.get(held.topic)?.ledger.finish(held.offset);
    this.#kernel.budget.remove(this.#kernel.at(held.topic, task.number), 1, held.bytes);
    if (held.lane !== null) task.lanes.finish(held.lane);
    this.#freed = true;
  }

  /** Original bytes and key to the dead letters, in the same transaction as the offset that skips it. */
  #reject(task: Task<State, Rec>, id: string, reason: string): void {
    const held = task.held.get(id);
    if (held === undefined)
      throw new SluiceError("SLUICE_STEP_BROKEN", `record ${id} was rejected twice, or never read`);
    const { prefix, group, options, probe } = this.#kernel;
    const origin = { topic: prefix + held.topic, partition: task.number, offset: held.offset };
    task.output.sendRaw(deadLetter(held.raw, origin, { group, service: options.step.name, reason }));
    probe.deadLetter(held.topic, reason);
    this.finish(task, id);
  }
}
