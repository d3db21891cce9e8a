/** Keeps what a reader was given. */
import type { Batch, BrokerRecord, TopicPartition } from "@sluice/runtime";

export class Collector {
  readonly batches: Batch[] = [];
  readonly failures: Error[] = [];
  close: () => Promise<void> = () => Promise.resolve();

  add(batch: Batch): void {
    this.batches.push(batch);
  }

  of(at: TopicPartition): readonly Batch[] {
    return this.batches.filter(({ topic, partition }) => topic === at.topic && partition === at.partition);
  }

  records(at: TopicPartition): readonly BrokerRecord[] {
    return this.of(at).flatMap((batch) => batch.records);
  }

  values(at: TopicPartition): readonly (string | null)[] {
    return this.records(at).map(({ value }) => value?.toString() ?? null);
  }

  /** How far the reader has come in the partition; -1 before the first batch. */
  position(at: TopicPartition): number {
    return this.of(at).at(-1)?.nextOffset ?? -1;
  }
}
