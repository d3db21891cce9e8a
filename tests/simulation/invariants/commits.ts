/** What is committed is finished: an offset is never above a record that is not, nor is one in the map of done ones. */
import type { Delivery, MemoryCluster } from "@sluice/broker/memory";
import { decodeRecord, topics, type Outcome } from "@sluice/records";
import type { CommittedOffset, TopicPartition, Transaction } from "@sluice/runtime";
import type { LifeName, Observer, Report, StepSeen } from "../observer.ts";

interface Progress {
  readonly offset: number;
  /** Ranges above it that are done: from, to, from, to, … */
  readonly done: readonly number[];
}

/** Records that one owner of a task has finished; another owner begins with none. */
interface Tenure {
  readonly epoch: number;
  readonly given: Set<string>;
  readonly finished: Set<string>;
}

export class CommitChecks implements Observer {
  readonly #cluster: MemoryCluster;
  readonly #report: Report;
  readonly #delivery: Delivery;
  readonly #tenures = new Map<string, Tenure>();
  /** What is wrong with a commit under way. */
  readonly #pending = new Map<string, readonly string[]>();
  /** By group and partition, what is committed. */
  readonly #durable = new Map<string, Progress>();

  constructor(cluster: MemoryCluster, delivery: Delivery, report: Report) {
    this.#cluster = cluster;
    this.#delivery = delivery;
    this.#report = report;
  }

  stepped(life: LifeName, { input, effects, context }: StepSeen): void {
    const key = `${life.name}/${context.task}`;
    let tenure = this.#tenures.get(key);
    if (tenure?.epoch !== context.epoch) {
      tenure = { epoch: context.epoch, given: new Set(), finished: new Set() };
      this.#tenures.set(key, tenure);
    }
    if (input.kind === "record") {
      if (tenure.given.has(input.record.id))
        this.#report("a record is given to a step once", `${life.name} ${input.record.id}`);
      tenure.given.add(input.record.id);
    }
    for (const effect of effects) {
      if (effect.kind !== "finish" && effect.kind !== "reject") continue;
      if (!tenure.given.has(effect.id) || tenure.finished.has(effect.id))
        this.#report("a record is finished once, after it was given", `${life.name} ${effect.id}`);
      tenure.finished.add(effect.id);
    }
  }

  /** What would be wrong is told when the commit has come through: a zombie's never does. */
  committing(life: LifeName, task: number, { group, offsets }: Transaction): void {
    const tenure = this.#tenures.get(`${life.name}/${task}`);
    const wrong: string[] = [];
    for (const { topic, partition, offset, metadata } of offsets) {
      // Of a table it says how far it was searched for poison; what comes of that is seen at the end.
      if (topic === topics.jobs.name || topic === topics.policies.name) continue;
      const before = this.#durableOf(group, { topic, partition });
      const next = { offset, done: doneRanges(offset, metadata) };
      const { records } = this.#cluster.committedFrom({ topic, partition }, before.offset);
      for (const record of records) {
        if (!isDone(next, record.offset) || isDone(before, record.offset)) continue;
        const id = `${topic}/${partition}/${record.offset}`;
        if (tenure?.finished.has(id) === true) continue;
        // What can't be read is dealt with by the runtime, without a step.
        if (decodeRecord(topic, record.value).kind !== "value") continue;
        wrong.push(`${life.name} ${id}, committing ${offset} ${metadata}`);
      }
    }
    this.#pending.set(keyOf(`${group}-${task}`, offsets), wrong);
  }

  /** The coordinator has decided: these are the group's offsets now. */
  landed(transactionalId: string, group: string, offsets: readonly CommittedOffset[]): void {
    const key = keyOf(transactionalId, offsets);
    for (const detail of this.#pending.get(key) ?? [])
      this.#report("no unfinished record is committed", detail);
    this.#pending.delete(key);
    for (const { topic, partition, offset, metadata } of offsets) {
      const before = this.#durableOf(group, { topic, partition });
      // Without transactions one that was given up may arrive late; what it skips no more was done.
      if (offset < before.offset && this.#delivery === "exactly-once")
        this.#report(
          "a committed offset never goes back",
          `${transactionalId} ${topic}/${partition} ${before.offset} to ${offset}`,
        );
      this.#durable.set(`${group}/${topic}/${partition}`, { offset, done: doneRanges(offset, metadata) });
    }
  }

  /** Whether what is committed says that the record is done. */
  isDone(group: string, at: TopicPartition, offset: number): boolean {
    return isDone(this.#durableOf(group, at), offset);
  }

  #durableOf(group: string, { topic, partition }: TopicPartition): Progress {
    const known = this.#durable.get(`${group}/${topic}/${partition}`);
    if (known !== undefined) return known;
    // Committed before the run began.
    const before = this.#cluster.committedOffset(group, { topic, partition });
    if (before === null) return nothing;
    return { offset: before.offset, done: doneRanges(before.offset, before.metadata) };
  }
}

/** Outcomes that the group of rate-limit has committed as read, of one partition. */
export function outcomesDone(
  cluster: MemoryCluster,
  commits: CommitChecks,
  partition: number,
): readonly { readonly domain: string; readonly value: Outcome }[] {
  const at = { topic: topics.outcomes.name, partition };
  return cluster
    .committedFrom(at, 0)
    .records.filter(({ offset }) => commits.isDone("rate-limit", at, offset))
    .flatMap(({ key, value }) => {
      const decoded = decodeRecord(at.topic, value);
      return decoded.kind === "value" ? [{ domain: String(key), value: decoded.value as Outcome }] : [];
    });
}

const nothing: Progress = { offset: 0, done: [] };

const keyOf = (transactionalId: string, offsets: readonly CommittedOffset[]): string =>
  `${transactionalId} ${offsets.map(({ topic, offset, metadata }) => `${topic} ${offset} ${metadata}`).join()}`;

function isDone({ offset, done }: Progress, at: number): boolean {
  if (at < offset) return true;
  for (let index = 0; index + 1 < done.length; index += 2) {
    if (at >= (done[index] ?? 0) && at < (done[index + 1] ?? 0)) return true;
  }
  return false;
}

/** Reads a commit's metadata, independently of the runtime: run lengths or bits, after the offset itself. */
function doneRanges(offset: number, metadata: string): readonly number[] {
  if (metadata.length < 4) return [];
  const bytes = Buffer.from(metadata.slice(4), "base64url");
  const numbers: number[] = [];
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  next();
  const ranges: number[] = [];
  if (metadata[3] === "r") {
    while (at < bytes.length) numbers.push(next());
    let end = offset;
    for (let index = 0; index + 1 < numbers.length; index += 2) {
      const from = end + (numbers[index] ?? 0);
      end = from + (numbers[index + 1] ?? 0);
      ranges.push(from, end);
    }
    return ranges;
  }
  for (let bit = 0; at + (bit >> 3) < bytes.length; bit += 1) {
    const isSet = ((bytes[at + (bit >> 3)] ?? 0) >> (bit & 7)) & 1;
    if (isSet === 1) ranges.push(offset + bit, offset + bit + 1);
  }
  return ranges;
}
