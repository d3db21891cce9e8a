import { messageOf } from "@sluice/errors";
import type { Broker, Clock } from "@sluice/runtime";

export interface WatchedGroup {
  readonly group: string;
  readonly topic: string;
}

export interface LagWatchOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly groups: readonly WatchedGroup[];
  readonly lagMax: number;
  readonly everyMs: number;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Called when `held` changed. */
  readonly onChanged: () => void;
}

/**
 * Looks at the lag of readers downstream. Above `lagMax` release is held, below half of it let go: the
 * table `flow` has the entry `release` as long as it is held, with the group and its lag.
 */
export class LagWatch {
  readonly flow = new Map<string, unknown>();
  readonly #options: LagWatchOptions;
  #lag = 0;
  #cancel: (() => void) | null = null;
  #stopped = false;

  constructor(options: LagWatchOptions) {
    this.#options = options;
  }

  /** Records that the furthest of the readers is behind, as of the last look. */
  get lag(): number {
    return this.#lag;
  }

  /** Beyond this lag release is held. */
  get lagMax(): number {
    return this.#options.lagMax;
  }

  start(): void {
    if (this.#stopped || this.#options.groups.length === 0) return;
    this.#cancel = this.#options.clock.after(this.#options.everyMs, () => {
      this.#look()
        .catch((error: unknown) => this.#options.log("lag_unknown", { message: messageOf(error) }))
        .finally(() => this.start());
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  async #look(): Promise<void> {
    const { groups, lagMax, log, onChanged } = this.#options;
    let worst = { group: "", topic: "", lag: 0 };
    for (const { group, topic } of groups) {
      const lag = await this.#lagOf(group, topic);
      if (lag > worst.lag) worst = { group, topic, lag };
    }
    if (this.#stopped) return;
    this.#lag = worst.lag;
    const held = this.flow.has("release");
    if (!held && worst.lag > lagMax) {
      this.flow.set("release", worst);
      log("release_held", worst);
      onChanged();
    } else if (held && worst.lag <= lagMax / 2) {
      this.flow.delete("release");
      log("release_resumed", worst);
      onChanged();
    }
  }

  /** Records between what the group has committed and the end. A group that never committed is not running. */
  async #lagOf(group: string, topic: string): Promise<number> {
    const { admin } = this.#options.broker;
    const committed = await admin.committedOffsets(group, [topic]);
    if (committed.length === 0) return 0;
    const marks = await admin.watermarks(topic);
    let lag = 0;
    for (const { partition, offset } of committed)
      lag += Math.max(0, (marks[partition]?.high ?? offset) - offset);
    return lag;
  }
}
