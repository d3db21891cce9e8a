/**
 * What a process has read and not finished, counted anew for each partition from what was fetched, sought and finished: no
 * more than the mark at which the partition is paused, with what was on its way by then. And that nothing is read on where the
 * offset that a commit has is too far behind.
 */
import { decodeRecord } from "@sluice/records";
import type { Batch, TopicPartition, Transaction } from "@sluice/runtime";
import type { LifeName, Observer, Report, StepSeen } from "../observer.ts";
import type { Settings } from "../settings.ts";

interface Held {
  /** Where the next batch has to begin: any other is read again. */
  position: number;
  /** Bytes of each record, by offset. */
  readonly open: Map<number, number>;
  bytes: number;
  /** Records and bytes of the last batches, as many as may be under way. */
  last: readonly (readonly [number, number])[];
  /** Batches read since a commit lay too far behind; null: the last one did not. */
  sinceSpan: number | null;
}

/** Batches of a partition that were fetched before a pause could hold. */
const underWayMax = 2;

/** Whether a group has a record as done, by what it committed. */
export type IsDone = (group: string, at: TopicPartition, offset: number) => boolean;

export class HeldChecks implements Observer {
  readonly #settings: Settings;
  readonly #isDone: IsDone;
  readonly #report: Report;
  readonly #lives = new Map<string, Map<string, Held>>();

  constructor(settings: Settings, isDone: IsDone, report: Report) {
    this.#settings = settings;
    this.#isDone = isDone;
    this.#report = report;
  }

  sought(life: LifeName, { topic, partition }: TopicPartition, offset: number): void {
    let held = this.#lives.get(life.name);
    if (held === undefined) this.#lives.set(life.name, (held = new Map()));
    const key = `${topic}/${partition}`;
    // To where it is anyway: what it holds stays.
    if (held.get(key)?.position === offset) return;
    held.set(key, { position: offset, open: new Map(), bytes: 0, last: [], sinceSpan: null });
  }

  batch(life: LifeName, { topic, partition, fromOffset, nextOffset, records }: Batch): void {
    const held = this.#lives.get(life.name)?.get(`${topic}/${partition}`);
    if (held?.position !== fromOffset) return;
    held.position = nextOffset;
    if (held.sinceSpan !== null) held.sinceSpan += 1;
    if (held.sinceSpan !== null && held.sinceSpan > underWayMax)
      this.#report(
        "a partition is not read on while what is committed lies too far behind",
        `${life.name} ${topic}/${partition}: ${held.sinceSpan} batches, up to ${nextOffset}`,
      );
    const before = { records: held.open.size, bytes: held.bytes };
    for (const { offset, key, value } of records) {
      if (this.#isDone(life.service, { topic, partition }, offset)) continue;
      // What can't be read goes to the dead letters without a step.
      if (decodeRecord(topic, value).kind !== "value") continue;
      const bytes = (key?.length ?? 0) + (value?.length ?? 0);
      held.open.set(offset, bytes);
      held.bytes += bytes;
    }
    const size = [held.open.size - before.records, held.bytes - before.bytes] as const;
    if (size[0] > 0) held.last = [...held.last, size].slice(-underWayMax);
  }

  committing(life: LifeName, _: number, { offsets }: Transaction): void {
    for (const { topic, partition, offset } of offsets) {
      const held = this.#lives.get(life.name)?.get(`${topic}/${partition}`);
      if (held === undefined) continue;
      const isTooFar = held.position - offset > this.#settings.runtime.spanMax;
      held.sinceSpan = isTooFar ? (held.sinceSpan ?? 0) : null;
    }
  }

  stepped(life: LifeName, { input, effects, context }: StepSeen): void {
    // A task that begins holds nothing, wherever it reads on: another may have had it since, and finished what was open.
    if (input.kind === "restored") this.#forget(life, context.task);
    if (input.kind === "record") {
      const [topic = "", partition = ""] = input.record.id.split("/");
      this.#check(life, `${topic}/${partition}`);
    }
    for (const effect of effects) {
      if (effect.kind !== "finish" && effect.kind !== "reject") continue;
      const [topic = "", partition = "", offset = ""] = effect.id.split("/");
      const held = this.#lives.get(life.name)?.get(`${topic}/${partition}`);
      const bytes = held?.open.get(Number(offset));
      if (held === undefined || bytes === undefined) continue;
      held.open.delete(Number(offset));
      held.bytes -= bytes;
    }
  }

  ended(life: LifeName): void {
    this.#lives.delete(life.name);
  }

  #forget(life: LifeName, task: number): void {
    const lives = this.#lives.get(life.name);
    for (const key of lives?.keys() ?? []) if (key.endsWith(`/${task}`)) lives?.delete(key);
  }

  #check(life: LifeName, key: string): void {
    const held = this.#lives.get(life.name)?.get(key);
    if (held === undefined) return;
    const { recordsHigh, bytesHigh } = this.#settings.runtime.partition;
    const recordsMax = held.last.reduce((sum, [records]) => sum + records, recordsHigh);
    const bytesMax = held.last.reduce((sum, [, bytes]) => sum + bytes, bytesHigh);
    if (held.open.size > recordsMax)
      this.#report(
        "records held of a partition stay within its limit",
        `${life.name} ${key}: ${held.open.size}, at most ${recordsMax}`,
      );
    if (held.bytes > bytesMax)
      this.#report(
        "bytes held of a partition stay within its limit",
        `${life.name} ${key}: ${held.bytes}, at most ${bytesMax}`,
      );
  }
}
