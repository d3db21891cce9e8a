import type { StepContext } from "@sluice/topology";
import type { BrokerRecord, TransactionalProducer } from "./broker.ts";
import { Lanes } from "./lanes.ts";
import type { Committable, OffsetLedger } from "./ledger.ts";
import type { Measure } from "./measure.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { RestoreBuffer } from "./restore-buffer.ts";
import type { TaskStore } from "./store.ts";
import { TaskEntries } from "./task-entries.ts";
import { WakeQueue } from "./wake-queue.ts";
import type { TopicLayout } from "@sluice/records";

/**
 * What a task is doing. It moves down this list, and back to `waiting` when something failed.
 *
 *     waiting  → fencing   a heartbeat or a join shows that the group still counts us in
 *     fencing  → restoring older owners are fenced, offsets and watermarks are read
 *     restoring → loading  the changelog is read to its end
 *     loading  → running   the tables are read too; the state is built, inputs flow
 */
export type TaskPhase = "waiting" | "fencing" | "restoring" | "loading" | "running";

/** A record that was read and is not finished: what is needed to finish or reject it. */
export interface HeldRecord {
  readonly topic: string;
  readonly offset: number;
  readonly bytes: number;
  readonly raw: BrokerRecord;
  /** Null until the lane let it start. */
  lane: string | null;
}

export interface InputPosition {
  readonly ledger: OffsetLedger;
  /** Next offset to read. */
  position: number;
  committed: Committable | null;
  /** Batches in a row that did not continue the position. */
  staleInRow: number;
  /** Where the log ended at the last fetch. */
  end: number;
}

/** How far a table's partition was searched for what belongs to the dead letters. */
export interface TablePosition {
  /** Next offset. */
  position: number;
  /** Null where none was ever committed. */
  committed: number | null;
}

/** One partition number of all inputs of a service, on this instance, for as long as it is ours. */
export class Task<State, Item> {
  readonly number: number;
  readonly epoch: number;
  readonly assignedAtMs: number;
  readonly store: TaskStore;
  readonly restoring: RestoreBuffer;
  phase: TaskPhase = "waiting";
  state: State | null = null;
  context: StepContext | null = null;
  producer: TransactionalProducer | null = null;
  readonly inputs = new Map<string, InputPosition>();
  /** Tables whose dead letters this task writes, of the partition of its number. */
  readonly tables = new Map<string, TablePosition>();
  readonly lanes = new Lanes<Item>();
  readonly wakes = new WakeQueue();
  readonly held = new Map<string, HeldRecord>();
  readonly calls = new Set<string>();
  readonly output: OutputBuffer;
  /** What the store holds, with what is put and not yet in it. */
  readonly entries: TaskEntries;
  committing = false;
  lastCommitAtMs = 0;
  /** Where the changelog began to be read. */
  restoreStart = 0;
  /** The changelog ends here, as of the fence. */
  restoreTarget = 0;
  /** Where the changelog is read next while restoring. */
  restorePosition = 0;
  /** Batches of the changelog in a row that did not continue the position. */
  staleInRow = 0;
  /** Attempts to prepare in a row, for back-off. */
  attempts = 0;
  /** Monotonic time before which none is made. */
  retryAtMs = 0;

  constructor(
    number: number,
    epoch: number,
    assignedAtMs: number,
    store: TaskStore,
    layout: TopicLayout,
    measure?: Measure,
  ) {
    this.number = number;
    this.epoch = epoch;
    this.assignedAtMs = assignedAtMs;
    this.store = store;
    this.restoring = new RestoreBuffer(store);
    this.output = new OutputBuffer(layout, measure);
    this.entries = new TaskEntries(store, this.output);
  }

  /** Something would be committed now. */
  get dirty(): boolean {
    if (this.output.records > 0) return true;
    for (const input of this.inputs.values()) if (input.ledger.dirty) return true;
    for (const { position, committed } of this.tables.values()) if (position !== committed) return true;
    return false;
  }
}
