/**
 * The transaction coordinator: producer epochs, open transactions over logs and groups, and markers that
 * are written one by one after the commit was answered.
 */
import type { CommittedOffset } from "@sluice/runtime";
import type { Availability } from "./availability.ts";
import { BrokerError } from "./broker-error.ts";
import type { CancelTimer, SimClock } from "./clock.ts";
import type { Group } from "./group.ts";
import type { NewRecord, PartitionLog } from "./log.ts";
import type { Random } from "./random.ts";
import type { Trace } from "./trace.ts";

export interface ProducerHandle {
  readonly transactionalId: string;
  readonly epoch: number;
}

interface OpenTransaction {
  readonly logs: Set<PartitionLog>;
  readonly groups: Set<Group>;
  readonly endTimeout: CancelTimer;
}

interface Holder {
  epoch: number;
  open: OpenTransaction | null;
  /** The decision is made, markers are still being written. */
  ending: boolean;
}

export interface TransactionSurroundings {
  readonly clock: SimClock;
  readonly random: Random;
  readonly availability: Availability;
  readonly trace: Trace;
  readonly transactionTimeoutMs: number;
  readonly markerDelayMsMax: number;
  readonly onOffsets: (transactionalId: string, group: string, offsets: readonly CommittedOffset[]) => void;
}

export class TransactionCoordinator {
  readonly #at: TransactionSurroundings;
  readonly #holders = new Map<string, Holder>();

  constructor(at: TransactionSurroundings) {
    this.#at = at;
  }

  /** InitProducerId: fences every older holder and aborts what it left open. Retriable while that lasts. */
  init(transactionalId: string): ProducerHandle {
    const holder = this.#holders.get(transactionalId) ?? { epoch: -1, open: null, ending: false };
    this.#holders.set(transactionalId, holder);
    if (!holder.ending) holder.epoch++;
    if (holder.open !== null && !holder.ending) this.#end(transactionalId, holder, "aborted");
    if (holder.ending) throw new BrokerError("CONCURRENT_TRANSACTIONS", transactionalId);
    this.#at.trace.add("broker", "fenced", `${transactionalId} ${holder.epoch}`);
    return { transactionalId, epoch: holder.epoch };
  }

  /** Appends inside the handle's transaction, which begins here if none is open. */
  append(handle: ProducerHandle, log: PartitionLog, records: readonly NewRecord[]): number {
    const open = this.#begun(handle);
    open.logs.add(log);
    return log.append(records, open);
  }

  /** TxnOffsetCommit v1: no generation, so only the epoch fences. */
  commitOffsets(handle: ProducerHandle, group: Group, offsets: readonly CommittedOffset[]): void {
    const open = this.#begun(handle);
    open.groups.add(group);
    group.addPending(open, offsets);
  }

  /** EndTxn: answers once the decision is safe; readers see it when the markers are written. */
  end(handle: ProducerHandle, outcome: "committed" | "aborted"): void {
    const holder = this.#checked(handle);
    if (holder.open === null) throw new BrokerError("INVALID_TXN_STATE", handle.transactionalId);
    this.#end(handle.transactionalId, holder, outcome);
  }

  #begun(handle: ProducerHandle): OpenTransaction {
    const holder = this.#checked(handle);
    if (holder.open !== null) return holder.open;
    const { clock, transactionTimeoutMs } = this.#at;
    const timeOut = () => {
      this.#at.availability.whenUp(() => {
        if (holder.open !== open || holder.ending) return;
        holder.epoch++;
        this.#end(handle.transactionalId, holder, "aborted");
      });
    };
    const open: OpenTransaction = {
      logs: new Set(),
      groups: new Set(),
      endTimeout: clock.setTimer(clock.nowMs() + transactionTimeoutMs, timeOut),
    };
    holder.open = open;
    return open;
  }

  #checked(handle: ProducerHandle): Holder {
    const holder = this.#holders.get(handle.transactionalId);
    if (holder === undefined || holder.epoch !== handle.epoch) {
      throw new BrokerError("INVALID_PRODUCER_EPOCH", `${handle.transactionalId} epoch ${handle.epoch}`);
    }
    if (holder.ending) throw new BrokerError("CONCURRENT_TRANSACTIONS", handle.transactionalId);
    return holder;
  }

  #end(transactionalId: string, holder: Holder, outcome: "committed" | "aborted"): void {
    const { open } = holder;
    if (open === null) return;
    const { clock, random, availability, markerDelayMsMax, trace } = this.#at;
    open.endTimeout();
    holder.ending = true;
    trace.add("broker", outcome, `${transactionalId} ${holder.epoch}`);
    if (outcome === "committed")
      for (const group of open.groups) this.#at.onOffsets(transactionalId, group.name, group.pendingOf(open));
    let missing = open.logs.size + open.groups.size;
    const mark = (write: () => void) => {
      clock.setTimer(clock.nowMs() + random.between(0, markerDelayMsMax), () => {
        availability.whenUp(() => {
          write();
          if (--missing > 0) return;
          holder.open = null;
          holder.ending = false;
        });
      });
    };
    for (const log of open.logs) mark(() => log.writeMarker(open, outcome));
    for (const group of open.groups) mark(() => group.endPending(open, outcome));
  }
}
