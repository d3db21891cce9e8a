import { SluiceError } from "@sluice/errors";
import type { InputRecord } from "@sluice/topology";
import type { Batch, TopicPartition } from "./broker.ts";
import { deadLetter } from "./dead-letter.ts";
import { staleInRowMax, type Kernel } from "./kernel.ts";
import type { Marks } from "./preparation.ts";
import { Table, type PoisonRecord } from "./table.ts";
import type { Task } from "./task.ts";

/** How long until the ends of the tables are asked for again. */
const retryMs = 500;

/**
 * The tables of one instance: read from their beginning, once for all its tasks.
 *
 * Every instance meets a record that does not match its schema; one alone writes its dead letter: the task of
 * the same number as the record's partition, of the one service that the table of topics names. It does so in
 * its own transaction, with how far it has searched the partition as a committed offset, so that no restart
 * and no rebalance writes it again. A task taken up looks at the partition once more from that offset on.
 */
export class Tables<State, Rec extends InputRecord, Call, Outcome> {
  /** By topic, as a step sees them; local ones included. */
  readonly entries: Readonly<Record<string, ReadonlyMap<string, unknown>>>;
  readonly #kernel: Kernel<State, Rec, Call, Outcome>;
  readonly #tables = new Map<string, Table>();
  /** Batches in a row that did not continue the position, by topic and partition. */
  readonly #stale = new Map<string, number>();
  #preparing = false;

  constructor(kernel: Kernel<State, Rec, Call, Outcome>) {
    this.#kernel = kernel;
    const { options } = kernel;
    const entries: Record<string, ReadonlyMap<string, unknown>> = {};
    for (const topic of options.tables) {
      const table = new Table(topic);
      this.#tables.set(topic, table);
      entries[topic] = table.entries;
    }
    for (const [name, each] of options.localTables ?? []) entries[name] = each;
    this.entries = entries;
  }

  get ready(): boolean {
    for (const table of this.#tables.values()) if (!table.ready) return false;
    return true;
  }

  has(topic: string): boolean {
    return this.#tables.has(topic);
  }

  /** Asks where the tables end that nothing is known of yet. */
  prepare(): void {
    const unknown = [...this.#tables.values()].filter((table) => !table.known);
    if (unknown.length > 0 && !this.#preparing) this.#ask(unknown);
  }

  #ask(tables: readonly Table[]): void {
    const { clock, loop, options, prefix, probe } = this.#kernel;
    this.#preparing = true;
    Promise.all(
      tables.map(
        async (table) => [table.topic, await options.broker.admin.watermarks(prefix + table.topic)] as const,
      ),
    ).then(
      (marks) => loop.enqueue({ kind: "tables", marks: new Map(marks) }),
      (error: unknown) => {
        probe.event("prepare_failed", { tables: true, message: String(error) });
        clock.after(retryMs, () => {
          if (!this.#kernel.dead) this.#ask(tables);
        });
      },
    );
  }

  begin(marks: ReadonlyMap<string, readonly Marks[]>): void {
    this.#preparing = false;
    for (const [topic, each] of marks) {
      const table = this.#tables.get(topic);
      if (table !== undefined && !table.known) table.begin(each);
    }
    this.reposition();
  }

  reposition(): void {
    const partitions: TopicPartition[] = [];
    for (const table of this.#tables.values()) {
      for (const [partition, position] of table.positions()) {
        const at = this.#kernel.at(table.topic, partition);
        this.#kernel.seek(at, position);
        partitions.push(at);
      }
    }
    if (partitions.length > 0) this.#kernel.resume(partitions);
  }

  /** Takes a batch of a table; returns the keys that changed. */
  apply(topic: string, batch: Batch): readonly string[] {
    const table = this.#tables.get(topic);
    if (table === undefined) return [];
    const name = `${batch.topic}/${batch.partition}`;
    const applied = table.apply(batch);
    if (applied !== null) {
      this.#stale.delete(name);
      this.#bury(topic, batch, applied.poison);
      return applied.changed;
    }
    this.#kernel.probe.staleBatch();
    const position = table.positions().find(([partition]) => partition === batch.partition)?.[1];
    const inRow = (this.#stale.get(name) ?? 0) + 1;
    this.#stale.set(name, inRow);
    if (inRow > staleInRowMax) {
      // Its entries are those of a log that is gone, and every task has seen them: only a new process is right.
      throw new SluiceError(
        "SLUICE_TOPIC_DRIFT",
        `${name} was made anew or cut: it begins at ${batch.fromOffset}, we had read to ${position}`,
        { field: topic },
      );
    }
    if (position !== undefined)
      this.#kernel.seek({ topic: batch.topic, partition: batch.partition }, position);
    return [];
  }

  /** Looks for poison from where a task has come, which it may have come to on another instance. */
  lookBack(task: Task<State, Rec>): void {
    for (const [topic, { position }] of task.tables) {
      const from = this.#tables.get(topic)?.lookBack(task.number, position) ?? null;
      if (from !== null) this.#kernel.seek(this.#kernel.at(topic, task.number), from);
    }
  }

  #bury(topic: string, batch: Batch, poison: readonly PoisonRecord[]): void {
    const { group, limits, options, probe, tasks } = this.#kernel;
    const { partition } = batch;
    for (const { record, reason, isNew } of poison)
      if (isNew) probe.event("table_record_invalid", { topic, partition, offset: record.offset, reason });
    const task = tasks.get(partition);
    const searched = task?.tables.get(topic);
    // A batch that begins further on was read before the task was taken up, or while it had no room.
    if (task === undefined || searched === undefined || batch.fromOffset > searched.position) return;
    for (const { record, reason } of poison) {
      if (record.offset < searched.position) continue;
      searched.position = record.offset;
      // Looked for again when there is room: see `lookBack`.
      if (task.output.bytes >= limits.outputBytesMax) return;
      const origin = { topic: batch.topic, partition, offset: record.offset };
      task.output.sendRaw(deadLetter(record, origin, { group, service: options.step.name, reason }));
      probe.deadLetter(topic, reason);
    }
    searched.position = Math.max(searched.position, batch.nextOffset);
  }
}
