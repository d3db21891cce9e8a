import { SluiceError } from "@sluice/errors";
import { emptyTally, failedOf, type RetryOrder, type Tally } from "@sluice/records";
import type { DelayReason } from "./delay-reason.ts";
import type { OpenEntry } from "./entry.ts";
import type { Served } from "./fair-turns.ts";
import { Gates } from "./gates.ts";
import { JobHosts } from "./job-hosts.ts";
import type { KnownUrls } from "./known-urls.ts";

/** What failed under a version that kept no categories: counted, and not there to be asked for again. */
export const unrecordedCategory = "not_recorded";

export type Halt = "max_pages" | "timeout" | "cancelled" | "ended";

/** Rises when what is stored of a job or its URLs can no longer be read by the versions before. */
const storedForm = 1;

/** Durable part of what one task knows of a job. */
export interface StoredJobView {
  /** That of what is stored with it as well; 0 where it is missing. */
  readonly form?: number;
  readonly run: number;
  readonly tally: Tally;
  /** Highest probe answered. */
  readonly wave: number;
  readonly halt: Halt | null;
  readonly recall: boolean;
  /** Under which its URLs are stored. */
  readonly number: number;
  /** What follows is missing in one that an older version stored. */
  readonly failedBy?: Readonly<Record<string, number>>;
  readonly skippedBy?: Readonly<Record<string, number>>;
  readonly refusedBy?: Readonly<Record<string, number>>;
  readonly retried?: RetryOrder;
  readonly retrying?: RetryOrder | null;
  readonly inherited?: number;
  readonly forgotten?: number;
  readonly isKept?: boolean;
  readonly deadlineAtMs?: number | null;
  readonly aliases?: number;
}

/** One job as one frontier task sees it: its URLs here and its counters. */
export class JobView {
  readonly id: string;
  readonly run: number;
  readonly tally: Tally;
  wave = 0;
  halt: Halt | null = null;
  recall = false;
  /** Under which its URLs are stored; another one once they are dropped, so that what is left can go in pieces. */
  number: number;
  readonly known: KnownUrls;
  /** URLs that failed in this run and were not asked for again, by category. */
  readonly failedBy = new Map<string, number>();
  /** Admitted URLs that were given up without a result, and links that were not admitted, by reason. */
  readonly skippedBy = new Map<string, number>();
  readonly refusedBy = new Map<string, number>();
  /** The last order to retry that was carried out, and the one that is being. */
  retried: RetryOrder = { order: 0, asked: {} };
  retrying: RetryOrder | null = null;
  /** URLs that the run before had settled and this one has not taken up again. */
  inherited = 0;
  /** Settled URLs that are known no more, for their host was dropped. */
  forgotten = 0;
  /** Pages that are asked for under a session id: known by their URLs without it as well. */
  aliases = 0;
  /** The run has ended, and what it has settled stays on the disk: what failed may be asked for in a further run. */
  isKept = false;
  /** When the run's time is over, as its owner says; null where that has said nothing yet. */
  deadlineAtMs: number | null = null;
  /** Its turns among jobs, where all together want more than may be out. */
  readonly served: Served = { endsAt: 0 };
  /** Domains on which the job has URLs that wait. */
  readonly hosts = new JobHosts();
  /** Of these, those of which what is fresh waits for units of a budget. */
  readonly gated = new Gates();
  /** Released and unanswered. */
  inFlight = 0;
  /** Admitted and not released. */
  waiting = 0;
  /** Of these, those that wait for their due time, by reason. */
  readonly delayedBy: Record<DelayReason, number> = { politeness: 0, back_off: 0, breaker: 0, budget: 0 };
  /** Of those that wait, those to which a page grant was given for an earlier release. */
  #waitingGranted = 0;
  /** Of these, those in their domain's queue. */
  #queuedGranted = 0;

  constructor(id: string, run: number, number: number, known: KnownUrls, stored?: StoredJobView) {
    this.id = id;
    this.known = known;
    this.run = run;
    this.number = number;
    // One that an older version stored lacks what has come since.
    this.tally = { ...emptyTally(), ...stored?.tally };
    if (stored !== undefined) {
      const { form = 0 } = stored;
      if (form > storedForm)
        throw new SluiceError(
          "SLUICE_STATE_UNREADABLE",
          `job ${id} is stored in form ${form}, and this version reads ${storedForm} at most: a newer one has written it`,
        );
      this.wave = stored.wave;
      this.halt = stored.halt;
      this.recall = stored.recall;
      const failed = failedOf(this.tally);
      const { failedBy = failed > 0 ? { [unrecordedCategory]: failed } : {} } = stored;
      for (const [category, count] of Object.entries(failedBy)) this.failedBy.set(category, count);
      restore(this.skippedBy, stored.skippedBy, this.tally.skipped);
      restore(this.refusedBy, stored.refusedBy, this.tally.refused);
      this.retried = stored.retried ?? this.retried;
      this.retrying = stored.retrying ?? null;
      this.inherited = stored.inherited ?? 0;
      this.forgotten = stored.forgotten ?? 0;
      this.isKept = stored.isKept ?? false;
      this.aliases = stored.aliases ?? 0;
      this.deadlineAtMs = stored.deadlineAtMs ?? null;
    }
  }

  /** URLs that failed in this run and were not asked for again. */
  get failed(): number {
    return failedOf(this.tally);
  }

  /** Page grants in hand. */
  get grantsHeld(): number {
    const { granted, returned, taken, freed } = this.tally;
    return granted - returned - taken + freed;
  }

  /** Page grants that what waits here will take. */
  get grantsNeeded(): number {
    return this.waiting - this.#waitingGranted;
  }

  /** Those that wait for their due time, or for a unit of a budget for their path. */
  get delayed(): number {
    const { politeness, back_off: backOff, breaker, budget } = this.delayedBy;
    return politeness + backOff + breaker + budget;
  }

  /** Those in their domain's queue that need a page grant, where pages are limited. */
  get queuedFresh(): number {
    return this.waiting - this.delayed - this.#queuedGranted;
  }

  /** An admitted URL is given up without a result. */
  skippedAs(reason: string): void {
    this.tally.skipped += 1;
    this.skippedBy.set(reason, (this.skippedBy.get(reason) ?? 0) + 1);
  }

  /** A link is not admitted. */
  refusedAs(reason: string): void {
    this.tally.refused += 1;
    this.refusedBy.set(reason, (this.refusedBy.get(reason) ?? 0) + 1);
  }

  /** A URL has failed in this run. */
  failedAs(category: string): void {
    this.failedBy.set(category, (this.failedBy.get(category) ?? 0) + 1);
  }

  /** One that had failed is asked for again, or counts as something else. */
  failedNoMore(category: string): void {
    const left = (this.failedBy.get(category) ?? 0) - 1;
    if (left > 0) this.failedBy.set(category, left);
    else this.failedBy.delete(category);
  }

  /** A URL waits from now on. */
  waits(entry: Pick<OpenEntry, "granted" | "delayedBy">): void {
    this.#count(entry, 1);
  }

  /** A URL that waited does so no more: it is released or given up. */
  waitsNoMore(entry: Pick<OpenEntry, "granted" | "delayedBy">): void {
    this.#count(entry, -1);
  }

  #count({ granted, delayedBy }: Pick<OpenEntry, "granted" | "delayedBy">, by: 1 | -1): void {
    this.waiting += by;
    if (granted) this.#waitingGranted += by;
    if (delayedBy !== null) this.delayedBy[delayedBy] += by;
    else if (granted) this.#queuedGranted += by;
  }

  /** Forgets every URL; the counters stay. */
  clear(): void {
    this.known.clear();
    this.hosts.clear();
    this.gated.clear();
    this.waiting = 0;
    this.delayedBy.politeness = 0;
    this.delayedBy.back_off = 0;
    this.delayedBy.breaker = 0;
    this.delayedBy.budget = 0;
    this.#waitingGranted = 0;
    this.#queuedGranted = 0;
    this.inFlight = 0;
  }

  stored(): StoredJobView {
    const { run, tally, wave, halt, recall, number, retried, retrying, isKept } = this;
    const { inherited, forgotten, aliases, deadlineAtMs } = this;
    const failedBy = Object.fromEntries(this.failedBy);
    const skippedBy = Object.fromEntries(this.skippedBy);
    const refusedBy = Object.fromEntries(this.refusedBy);
    const by = { failedBy, skippedBy, refusedBy };
    const known = { inherited, ...(forgotten === 0 ? {} : { forgotten }), aliases };
    const time = deadlineAtMs === null ? {} : { deadlineAtMs };
    return {
      form: storedForm,
      run,
      tally,
      wave,
      halt,
      recall,
      number,
      ...by,
      retried,
      retrying,
      isKept,
      ...known,
      ...time,
    };
  }
}

/** An older version counted, and kept no reasons. */
function restore(
  to: Map<string, number>,
  stored: Readonly<Record<string, number>> | undefined,
  sum: number,
): void {
  for (const [reason, count] of Object.entries(stored ?? (sum > 0 ? { [unrecordedCategory]: sum } : {})))
    to.set(reason, count);
}
