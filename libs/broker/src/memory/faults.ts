/** What goes wrong: by chance, at rates given with the seed, or on demand, next time. */
import type { Random } from "./random.ts";

/**
 * How a commit fails. `refused`: the broker takes no record. `unknown_landed`: it is committed, the answer
 * is lost. `unknown_lost`: the request to commit is lost, the transaction stays open until it is fenced or
 * times out. `unknown_delayed`: the client gives up, the request arrives later.
 */
export const commitFaults = ["refused", "unknown_landed", "unknown_lost", "unknown_delayed"] as const;
export type CommitFault = (typeof commitFaults)[number];

/** Probabilities from 0 to 1; all 0 unless said otherwise. */
export interface FaultRates {
  /** A commit fails in one of the four ways. */
  readonly commit: number;
  /** A fetched batch is delivered twice, the second time later. */
  readonly fetchTwice: number;
  /** The answer to a fetch takes up to `fetchDelayMsMax` longer. */
  readonly fetchDelayed: number;
  /** A batch that a pause, a seek or a rebalance overtook is delivered all the same. Default 0.5. */
  readonly lateBatch: number;
}

export class Faults {
  readonly #random: Random;
  readonly #rates: FaultRates;
  readonly #delayMsMax: number;
  #nextCommits: { readonly fault: CommitFault; readonly transactionalId: string | null }[] = [];
  #nextTwice = 0;
  #nextDelaysMs: number[] = [];

  constructor(random: Random, rates: FaultRates, fetchDelayMsMax: number) {
    this.#random = random;
    this.#rates = rates;
    this.#delayMsMax = fetchDelayMsMax;
  }

  /** The next commit of this transactional id, or of any, fails so. */
  failNextCommit(fault: CommitFault, transactionalId: string | null = null): void {
    this.#nextCommits.push({ fault, transactionalId });
  }

  /** The next batch that a fetch brings is delivered twice. */
  repeatNextBatch(): void {
    this.#nextTwice++;
  }

  /** The answer to the next fetch that brings something takes this much longer. */
  delayNextFetch(delayMs: number): void {
    this.#nextDelaysMs.push(delayMs);
  }

  commitFault(transactionalId: string): CommitFault | null {
    const at = this.#nextCommits.findIndex(
      (next) => next.transactionalId === null || next.transactionalId === transactionalId,
    );
    const [planned] = at < 0 ? [] : this.#nextCommits.splice(at, 1);
    if (planned !== undefined) return planned.fault;
    if (!this.#random.chance(this.#rates.commit)) return null;
    return commitFaults[this.#random.between(0, commitFaults.length - 1)] ?? null;
  }

  isBatchRepeated(): boolean {
    if (this.#nextTwice > 0) {
      this.#nextTwice--;
      return true;
    }
    return this.#random.chance(this.#rates.fetchTwice);
  }

  fetchDelayMs(): number {
    const planned = this.#nextDelaysMs.shift();
    if (planned !== undefined) return planned;
    return this.#random.chance(this.#rates.fetchDelayed) ? this.#random.between(1, this.#delayMsMax) : 0;
  }

  /** How long a commit of kind `unknown_delayed` is on its way. */
  delayedCommitMs(): number {
    return this.#random.between(2, 500);
  }

  isLateBatchDelivered(): boolean {
    return this.#random.chance(this.#rates.lateBatch);
  }
}
