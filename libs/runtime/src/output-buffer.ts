import { partitionOf, topicOf, partitionsOf, type TopicLayout } from "@sluice/records";
import { SluiceError } from "@sluice/errors";
import { OrderedMap, type Effect } from "@sluice/topology";
import type { OutRecord } from "./broker.ts";
import type { Measure, Measured } from "./measure.ts";

/** What topics allow in one record (see the table of topics), less the room that its frame takes. */
export const recordBytesMax = 8_388_608 - 4096;

type Send = Extract<Effect<never>, { kind: "send" }>;

/** What one transaction will write: gathered by steps, taken as a whole by a commit. */
export interface Output {
  readonly records: readonly OutRecord[];
  readonly changes: OrderedMap<string | null>;
  /** What the records count for, once they are committed. */
  readonly measured: readonly Measured[];
}

/**
 * Gathers the sends and state changes of one task until its next transaction. Values are encoded at once:
 * a step may go on changing the object it sent.
 */
export class OutputBuffer {
  #records: OutRecord[] = [];
  #latest = new Map<string, OutRecord>();
  #changes = new OrderedMap<string | null>();
  #bytes = 0;
  #measured: Measured[] = [];
  readonly #layout: TopicLayout;
  readonly #measure: Measure | undefined;

  constructor(layout: TopicLayout, measure?: Measure) {
    this.#layout = layout;
    this.#measure = measure;
  }

  /** Changes of state that no transaction has taken yet. */
  get changes(): OrderedMap<string | null> {
    return this.#changes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get records(): number {
    return this.#records.length + this.#latest.size + this.#changes.size;
  }

  send(effect: Send): void {
    const topic = topicOf(effect.topic);
    if (topic === undefined) throw new SluiceError("SLUICE_STEP_BROKEN", `no topic ${effect.topic}`);
    const value = encoded(effect.value, effect.topic, effect.key);
    const record: OutRecord = {
      topic: this.#layout.prefix + effect.topic,
      partition: effect.partition ?? partitionOf(effect.key, partitionsOf(topic, this.#layout)),
      key: effect.key,
      value,
      ...(effect.headers === undefined ? {} : { headers: effect.headers }),
    };
    this.#bytes += (value?.length ?? 0) + effect.key.length;
    if (effect.latest === true) this.#latest.set(`${effect.topic}\n${effect.key}`, record);
    else this.#records.push(record);
    // One that a later one replaces is never written, so none of its kind counts for anything.
    if (this.#measure === undefined || effect.latest === true) return;
    this.count(this.#measure(effect.topic, effect.value));
  }

  /** Counts once the next transaction is committed. */
  count(measured: readonly Measured[]): void {
    for (const each of measured) this.#measured.push(each);
  }

  /** A record that is already bytes: a dead letter. */
  sendRaw(record: OutRecord): void {
    this.#bytes += (record.value?.length ?? 0) + (record.key?.length ?? 0);
    this.#records.push(record);
  }

  put(key: string, value: unknown): void {
    const text = encoded(value, "the changelog", key);
    this.#bytes += (text?.length ?? 0) + key.length;
    this.#changes.set(key, text);
  }

  /** Hands over what was gathered and starts anew. */
  take(): Output {
    const output: Output = {
      records: [...this.#records, ...this.#latest.values()],
      changes: this.#changes,
      measured: this.#measured,
    };
    this.#records = [];
    this.#latest = new Map();
    this.#changes = new OrderedMap();
    this.#measured = [];
    this.#bytes = 0;
    return output;
  }
}

/** Throws what names the record: once it is in a transaction, nobody can say which one was too large. */
function encoded(value: unknown, topic: string, key: string): string | null {
  if (value === null) return null;
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined)
    throw new SluiceError("SLUICE_STEP_BROKEN", `${topic}, key ${key}: nothing that JSON has`);
  // A UTF-16 unit has at most three bytes of UTF-8.
  if (text.length * 3 > recordBytesMax) {
    const bytes = Buffer.byteLength(text) + Buffer.byteLength(key);
    if (bytes > recordBytesMax) {
      throw new SluiceError(
        "SLUICE_RECORD_TOO_LARGE",
        `${topic}, key ${key}: ${bytes} bytes, at most ${recordBytesMax}`,
        { field: topic },
      );
    }
  }
  return text;
}
