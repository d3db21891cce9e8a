import { SluiceError } from "@sluice/errors";
import { partitionOf } from "@sluice/records";
import { parsedEntries, type InputRecord } from "@sluice/topology";
import type { Batch } from "./broker.ts";
import { staleInRowMax, type Kernel } from "./kernel.ts";
import { prepareTasks, takeUp, type PreparedTask } from "./preparation.ts";
import type { Stepper } from "./stepper.ts";
import type { Tables } from "./tables.ts";
import type { Task } from "./task.ts";
import type { TaskSet } from "./task-set.ts";

const backOffFirstMs = 100;
const backOffMaxMs = 3000;

/** From assigned to running: fence, then offsets, then the changelog, then the tables. */
export class Restoration<State, Rec extends InputRecord, Call, Outcome> {
  readonly #kernel: Kernel<State, Rec, Call, Outcome>;
  readonly #taskSet: TaskSet<State, Rec, Call, Outcome>;
  readonly #tables: Tables<State, Rec, Call, Outcome>;
  readonly #stepper: Stepper<State, Rec, Call, Outcome>;
  /** Epochs of tasks that are being fenced. */
  readonly #preparing = new Set<number>();

  constructor(
    kernel: Kernel<State, Rec, Call, Outcome>,
    taskSet: TaskSet<State, Rec, Call, Outcome>,
    tables: Tables<State, Rec, Call, Outcome>,
    stepper: Stepper<State, Rec, Call, Outcome>,
  ) {
    this.#kernel = kernel;
    this.#taskSet = taskSet;
    this.#tables = tables;
    this.#stepper = stepper;
  }

  get preparing(): number {
    return this.#preparing.size;
  }

  /** Fences the tasks that are in that phase and are not yet at it. */
  start(): void {
    const { group, loop, options, prefix, tasks } = this.#kernel;
    const fencing = [...tasks.values()].filter(
      (task) => task.phase === "fencing" && !this.#preparing.has(task.epoch),
    );
    if (fencing.length > 0) {
      for (const task of fencing) this.#preparing.add(task.epoch);
      const { broker, inputs, changelog, onFailpoint } = options;
      const { ownTables } = this.#kernel;
      prepareTasks({ broker, inputs, ownTables, changelog, onFailpoint, group, prefix }, fencing).then(
        (prepared) => loop.enqueue({ kind: "prepared", tasks: prepared }),
        (error: unknown) => loop.fail(error),
      );
    }
    this.#tables.prepare();
  }

  prepared(prepared: PreparedTask): void {
    const { clock, options, probe } = this.#kernel;
    this.#preparing.delete(prepared.epoch);
    const task = this.#kernel.taskOf(prepared.number, prepared.epoch);
    if (task === null || task.phase !== "fencing") {
      prepared.producer?.close().catch(() => undefined);
      return;
    }
    if (prepared.error !== null) {
      task.attempts += 1;
      probe.event("prepare_failed", {
        task: task.number,
        attempt: task.attempts,
        message: prepared.error.message,
      });
      const backOffMs = Math.min(backOffFirstMs * 2 ** Math.min(task.attempts, 6), backOffMaxMs);
      task.retryAtMs = clock.monotonicMs() + backOffMs;
      // Not by a timer: after a while without the broker the task may be another's.
      task.phase = "waiting";
      return;
    }
    task.attempts = 0;
    task.producer = prepared.producer;
    const { inputs, changelog } = options;
    takeUp(task, prepared, { inputs, ownTables: this.#kernel.ownTables, changelog, probe });
    this.#tables.lookBack(task);
    if (task.restorePosition < task.restoreTarget) return this.#taskSet.readChangelog(task);
    this.#restored(task);
  }

  changelogBatch(task: Task<State, Rec>, batch: Batch): void {
    if (task.phase !== "restoring") return;
    if (batch.fromOffset !== task.restorePosition) {
      this.#kernel.probe.staleBatch();
      task.staleInRow += 1;
      if (task.staleInRow > staleInRowMax) return this.#taskSet.restart(task);
      this.#kernel.seek({ topic: batch.topic, partition: batch.partition }, task.restorePosition);
      return;
    }
    task.staleInRow = 0;
    const fault = batch.records.find((record) => record.fault !== undefined)?.fault;
    // State with a hole would forget URLs or fetch them twice.
    if (fault !== undefined)
      throw new SluiceError("SLUICE_STATE_UNREADABLE", `${batch.topic}/${batch.partition}: ${fault}`);
    task.restoring.add(
      batch.records.flatMap((record) =>
        record.key === null
          ? []
          : [[record.key.toString("utf8"), record.value?.toString("utf8") ?? null] as const],
      ),
      batch.nextOffset,
    );
    task.restorePosition = batch.nextOffset;
    if (batch.nextOffset < task.restoreTarget) return;
    this.#kernel.pause([{ topic: batch.topic, partition: batch.partition }]);
    this.#restored(task);
  }

  #restored(task: Task<State, Rec>): void {
    task.restoring.flush();
    task.phase = "loading";
    this.#runIfLoaded(task);
  }

  /** The tables may have become ready: whatever waits for them runs. */
  runLoaded(): void {
    for (const task of this.#kernel.tasks.values()) this.#runIfLoaded(task);
  }

  #runIfLoaded(task: Task<State, Rec>): void {
    if (task.phase !== "loading" || !this.#tables.ready) return;
    const { budget, clock, closing, options, probe } = this.#kernel;
    const { partitions } = options.layout;
    task.state = options.step.load(parsedEntries(task.store), task.store.scratch());
    task.context = {
      task: task.number,
      tasks: partitions,
      epoch: task.epoch,
      assignedAtMs: task.assignedAtMs,
      entries: task.entries,
      tables: this.#tables.entries,
      partitionOf: (key) => partitionOf(key, partitions),
    };
    task.phase = "running";
    task.lastCommitAtMs = clock.monotonicMs();
    const { restoreStart: readFrom, restoreTarget: readTo, store } = task;
    probe.event("task_running", { task: task.number, entries: store.size, readFrom, readTo });
    this.#stepper.step(task, { kind: "restored" });
    for (const topic of options.inputs) {
      const at = this.#kernel.at(topic, task.number);
      const input = task.inputs.get(topic);
      if (input !== undefined) this.#kernel.seek(at, input.position);
      if (closing) budget.hold(at, "draining");
      budget.release(at, "restoring");
    }
  }
}
