/** Demand as in GenStage: outcomes are the credits against which work is released. */

/** Most released and not yet settled over several domains, such as those of a partition. */
export class DemandTotal {
  #high: number;
  #outstanding = 0;

  constructor(high: number) {
    this.#high = checkedHigh(high);
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  /**
   * What may be released now. Without hysteresis, other than a window: the credit that a fast domain gives
   * back is open at once, even while slow domains hold most of the total.
   */
  demand(): number {
    return Math.max(0, this.#high - this.#outstanding);
  }

  resize(high: number): void {
    this.#high = checkedHigh(high);
  }

  /** One more is out. Only windows call this; `restored` may go beyond the limit. */
  release(restored = false): void {
    if (!restored && this.demand() === 0) throw new Error("released beyond the total demand");
    this.#outstanding++;
  }

  /** One came back. Only windows call this. */
  settle(): void {
    if (this.#outstanding === 0) throw new Error("settled more than was released");
    this.#outstanding--;
  }
}

export interface CreditWindowOptions {
  /** Demand rises again when outstanding has fallen to this; half of high where omitted. */
  readonly low?: number;
  /** Most outstanding at once. */
  readonly high?: number;
  /** Limit shared with other windows. */
  readonly total?: DemandTotal;
}

export const windowHigh = 100;

/**
 * The window of one domain. An id is outstanding from `release` to the first `settle`; whatever comes
 * later, twice or unasked changes nothing, so a credit is neither lost nor doubled.
 */
export class CreditWindow {
  #low: number;
  #high: number;
  readonly #total: DemandTotal | null;
  readonly #leases = new Map<string, number>();
  /** True from low up to high, false from high down to low. */
  #filling = true;

  /** Throws where 0 ≤ low < high does not hold. */
  constructor(options: CreditWindowOptions = {}) {
    this.#high = checkedHigh(options.high ?? windowHigh);
    this.#low = options.low ?? Math.floor(this.#high / 2);
    if (!(this.#low >= 0 && this.#low < this.#high)) throw new RangeError("low has to be below high");
    this.#total = options.total ?? null;
  }

  /** Released and not settled. May exceed high after `resize` or `restore`. */
  get outstanding(): number {
    return this.#leases.size;
  }

  /** How many may be released now. */
  demand(): number {
    if (!this.#filling) return 0;
    return Math.min(this.#high - this.#leases.size, this.#total?.demand() ?? Infinity);
  }

  /** Throws where there is no demand, or the id is outstanding already. */
  release(id: string, leaseUntilMs: number): void {
    if (this.demand() === 0) throw new Error(`${id} is released without demand`);
    this.#add(id, leaseUntilMs, false);
  }

  /** Takes up a release of before a restart, whatever the demand is now. */
  restore(id: string, leaseUntilMs: number): void {
    this.#add(id, leaseUntilMs, true);
  }

  /** The outcome of a release came; false where it is late, doubled or unknown. */
  settle(id: string): boolean {
    if (!this.#leases.delete(id)) return false;
    this.#total?.settle();
    this.#turn();
    return true;
  }

  /** A new high mark; low becomes half of it. What is out stays out, and demand is 0 until it fits. */
  resize(high: number): void {
    this.#high = checkedHigh(high);
    this.#low = Math.floor(high / 2);
    this.#turn();
  }

  /**
   * Ids whose lease ended before `nowMs` without an outcome, in order of release. They stay outstanding:
   * only an answer may release them again, silence is for the alarm.
   */
  expired(nowMs: number): string[] {
    const ids: string[] = [];
    for (const [id, leaseUntilMs] of this.#leases) if (leaseUntilMs < nowMs) ids.push(id);
    return ids;
  }

  /** How many those are. */
  overdue(nowMs: number): number {
    let count = 0;
    for (const leaseUntilMs of this.#leases.values()) if (leaseUntilMs < nowMs) count += 1;
    return count;
  }

  #add(id: string, leaseUntilMs: number, restored: boolean): void {
    if (this.#leases.has(id)) throw new Error(`${id} is outstanding already`);
    this.#total?.release(restored);
    this.#leases.set(id, leaseUntilMs);
    this.#turn();
  }

  #turn(): void {
    if (this.#leases.size >= this.#high) this.#filling = false;
    else if (this.#leases.size <= this.#low) this.#filling = true;
  }
}

function checkedHigh(high: number): number {
  if (!Number.isInteger(high) || high < 1) throw new RangeError(`${high} is not a number of credits`);
  return high;
}
