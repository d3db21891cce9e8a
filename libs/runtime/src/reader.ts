import type { InputRecord } from "@sluice/topology";
import type { Batch } from "./broker.ts";
import { staleInRowMax, type Kernel } from "./kernel.ts";
import type { Restoration } from "./restoration.ts";
import type { Stepper } from "./stepper.ts";
import type { Tables } from "./tables.ts";
import type { InputPosition, Task } from "./task.ts";
import type { TaskSet } from "./task-set.ts";

/** Takes what was fetched: records of inputs, entries of tables, the changelog of a task that restores. */
export class Reader<State, Rec extends InputRecord, Call, Outcome> {
  readonly #kernel: Kernel<State, Rec, Call, Outcome>;
  readonly #taskSet: TaskSet<State, Rec, Call, Outcome>;
  readonly #tables: Tables<State, Rec, Call, Outcome>;
  readonly #restoration: Restoration<State, Rec, Call, Outcome>;
  readonly #stepper: Stepper<State, Rec, Call, Outcome>;

  constructor(
    kernel: Kernel<State, Rec, Call, Outcome>,
    taskSet: TaskSet<State, Rec, Call, Outcome>,
    tables: Tables<State, Rec, Call, Outcome>,
    restoration: Restoration<State, Rec, Call, Outcome>,
    stepper: Stepper<State, Rec, Call, Outcome>,
  ) {
    this.#kernel = kernel;
    this.#taskSet = taskSet;
    this.#tables = tables;
    this.#restoration = restoration;
    this.#stepper = stepper;
  }

  fetched(batch: Batch): void {
    const { closing, options, prefix, tasks } = this.#kernel;
    const topic = batch.topic.slice(prefix.length);
    if (this.#tables.has(topic)) return this.#tableBatch(topic, batch);
    const task = tasks.get(batch.partition);
    if (task === undefined) return;
    if (topic === options.changelog) return this.#restoration.changelogBatch(task, batch);
    const input = task.inputs.get(topic);
    // While draining, what is read is not begun; even a batch of markers would ask for one commit more.
    if (input === undefined || task.phase !== "running" || closing) return;
    if (batch.fromOffset === input.position) this.#inputBatch(task, topic, input, batch);
    else this.#stale(task, topic, input, batch);
  }

  #inputBatch(task: Task<State, Rec>, topic: string, input: InputPosition, batch: Batch): void {
    input.staleInRow = 0;
    let records = 0;
    let bytes = 0;
    for (const raw of batch.records) {
      if (raw.offset < input.position) continue;
      if (input.ledger.begin(raw.offset) !== "new") continue;
      const held = {
        topic,
        offset: raw.offset,
        bytes: (raw.value?.length ?? 0) + (raw.key?.length ?? 0),
        raw,
        lane: null,
      };
      records += 1;
      bytes += held.bytes;
      this.#stepper.accept(task, held);
    }
    input.position = batch.nextOffset;
    input.end = batch.highWatermark;
    input.ledger.advance(batch.nextOffset);
    this.#kernel.probe.consumed(topic, records, bytes);
  }

  /** Fetched before a seek, or twice: the position is ours, not the client's. */
  #stale(task: Task<State, Rec>, topic: string, input: InputPosition, batch: Batch): void {
    this.#kernel.probe.staleBatch();
    input.staleInRow += 1;
    if (input.staleInRow <= staleInRowMax)
      return this.#kernel.seek({ topic: batch.topic, partition: batch.partition }, input.position);
    // The position is in no log any more: what is committed and where the log ends has to be read again.
    this.#kernel.probe.event("position_lost", {
      topic,
      task: task.number,
      position: input.position,
      from: batch.fromOffset,
    });
    this.#taskSet.restart(task);
  }

  #tableBatch(topic: string, batch: Batch): void {
    const wasReady = this.#tables.ready;
    const changed = this.#tables.apply(topic, batch);
    if (wasReady) for (const key of changed) this.#stepper.stepTable(topic, key);
    else this.#restoration.runLoaded();
  }
}
