/** How much of a topic a group of services has still to deal with. */
import type { Broker, Clock } from "@sluice/runtime";
import { untilPassed } from "./passing-errors.ts";

const lookMs = 100;

export interface BacklogOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  /** With their prefix. */
  readonly group: string;
  readonly topic: string;
}

export class GroupBacklog {
  readonly #options: BacklogOptions;

  constructor(options: BacklogOptions) {
    this.#options = options;
  }

  /** The ends of the topic as they are now, by partition. */
  async ends(): Promise<readonly number[]> {
    const { broker, clock, topic } = this.#options;
    const marks = await untilPassed(clock, () => broker.admin.watermarks(topic));
    // A partition without records has nothing to be committed for.
    return marks.map(({ low, high }) => (high > low ? high : 0));
  }

  /** Offsets between what the group has committed and those ends; markers count, for commits pass them. */
  async left(ends: readonly number[]): Promise<number> {
    const committed = await this.#committed();
    return ends.reduce((sum, end, partition) => sum + Math.max(0, end - (committed.get(partition) ?? 0)), 0);
  }

  async hasCommitted(): Promise<boolean> {
    return [...(await this.#committed()).values()].some((offset) => offset > 0);
  }

  /** Waits until all that is there now is dealt with: true; false where `givenUp` says so first. */
  async cleared(givenUp: () => boolean): Promise<boolean> {
    const ends = await this.ends();
    while ((await this.left(ends)) > 0) {
      if (givenUp()) return false;
      await new Promise<void>((resolve) => this.#options.clock.after(lookMs, resolve));
    }
    return true;
  }

  async #committed(): Promise<ReadonlyMap<number, number>> {
    const { broker, clock, group, topic } = this.#options;
    const offsets = await untilPassed(clock, () => broker.admin.committedOffsets(group, [topic]));
    return new Map(offsets.map(({ partition, offset }) => [partition, offset]));
  }
}
