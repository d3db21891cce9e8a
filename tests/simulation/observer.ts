/** What the checks of a run are told of, and how they say that something is wrong. */
import type { Batch, Join, TopicPartition, Transaction } from "@sluice/runtime";
import type { Effect, Input, InputRecord, StepContext } from "@sluice/topology";
import type { ServiceName } from "./fault-plan.ts";

/** A process with a service on it, from its start to its death. */
export interface LifeName {
  readonly service: ServiceName;
  /** Unique in a run, e.g. `fetcher-1#7`. */
  readonly name: string;
}

export interface StepSeen {
  readonly input: Input<InputRecord, unknown>;
  readonly effects: readonly Effect<unknown>[];
  readonly nowMs: number;
  readonly context: StepContext;
  readonly state: unknown;
}

/** A group of invariants that watches a run. Everything is optional: each looks at what concerns it. */
export interface Observer {
  joined?(life: LifeName, join: Join): void;
  batch?(life: LifeName, batch: Batch): void;
  /** The next batch of the partition is to begin there. */
  sought?(life: LifeName, at: TopicPartition, offset: number): void;
  stepped?(life: LifeName, step: StepSeen): void;
  /** A transaction is about to be sent. */
  committing?(life: LifeName, task: number, transaction: Transaction): void;
  /** Its commit was answered. */
  committed?(life: LifeName, task: number, transaction: Transaction): void;
  ended?(life: LifeName): void;
}

export interface Violation {
  /** The invariant, in a few words that are the same for every case. */
  readonly invariant: string;
  readonly detail: string;
}

export type Report = (invariant: string, detail: string) => void;
