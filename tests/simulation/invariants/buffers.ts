/** What a process holds stays within the limits it was given. */
import type { Batch } from "@sluice/runtime";
import type { LifeName, Observer, Report, StepSeen } from "../observer.ts";
import type { Settings } from "../settings.ts";

/** A process that can say what it holds. */
export interface Holding {
  gauges(): { readonly heldRecords: number; readonly heldBytes: number; readonly calls: number };
}

interface LastBatches {
  /** Records and bytes of the last two batches of each partition: fetched before a pause could hold. */
  readonly sizes: Map<string, readonly (readonly [number, number])[]>;
  /** From where to where the last one of each partition went: one that comes twice is held once. */
  readonly spans: Map<string, string>;
}

export class BufferChecks implements Observer {
  readonly #settings: Settings;
  readonly #report: Report;
  readonly #holdingOf: (life: LifeName) => Holding | null;
  readonly #lives = new Map<string, LastBatches>();

  constructor(settings: Settings, holdingOf: (life: LifeName) => Holding | null, report: Report) {
    this.#settings = settings;
    this.#holdingOf = holdingOf;
    this.#report = report;
  }

  batch(life: LifeName, batch: Batch): void {
    const last = this.#lives.get(life.name) ?? { sizes: new Map(), spans: new Map() };
    this.#lives.set(life.name, last);
    const key = `${batch.topic}/${batch.partition}`;
    const span = `${batch.fromOffset}-${batch.nextOffset}`;
    if (last.spans.get(key) === span) return;
    last.spans.set(key, span);
    let bytes = 0;
    for (const { key: name, value } of batch.records) bytes += (name?.length ?? 0) + (value?.length ?? 0);
    if (batch.records.length === 0) return;
    last.sizes.set(key, [...(last.sizes.get(key) ?? []), [batch.records.length, bytes] as const].slice(-2));
  }

  stepped(life: LifeName, { input }: StepSeen): void {
    if (input.kind !== "record") return;
    const holding = this.#holdingOf(life);
    if (holding === null) return;
    const { heldRecords, heldBytes, calls } = holding.gauges();
    const { runtime } = this.#settings;
    if (calls > runtime.callsMax + runtime.slowCallsMax)
      this.#report("no more calls run than allowed", `${life.name}: ${calls}`);
    if (heldRecords < runtime.partition.recordsHigh && heldBytes < runtime.partition.bytesHigh) return;
    let recordsMax = 0;
    let bytesMax = 0;
    for (const sizes of this.#lives.get(life.name)?.sizes.values() ?? []) {
      recordsMax += runtime.partition.recordsHigh;
      bytesMax += runtime.partition.bytesHigh;
      for (const [records, bytes] of sizes) {
        recordsMax += records;
        bytesMax += bytes;
      }
    }
    if (heldRecords > recordsMax)
      this.#report(
        "records held stay within their limit",
        `${life.name}: ${heldRecords}, at most ${recordsMax}`,
      );
    if (heldBytes > bytesMax)
      this.#report("bytes held stay within their limit", `${life.name}: ${heldBytes}, at most ${bytesMax}`);
  }

  ended(life: LifeName): void {
    this.#lives.delete(life.name);
  }
}
