import type { Kernel } from "./kernel.ts";
import type { Task } from "./task.ts";

/** One input partition of this instance. */
export interface InputFigures {
  /** Without prefix. */
  readonly topic: string;
  readonly partition: number;
  /** Next offset to read. */
  readonly position: number;
  /** Where the log ended at the last fetch. */
  readonly end: number;
  /** Records read and not finished. */
  readonly unfinished: number;
  /** Offsets between the one that may be committed and the position. */
  readonly span: number;
  readonly paused: boolean;
}

/** What a service holds and how far it is, at one moment; for metrics and health. */
export interface Figures {
  readonly inputs: readonly InputFigures[];
  /** When the oldest record was written that is read and not finished, in epoch milliseconds; null: none is. */
  readonly oldestUnfinishedMs: number | null;
  readonly unpersistedBytes: number;
  readonly stateEntries: number;
  /** Since the state of the task that was left longest was made to outlive the process; null: none was. */
  readonly checkpointAgeMs: number | null;
  /** Changelog of tasks that are being restored, in offsets. */
  readonly restore: { readonly read: number; readonly target: number };
  /** Milliseconds that partitions were paused, by reason, added up over partitions. */
  readonly pausedMs: ReadonlyMap<string, number>;
  readonly tasks: { readonly all: number; readonly running: number };
  /** Since the group is known to have counted us in; null where it never did. */
  readonly heartbeatAgeMs: number | null;
  /** Calls may begin: the group has answered lately. */
  readonly heardLately: boolean;
  readonly draining: boolean;
}

/** Costs as much as there are tasks and inputs. */
export function figuresOf(kernel: Kernel<never, never, never, never>): Figures {
  const { budget, clock, heartbeats, tasks, closing } = kernel;
  let oldestUnfinishedMs: number | null = null;
  let unpersistedBytes = 0;
  let stateEntries = 0;
  let checkpointAtMs: number | null = null;
  let running = 0;
  const restore = { read: 0, target: 0 };
  const inputs: InputFigures[] = [];
  for (const task of tasks.values()) {
    unpersistedBytes += task.output.bytes;
    stateEntries += task.store.size;
    const { checkpointAtMs: atMs } = task.store;
    if (atMs !== null) checkpointAtMs = Math.min(checkpointAtMs ?? Number.POSITIVE_INFINITY, atMs);
    if (task.phase === "running") running += 1;
    if (task.phase === "restoring") {
      restore.read += task.restorePosition - task.restoreStart;
      restore.target += task.restoreTarget - task.restoreStart;
    }
    // Records are held in the order in which they were read.
    const writtenAtMs = task.held.values().next().value?.raw.timestampMs;
    if (writtenAtMs !== undefined)
      oldestUnfinishedMs = Math.min(oldestUnfinishedMs ?? Number.POSITIVE_INFINITY, writtenAtMs);
    for (const [topic, { ledger, position, end }] of task.inputs)
      inputs.push({
        topic,
        partition: task.number,
        position,
        end: Math.max(end, position),
        unfinished: ledger.unfinished,
        span: ledger.span,
        paused: budget.reasonsOf(kernel.at(topic, task.number)).length > 0,
      });
  }
  return {
    inputs,
    oldestUnfinishedMs,
    unpersistedBytes,
    stateEntries,
    checkpointAgeMs: checkpointAtMs === null ? null : Math.max(0, clock.nowMs() - checkpointAtMs),
    restore,
    pausedMs: budget.pausedMs(),
    tasks: { all: tasks.size, running },
    heartbeatAgeMs: Number.isFinite(heartbeats.ageMs) ? heartbeats.ageMs : null,
    heardLately: heartbeats.lately,
    draining: closing,
  };
}

/** A task whose state is there, with what a step of it may know. */
export interface RunningTask<State> {
  readonly task: number;
  readonly state: State;
  readonly context: NonNullable<Task<State, unknown>["context"]>;
}
