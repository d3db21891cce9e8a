import { SluiceError } from "@sluice/errors";
import type { InputRecord } from "@sluice/topology";
import type { Batch, TopicPartition } from "./broker.ts";
import { staleInRowMax, type Kernel } from "./kernel.ts";
import type { Marks } from "./preparation.ts";
import { Table } from "./table.ts";

/** How long until the ends of the tables are asked for again. */
const retryMs = 500;

/** The tables of one instance: read from their beginning, once for all its tasks. */
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
    const { options, probe } = kernel;
    const entries: Record<string, ReadonlyMap<string, unknown>> = {};
    for (const topic of options.tables) {
      const table = new Table(topic, (reason, partition, offset) =>
        probe.event("table_record_invalid", { topic, partition, offset, reason }),
      );
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
    const changed = table.apply(batch);
    if (changed !== null) {
      this.#stale.delete(name);
      return changed;
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
}
