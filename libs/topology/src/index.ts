/**
 * The shape of every service: a deterministic state machine. It gets an input and the time, changes its
 * state, and returns effects. It does no I/O, reads no clock and rolls no dice.
 */

import type { Entries, LoadedEntries } from "./entries.ts";
import type { Scratch } from "./scratch.ts";

export {
  MemoryEntries,
  Overlay,
  parsedEntries,
  parsedReads,
  type Entries,
  type LoadedEntries,
} from "./entries.ts";
export { OrderedMap } from "./ordered-map.ts";
export { MemoryScratch, scratchPageBytes, type Scratch } from "./scratch.ts";

/** Names one record for `finish`: topic, partition and offset, as `topic/partition/offset`. */
export type RecordId = string;

/** A record as a step sees it: decoded, checked by its schema, with the place it came from. */
export interface InputRecord<Value = unknown> {
  readonly id: RecordId;
  /** Topic name without the configured prefix, e.g. `crawl.links`. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: Value;
  readonly headers: Readonly<Record<string, string>>;
  /** When the broker or producer stamped it, in epoch milliseconds. */
  readonly timestampMs: number;
}

export type Input<Rec extends InputRecord = InputRecord, Outcome = never> =
  /** A record of this lane; exactly one `finish` must follow, now or in a later step. */
  | { readonly kind: "record"; readonly record: Rec }
  /** A wake asked for by an earlier effect is due. It may be late, never early. */
  | { readonly kind: "wake"; readonly lane: string }
  /** A call has really begun (it may have waited for a free slot). */
  | { readonly kind: "started"; readonly callId: string; readonly lane: string }
  /** The answer of a call. It comes exactly once for each call, aborted ones included. */
  | { readonly kind: "settled"; readonly callId: string; readonly lane: string; readonly outcome: Outcome }
  /** An entry of a table that every instance reads was set, changed or removed. */
  | { readonly kind: "table"; readonly table: string; readonly key: string }
  /** The task was just assigned and its state is loaded; wakes do not survive a restart, so ask again. */
  | { readonly kind: "restored" };

/** What is known of how long the calls of a lane take; the slow ones need no slot of those that are answered soon. */
export type Promptness = "prompt" | "unknown" | "slow";

export type Effect<Call = never> =
  /** Write a record. Without `partition` it goes to the partition of `key` (murmur2). `null` is a tombstone. */
  | {
      readonly kind: "send";
      readonly topic: string;
      readonly key: string;
      readonly value: unknown;
      readonly partition?: number;
      readonly headers?: Readonly<Record<string, string>>;
      /** Only the last record of this topic and key in a transaction is written (compacted topics). */
      readonly latest?: boolean;
    }
  /**
   * Set (or with `null` delete) an entry of the task's durable state. Goes to the changelog and the store; the
   * next step's `entries` show it.
   */
  | { readonly kind: "put"; readonly key: string; readonly value: unknown }
  /** Step this lane again at `atMs`. The earliest wake asked for counts; a later one does not replace it. */
  | { readonly kind: "wake"; readonly lane: string; readonly atMs: number }
  /** Ask the outside world; the answer is stepped back in as `settled`. */
  | {
      readonly kind: "call";
      readonly lane: string;
      readonly callId: string;
      readonly request: Call;
      /** How long the lane's calls take by what is known of it; unknown where omitted. */
      readonly promptness?: Promptness;
    }
  /** Abort a call; it still settles. */
  | { readonly kind: "abort"; readonly callId: string }
  /** The record is dealt with: its offset may be committed. */
  | { readonly kind: "finish"; readonly id: RecordId }
  /** The record can't be accepted: finish it, with its original bytes and the reason in the dead letters. */
  | { readonly kind: "reject"; readonly id: RecordId; readonly reason: string };

/** What a step may know beside its own state: tables by name, and where it runs. Read-only. */
export interface StepContext {
  /** Number of this task: the partition number of all its inputs. */
  readonly task: number;
  /** Number of tasks, i.e. of partitions of every co-partitioned topic. */
  readonly tasks: number;
  /** Rises each time the task is assigned anew; never reused by this process. */
  readonly epoch: number;
  /** When the task was assigned, in epoch milliseconds. */
  readonly assignedAtMs: number;
  /** The task's durable entries, those included that are put and not yet committed. */
  readonly entries: Entries;
  /** Tables that every instance reads, by topic: key to value. */
  readonly tables: Readonly<Record<string, ReadonlyMap<string, unknown>>>;
  /** The partition a key belongs to. */
  readonly partitionOf: (key: string) => number;
}

export interface Step<State, Rec extends InputRecord = InputRecord, Call = never, Outcome = never> {
  readonly name: string;
  /** Builds the state of one task from its durable entries (none at the very first start), with room of its own. */
  readonly load: (entries: LoadedEntries, scratch: Scratch) => State;
  /** The lane of a record: records of one lane start in order; lanes run side by side. */
  readonly laneOf: (record: Rec) => string;
  /** How many records of a lane may be unfinished at once. Default 1. */
  readonly laneWidth?: (lane: string, state: State) => number;
  /** One step. Mutates `state` in place; the runtime throws it away if a transaction fails. */
  readonly step: (
    state: State,
    input: Input<Rec, Outcome>,
    nowMs: number,
    context: StepContext,
  ) => readonly Effect<Call>[];
}
