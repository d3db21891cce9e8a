import { asError } from "@sluice/errors";
import type { InputRecord } from "@sluice/topology";
import { CommitFailed, type OutRecord } from "./broker.ts";
import type { Kernel, PendingCommit } from "./kernel.ts";
import type { Task } from "./task.ts";
import type { TaskSet } from "./task-set.ts";
import { isTooLarge, largestOf, takeTransaction, tooLarge } from "./transaction.ts";

/** A task counts as busy for so long after a commit. */
const busyMs = 1000;

/** Commits what tasks have gathered: output, state and offsets of one task in one transaction. */
export class Committer<State, Rec extends InputRecord, Call, Outcome> {
  readonly #kernel: Kernel<State, Rec, Call, Outcome>;
  readonly #taskSet: TaskSet<State, Rec, Call, Outcome>;
  #intervalMs = 0;

  constructor(kernel: Kernel<State, Rec, Call, Outcome>, taskSet: TaskSet<State, Rec, Call, Outcome>) {
    this.#kernel = kernel;
    this.#taskSet = taskSet;
  }

  commitDue(): void {
    this.#intervalMs = this.#interval();
    for (const task of this.#kernel.tasks.values()) this.#commitIfDue(task);
  }

  /** How long until a task has to be looked at again, in milliseconds; null where it has nothing to commit. */
  delayMs(task: Task<State, Rec>): number | null {
    if (task.committing || !task.dirty) return null;
    return this.#intervalMs - (this.#kernel.clock.monotonicMs() - task.lastCommitAtMs);
  }

  /** Time between two commits of a task: short when little is going on, longer when many tasks are busy. */
  #interval(): number {
    const { clock, limits, tasks } = this.#kernel;
    const sinceMs = clock.monotonicMs() - busyMs;
    let busy = 0;
    for (const task of tasks.values()) if (task.lastCommitAtMs >= sinceMs) busy += 1;
    return Math.min(limits.commitIntervalMs, limits.commitSpacingMs * Math.max(1, busy));
  }

  #commitIfDue(task: Task<State, Rec>): void {
    if (task.phase !== "running" || task.committing || task.producer === null || !task.dirty) return;
    const { clock, closing, limits } = this.#kernel;
    const sinceMs = clock.monotonicMs() - task.lastCommitAtMs;
    const full = task.output.records >= limits.outputRecordsMax || task.output.bytes >= limits.outputBytesMax;
    if (!full && !closing && sinceMs < this.#intervalMs) return;
    this.#commit(task);
  }

  #commit(task: Task<State, Rec>): void {
    const { clock, group, loop, options, prefix } = this.#kernel;
    const { changelog } = options;
    const { number, epoch, producer } = task;
    if (producer === null) return;
    const pending = takeTransaction(task, group, changelog, (topic) => this.#kernel.at(topic, number));
    for (const topic of pending.moved) this.#boundSpan(task, topic);
    if (pending.isEmpty) return;
    task.committing = true;
    task.entries.taken(pending.changes);
    task.lastCommitAtMs = clock.monotonicMs();
    const { transaction } = pending;
    const commit: PendingCommit = { ...pending, startedAtMs: task.lastCommitAtMs };
    producer.commit(transaction).then(
      (written) => {
        options.onFailpoint?.("after_commit_before_store");
        const end =
          changelog === null
            ? undefined
            : written.find((each) => each.topic === prefix + changelog && each.partition === number);
        const changelogEnd = end?.lastOffset ?? null;
        return loop.enqueue({ kind: "committed", task: number, epoch, commit, changelogEnd });
      },
      (error: unknown) => {
        const largest = largestOf(transaction.records);
        return loop.enqueue({ kind: "commit_failed", task: number, epoch, error: asError(error), largest });
      },
    );
  }

  /** A map that nears the limit of a commit's metadata, or a span that does, pauses the partition. */
  #boundSpan(task: Task<State, Rec>, topic: string): void {
    const ledger = task.inputs.get(topic)?.ledger;
    if (ledger === undefined) return;
    const { budget, limits } = this.#kernel;
    const at = this.#kernel.at(topic, task.number);
    if (ledger.mapFill >= 0.75) budget.hold(at, "offset_map");
    else budget.release(at, "offset_map");
    if (ledger.span > limits.spanMax) budget.hold(at, "span");
    else budget.release(at, "span");
  }

  committed(number: number, epoch: number, commit: PendingCommit, changelogEnd: number | null): void {
    const { clock, probe } = this.#kernel;
    // What is written is written, whoever has the task now.
    probe.committed(commit.transaction.records.length, clock.monotonicMs() - commit.startedAtMs);
    if (commit.measured.length > 0) probe.measured(commit.measured);
    const task = this.#kernel.taskOf(number, epoch);
    if (task === null) return;
    task.committing = false;
    for (const [topic, offset] of commit.offsets) {
      const input = task.inputs.get(topic);
      if (input !== undefined) input.committed = offset;
      const table = task.tables.get(topic);
      if (table !== undefined) table.committed = offset.offset;
    }
    if (changelogEnd !== null) {
      const inputs = [...task.inputs].flatMap(([topic, { committed }]) =>
        committed === null ? [] : [[topic, committed.offset] as const],
      );
      task.store.apply(commit.changes, changelogEnd + 1, Object.fromEntries(inputs));
    }
    task.entries.applied();
  }

  /** The outcome is unknown: drop what the task knows, fence, and read what became of it. */
  failed(number: number, epoch: number, error: Error, largest: OutRecord | null): void {
    const { probe } = this.#kernel;
    const task = this.#kernel.taskOf(number, epoch);
    if (task === null) return;
    const fenced = error instanceof CommitFailed && error.fenced;
    const cause = String(error.cause ?? "");
    probe.event("commit_failed", { task: number, fenced, message: error.message, cause });
    probe.commitFailed(fenced);
    // The same input would give the same record again, for ever: a step has to bound what it sends.
    if (isTooLarge(error)) throw tooLarge(number, largest, error);
    // Left in `waiting`: fencing again before the group has answered would throw out a rightful owner.
    this.#taskSet.restart(task);
  }
}
