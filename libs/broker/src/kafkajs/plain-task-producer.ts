/** Writes for one task without transactions: records, then offsets, each of which may come twice. */
import {
  CommitFailed,
  type CommittedOffset,
  type OnFailpoint,
  type Transaction,
  type TransactionalProducer,
  type Written,
} from "@sluice/runtime";
import { commitFailed } from "./failures.ts";
import type { KafkajsIdempotentProducer } from "./producer.ts";

export interface PlainTaskSettings {
  readonly producer: Pick<KafkajsIdempotentProducer, "connect" | "send" | "close">;
  /** Names the time for which the task is this member's, see {@link Tenures}; null where it is not. */
  readonly tenure: () => number | null;
  /** As a member of the group: one that is a member no more is refused. */
  readonly commitOffsets: (group: string, offsets: readonly CommittedOffset[]) => Promise<void>;
  readonly onFailpoint: OnFailpoint | null;
}

/**
 * Takes the place of a transactional producer where transactions are off. What a commit wrote before it failed
 * stays and is written again by whoever goes on. Records are fenced by the tenure of the task alone, as far as the process
 * can know it; offsets by the generation of the group, too.
 */
export class PlainTaskProducer implements TransactionalProducer {
  readonly #settings: PlainTaskSettings;
  #spent = false;
  #tenure: number | null = null;

  constructor(settings: PlainTaskSettings) {
    this.#settings = settings;
  }

  async fence(): Promise<void> {
    this.#tenure = this.#settings.tenure();
    await this.#settings.producer.connect();
  }

  async commit({ group, records, offsets }: Transaction): Promise<readonly Written[]> {
    if (this.#spent) throw new CommitFailed("commit on a producer that is spent", { fenced: false });
    const { producer, commitOffsets, onFailpoint } = this.#settings;
    try {
      this.#check();
      const written = await producer.send(records);
      onFailpoint?.("after_send");
      if (offsets.length > 0) {
        this.#check();
        const committed = commitOffsets(group, offsets);
        onFailpoint?.("after_commit_sent");
        await committed;
      }
      onFailpoint?.("after_send_offsets");
      return written;
    } catch (error) {
      this.#spent = true;
      throw commitFailed(`a commit of ${group} without a transaction`, error);
    }
  }

  #check(): void {
    const tenure = this.#settings.tenure();
    if (tenure === null || tenure !== this.#tenure)
      throw new CommitFailed("the task was another's meanwhile", { fenced: true });
  }

  close(): Promise<void> {
    return this.#settings.producer.close();
  }
}
