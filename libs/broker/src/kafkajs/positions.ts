/** Where the next batch of each partition must start; anything else that arrives is not delivered. */
import type { TopicPartition } from "@sluice/runtime";

interface Position {
  /** The offset that the next fetch must have been made at. */
  readonly fetchOffset: number;
  /** The offset to report for it: differs after a jump over records that retention deleted. */
  readonly fromOffset: number;
}

export class Positions {
  readonly #byPartition = new Map<string, Position>();

  clear(): void {
    this.#byPartition.clear();
  }

  set(at: TopicPartition, offset: number): void {
    this.#byPartition.set(keyOf(at), { fetchOffset: offset, fromOffset: offset });
  }

  get(at: TopicPartition): Position | undefined {
    return this.#byPartition.get(keyOf(at));
  }

  /** A jump forward is a hole for the reader, as compaction leaves them; one back is a new start. */
  jump(at: TopicPartition, oldOffset: number, newOffset: number): void {
    const position = this.get(at);
    if (position?.fetchOffset !== oldOffset) return;
    const fromOffset = newOffset > oldOffset ? position.fromOffset : newOffset;
    this.#byPartition.set(keyOf(at), { fetchOffset: newOffset, fromOffset });
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`;
}
