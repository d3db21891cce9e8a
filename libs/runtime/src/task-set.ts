import type { InputRecord } from "@sluice/topology";
import type { Kernel } from "./kernel.ts";
import { Task } from "./task.ts";

/** Tasks come, go and start again: what is under way of them goes with them. */
export class TaskSet<State, Rec extends InputRecord, Call, Outcome> {
  readonly #kernel: Kernel<State, Rec, Call, Outcome>;
  #epochs = 0;

  constructor(kernel: Kernel<State, Rec, Call, Outcome>) {
    this.#kernel = kernel;
  }

  create(number: number): Task<State, Rec> {
    const { clock, options, tasks } = this.#kernel;
    this.#epochs += 1;
    const nowMs = clock.nowMs();
    const task = new Task<State, Rec>(
      number,
      this.#epochs,
      nowMs,
      options.stores.open(number, nowMs),
      options.layout,
      options.measure,
    );
    tasks.set(number, task);
    return task;
  }

  /** The task is ours no more, or has to start again: nothing it still does may count. */
  drop(task: Task<State, Rec>): void {
    const { budget, calls, heartbeats, options, probe } = this.#kernel;
    const aborted = calls.abortTask(task.number, task.epoch);
    if (aborted > 0) probe.event("calls_aborted", { task: task.number, calls: aborted });
    for (const topic of options.inputs) budget.drop(this.#kernel.at(topic, task.number));
    const producer = task.producer;
    task.producer = null;
    producer?.close().catch((error: unknown) => {
      probe.event("producer_close_failed", { task: task.number, message: String(error) });
    });
    task.store.close(task.phase === "running" ? heartbeats.heardAtEpochMs : null);
  }

  /** The task begins anew from what is committed, as soon as the group has answered again. */
  restart(task: Task<State, Rec>): void {
    const { budget, consumer, options } = this.#kernel;
    this.drop(task);
    this.create(task.number);
    for (const topic of options.inputs) {
      const at = this.#kernel.at(topic, task.number);
      consumer.pause([at]);
      budget.reset(at);
      budget.hold(at, "restoring");
    }
  }

  /** After a join the consumer has paused everything and would start from what is committed. */
  reposition(task: Task<State, Rec>): void {
    const { budget, closing, options } = this.#kernel;
    for (const topic of options.inputs) {
      const at = this.#kernel.at(topic, task.number);
      budget.reset(at);
      if (task.phase === "running") {
        const input = task.inputs.get(topic);
        if (input !== undefined) this.#kernel.seek(at, input.position);
      } else {
        budget.hold(at, "restoring");
      }
      if (closing) budget.hold(at, "draining");
    }
    if (task.phase === "restoring") this.readChangelog(task);
  }

  readChangelog(task: Task<State, Rec>): void {
    const { changelog } = this.#kernel.options;
    if (changelog === null) return;
    const at = this.#kernel.at(changelog, task.number);
    this.#kernel.seek(at, task.restorePosition);
    this.#kernel.resume([at]);
  }
}
