/** How much of the results the result-sink has still to write. */
import { topics } from "@sluice/records";
import type { Broker } from "@sluice/runtime";
import { sinkService } from "./service-specs.ts";

export class SinkBacklog {
  readonly #broker: Broker;
  readonly #group: string;
  readonly #topic: string;

  constructor(broker: Broker, prefix: string) {
    this.#broker = broker;
    this.#group = prefix + sinkService;
    this.#topic = prefix + topics.results.name;
  }

  /** The ends of the results as they are now, by partition. */
  async ends(): Promise<readonly number[]> {
    const marks = await this.#broker.admin.watermarks(this.#topic);
    // A partition without records has nothing to be committed for.
    return marks.map(({ low, high }) => (high > low ? high : 0));
  }

  /** Offsets between what the sink has committed and those ends; markers count, for commits pass them. */
  async left(ends: readonly number[]): Promise<number> {
    const committed = await this.#committed();
    return ends.reduce((sum, end, partition) => sum + Math.max(0, end - (committed.get(partition) ?? 0)), 0);
  }

  async hasCommitted(): Promise<boolean> {
    return [...(await this.#committed()).values()].some((offset) => offset > 0);
  }

  async #committed(): Promise<ReadonlyMap<number, number>> {
    const offsets = await this.#broker.admin.committedOffsets(this.#group, [this.#topic]);
    return new Map(offsets.map(({ partition, offset }) => [partition, offset]));
  }
}
