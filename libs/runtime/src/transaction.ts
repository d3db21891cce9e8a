/** What one commit of a task writes: records, changes of state and offsets, all or nothing. */
import { SluiceError } from "@sluice/errors";
import type { OrderedMap } from "@sluice/topology";
import type { OutRecord, TopicPartition, Transaction } from "./broker.ts";
import type { Committable } from "./ledger.ts";
import type { Measured } from "./measure.ts";
import type { Task } from "./task.ts";

export interface TakenTransaction {
  readonly transaction: Transaction;
  /** Changes of state, for the store once they are committed. */
  readonly changes: OrderedMap<string | null>;
  /** What the records count for, once they are committed. */
  readonly measured: readonly Measured[];
  /** Offsets that differ from those committed, by topic without prefix; of inputs and of tables. */
  readonly offsets: ReadonlyMap<string, Committable>;
}

/** Takes what a task has gathered since its last transaction, and the offsets that may go with it. */
export function takeTransaction(
  task: Task<unknown, unknown>,
  group: string,
  changelog: string | null,
  at: (topic: string) => TopicPartition,
): TakenTransaction & {
  readonly isEmpty: boolean;
  /** Inputs that have moved. */ readonly moved: readonly string[];
} {
  const { records, changes, measured } = task.output.take();
  const offsets = new Map<string, Committable>();
  for (const [topic, input] of task.inputs) {
    if (!input.ledger.dirty) continue;
    const next = input.ledger.committable();
    if (input.committed?.offset === next.offset && input.committed.metadata === next.metadata) continue;
    offsets.set(topic, next);
  }
  const moved = [...offsets.keys()];
  for (const [topic, { position, committed }] of task.tables)
    if (position !== committed) offsets.set(topic, { offset: position, metadata: "" });
  if (changelog === null && changes.size > 0) {
    throw new SluiceError(
      "SLUICE_STEP_BROKEN",
      `task ${task.number} has state and no changelog to put it into`,
    );
  }
  const entries =
    changelog === null ? [] : [...changes].map(([key, value]) => ({ ...at(changelog), key, value }));
  return {
    transaction: {
      group,
      records: [...records, ...entries],
      offsets: [...offsets].map(([topic, { offset, metadata }]) => ({ ...at(topic), offset, metadata })),
    },
    changes,
    measured,
    offsets,
    moved,
    isEmpty: records.length === 0 && changes.size === 0 && offsets.size === 0,
  };
}

export function largestOf(records: readonly OutRecord[]): OutRecord | null {
  let largest: OutRecord | null = null;
  for (const record of records) if (largest === null || bytesOf(record) > bytesOf(largest)) largest = record;
  return largest;
}

export function isTooLarge(error: Error): boolean {
  return error.cause instanceof SluiceError && error.cause.code === "SLUICE_RECORD_TOO_LARGE";
}

export function tooLarge(task: number, largest: OutRecord | null, cause: Error): SluiceError {
  const what =
    largest === null
      ? ""
      : `; the largest was for ${largest.topic}, key ${String(largest.key)}, ${bytesOf(largest)} bytes`;
  return new SluiceError(
    "SLUICE_RECORD_TOO_LARGE",
    `the broker refused a record of task ${task} as too large${what}`,
    {
      cause,
    },
  );
}

function bytesOf({ key, value }: OutRecord): number {
  return Buffer.byteLength(key ?? "") + Buffer.byteLength(value ?? "");
}
