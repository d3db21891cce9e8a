/** What has to be known before a task may run: nobody older can commit, where its inputs and its changelog stand. */
import { asError } from "@sluice/errors";
import { topicOf } from "@sluice/records";
import type { Broker, OnFailpoint, TransactionalProducer } from "./broker.ts";
import { OffsetLedger } from "./ledger.ts";
import type { RuntimeProbe } from "./probe.ts";
import type { Task } from "./task.ts";

export interface Marks {
  readonly low: number;
  readonly high: number;
}

export interface PreparedTask {
  readonly number: number;
  readonly epoch: number;
  readonly producer: TransactionalProducer | null;
  readonly offsets: ReadonlyMap<string, { readonly offset: number; readonly metadata: string }>;
  readonly marks: ReadonlyMap<string, Marks>;
  readonly error: Error | null;
}

export interface PreparationInput {
  readonly broker: Broker;
  readonly inputs: readonly string[];
  /** Tables whose dead letters the tasks write. */
  readonly ownTables: readonly string[];
  readonly changelog: string | null;
  readonly group: string;
  readonly prefix: string;
  readonly onFailpoint: OnFailpoint | undefined;
}

/** Fences the tasks, side by side, and only then reads offsets and watermarks, once for all of them. */
export async function prepareTasks(
  { broker, inputs, ownTables, changelog, group, prefix, onFailpoint }: PreparationInput,
  tasks: readonly { readonly number: number; readonly epoch: number }[],
): Promise<readonly PreparedTask[]> {
  onFailpoint?.("after_assignment_before_fence");
  const fenced = await Promise.all(
    tasks.map(async ({ number, epoch }) => {
      const none = { number, epoch, producer: null };
      try {
        const producer = await broker.transactionalProducer(`${group}-${number}`);
        try {
          await producer.fence();
        } catch (error) {
          await producer.close().catch(() => undefined);
          return { ...none, error: asError(error) };
        }
        return { number, epoch, producer, error: null };
      } catch (error) {
        return { ...none, error: asError(error) };
      }
    }),
  );
  // Only now are the committed offsets stable: no older owner can commit any more.
  try {
    const names = [...inputs, ...ownTables, ...(changelog === null ? [] : [changelog])];
    const [committed, marks] = await Promise.all([
      broker.admin.committedOffsets(
        group,
        [...inputs, ...ownTables].map((topic) => prefix + topic),
      ),
      Promise.all(
        names.map(async (topic) => [topic, await broker.admin.watermarks(prefix + topic)] as const),
      ),
    ]);
    return fenced.map((task) => ({
      ...task,
      offsets: new Map(
        committed
          .filter((each) => each.partition === task.number)
          .map((each) => [each.topic.slice(prefix.length), { offset: each.offset, metadata: each.metadata }]),
      ),
      marks: new Map(marks.map(([topic, all]) => [topic, all[task.number] ?? { low: 0, high: 0 }])),
    }));
  } catch (error) {
    for (const { producer } of fenced) await producer?.close().catch(() => undefined);
    return fenced.map(({ number, epoch, error: earlier }) => ({
      number,
      epoch,
      producer: null,
      offsets: new Map(),
      marks: new Map(),
      error: earlier ?? asError(error),
    }));
  }
}

/** A table of one partition has none for the other tasks. */
function hasPartition(topic: string, partition: number): boolean {
  const partitions = topicOf(topic)?.partitions;
  return partitions === "tasks" || (partitions !== undefined && partition < partitions);
}

/** Positions of a task's inputs, and how much of its changelog is to be read, from what was prepared. */
export function takeUp(
  task: Task<unknown, unknown>,
  prepared: PreparedTask,
  options: {
    readonly inputs: readonly string[];
    readonly ownTables: readonly string[];
    readonly changelog: string | null;
    readonly probe: RuntimeProbe;
  },
): void {
  for (const topic of options.inputs) {
    const committed = prepared.offsets.get(topic) ?? null;
    const { low, high } = prepared.marks.get(topic) ?? { low: 0, high: 0 };
    if (committed !== null && committed.offset < low) {
      options.probe.event("offsets_lost_to_retention", {
        topic,
        task: task.number,
        committed: committed.offset,
        low,
      });
    }
    // Past the end: the topic was made anew or cut. What it holds now was never read, as far as we know.
    const gone = committed !== null && committed.offset > high;
    if (gone)
      options.probe.event("offsets_past_the_end", {
        topic,
        task: task.number,
        committed: committed.offset,
        low,
        high,
      });
    const ledger = new OffsetLedger(gone ? null : committed, low);
    ledger.advance(low);
    task.inputs.set(topic, { ledger, position: ledger.nextOffset, committed, staleInRow: 0, end: high });
  }
  for (const topic of options.ownTables) {
    if (!hasPartition(topic, task.number)) continue;
    const committed = prepared.offsets.get(topic)?.offset ?? null;
    const { low, high } = prepared.marks.get(topic) ?? { low: 0, high: 0 };
    // Past the end: another log of the same name, of which nothing was looked at.
    const position = committed === null || committed > high ? low : Math.max(committed, low);
    task.tables.set(topic, { position, committed });
  }
  task.phase = "restoring";
  if (options.changelog !== null) {
    const marks = prepared.marks.get(options.changelog) ?? { low: 0, high: 0 };
    const { nextOffset, inputs } = task.store;
    if (nextOffset > marks.high) {
      options.probe.event("state_past_the_end", { task: task.number, nextOffset, high: marks.high });
      task.store.clear();
    }
    // Committed offsets never fall: these topics were made anew, or somebody has set the group back.
    const fallen = Object.entries(inputs).find(([topic, offset]) => {
      const committed = prepared.offsets.get(topic);
      return committed === undefined || committed.offset < offset;
    });
    if (fallen !== undefined) {
      const [topic, offset] = fallen;
      const committed = prepared.offsets.get(topic)?.offset ?? null;
      options.probe.event("state_of_another_log", { task: task.number, topic, offset, committed });
      task.store.clear();
    }
    task.restorePosition = Math.max(task.store.nextOffset, marks.low);
    task.restoreStart = task.restorePosition;
    task.restoreTarget = marks.high;
  }
}
