import {
  emptyTally,
  type Job,
  failedOf,
  nothingWaiting,
  openOf,
  waitingReasons,
  type FinishReason,
  type JobStatus,
  type RetryOrder,
  type Tally,
  type TaskCounters,
  type WaitingBy,
} from "@sluice/records";
import { allot, type Share } from "./allotment.ts";

interface TaskReport {
  readonly tally: Tally;
  readonly inFlight: number;
  /** One of an older version says nothing of it. */
  readonly waitingBy?: WaitingBy;
  readonly failedBy?: Readonly<Record<string, number>>;
  readonly skippedBy?: Readonly<Record<string, number>>;
  readonly refusedBy?: Readonly<Record<string, number>>;
}

/** Durable form of what the owner of a job knows. */
export interface StoredJobOwner {
  readonly run: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly finishReason: FinishReason | null;
  readonly error: string | null;
  readonly halt: "max_pages" | "timeout" | null;
  readonly recall: boolean;
  readonly wave: number;
  readonly seeded: boolean;
  readonly closing: boolean;
  /** What follows is missing in one that an older version stored. */
  readonly retries?: RetryOrder;
  readonly continues?: number | null;
  readonly deadlineAtMs?: number | null;
  readonly granted: Readonly<Record<string, number>>;
  readonly reports: Readonly<Record<string, TaskReport>>;
}

/**
 * The owner of a job: the one frontier task that the job's id hashes to. It adds up the counters of all
 * tasks, hands out page grants, and finds out that the job has ended.
 *
 * The end is found by Mattern's four counters ("Algorithms for distributed termination detection", 1987):
 * when the sums look even, every task is probed; when all have answered and the answers are even, they are
 * probed again. If the second wave, begun after the last answer of the first, is identical task by task,
 * nothing was under way between the two, and the job has ended. Sums published earlier prove nothing.
 *
 * Seeds from outside are the one thing that may begin anew while nothing is under way. So the job is closed
 * with a third wave: what answers it takes no more seeds. If it is identical too, no seed came in between;
 * otherwise what came in is given up, and the waves go on until it is.
 */
export class JobOwner {
  readonly id: string;
  readonly run: number;
  readonly startedAtMs: number;
  endedAtMs: number | null = null;
  finishReason: FinishReason | null = null;
  error: string | null = null;
  halt: "max_pages" | "timeout" | null = null;
  recall = false;
  /** The seeds of the job's record were sent; false for an owner that seeds from outside brought about. */
  seeded = false;
  /** Every task is told to take nothing in any more. */
  closing = false;
  /** Orders to take up failed URLs again. */
  retries: RetryOrder = { order: 0, asked: {} };
  /** The run before, where this one goes on with what failed in it. */
  continues: number | null = null;
  /** When its time is over, as every task was told. */
  deadlineAtMs: number | null = null;
  /** Number of the last probe; 0 before the first. */
  wave = 0;
  readonly granted = new Map<number, number>();
  readonly reports = new Map<number, TaskReport>();
  /** A wave is under way. Not durable, nor are its answers: after a restart it is probed anew. */
  #probing = false;
  /** No probe was sent since this owner began or was loaded: reports may be missing, so the sums prove nothing. */
  #unasked = true;
  /** Answers to the wave under way, as text that is compared. */
  #answers = new Map<number, string>();
  /** Answers to the wave before, where they were even. */
  #previous: ReadonlyMap<number, string> | null = null;

  constructor(id: string, run: number, startedAtMs: number) {
    this.id = id;
    this.run = run;
    this.startedAtMs = startedAtMs;
  }

  static from(id: string, stored: StoredJobOwner): JobOwner {
    const owner = new JobOwner(id, stored.run, stored.startedAtMs);
    owner.endedAtMs = stored.endedAtMs;
    owner.finishReason = stored.finishReason;
    owner.error = stored.error;
    owner.halt = stored.halt;
    owner.recall = stored.recall;
    owner.wave = stored.wave;
    owner.seeded = stored.seeded;
    owner.closing = stored.closing;
    owner.retries = stored.retries ?? owner.retries;
    owner.continues = stored.continues ?? null;
    owner.deadlineAtMs = stored.deadlineAtMs ?? null;
    for (const [task, total] of Object.entries(stored.granted)) owner.granted.set(Number(task), total);
    for (const [task, report] of Object.entries(stored.reports)) {
      // One that an older version stored lacks what has come since.
      const tally = { ...emptyTally(), ...report.tally };
      owner.reports.set(Number(task), { ...report, tally });
    }
    return owner;
  }

  stored(): StoredJobOwner {
    return {
      run: this.run,
      startedAtMs: this.startedAtMs,
      endedAtMs: this.endedAtMs,
      finishReason: this.finishReason,
      error: this.error,
      halt: this.halt,
      recall: this.recall,
      wave: this.wave,
      seeded: this.seeded,
      closing: this.closing,
      retries: this.retries,
      continues: this.continues,
      deadlineAtMs: this.deadlineAtMs,
      granted: Object.fromEntries(this.granted),
      reports: Object.fromEntries(this.reports),
    };
  }

  /** True where what the job's record says of its time is news for the tasks. */
  setDeadline({ limits: { maxDurationMs } }: Job): boolean {
    const deadlineAtMs = maxDurationMs === null ? null : this.startedAtMs + maxDurationMs;
    if (deadlineAtMs === this.deadlineAtMs) return false;
    this.deadlineAtMs = deadlineAtMs;
    return true;
  }

  get ended(): boolean {
    return this.endedAtMs !== null;
  }

  /** Takes in the counters of one task. */
  report(counters: TaskCounters): void {
    const { task, tally, inFlight, waitingBy, failedBy, skippedBy, refusedBy } = counters;
    this.reports.set(task, {
      tally,
      inFlight,
      ...(waitingBy === undefined ? {} : { waitingBy }),
      ...(failedBy === undefined ? {} : { failedBy }),
      ...(skippedBy === undefined ? {} : { skippedBy }),
      ...(refusedBy === undefined ? {} : { refusedBy }),
    });
    // The first answer to a wave counts: a later one may already be ahead of the others.
    if (this.wave > 0 && counters.wave === this.wave && this.#probing && !this.#answers.has(counters.task)) {
      this.#answers.set(counters.task, JSON.stringify(counters.tally));
    }
  }

  /** Counters of all tasks together. */
  sum(): Tally {
    const sum = emptyTally();
    for (const { tally } of this.reports.values()) addTo(sum, tally);
    return sum;
  }

  inFlight(): number {
    let sum = 0;
    for (const report of this.reports.values()) sum += report.inFlight;
    return sum;
  }

  /** Of all tasks together; */
  sumBy(name: "failedBy" | "skippedBy" | "refusedBy"): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const report of this.reports.values())
      for (const [reason, count] of Object.entries(report[name] ?? {}))
        sum[reason] = (sum[reason] ?? 0) + count;
    return sum;
  }

  /** Takes in for which categories failed URLs are asked for again, as totals; true where that is more than before. */
  order(asked: Readonly<Record<string, { readonly times: number }>>): boolean {
    const times = Object.entries(asked).map(([category, each]) => [category, each.times] as const);
    if (times.every(([category, count]) => count <= (this.retries.asked[category] ?? 0))) return false;
    this.retries = {
      order: this.retries.order + 1,
      asked: { ...this.retries.asked, ...Object.fromEntries(times) },
    };
    return true;
  }

  waitingBy(): WaitingBy {
    const sum = nothingWaiting();
    for (const { tally, inFlight, waitingBy } of this.reports.values())
      for (const reason of waitingReasons)
        sum[reason] += waitingBy?.[reason] ?? (reason === "politeness" ? openOf(tally) - inFlight : 0);
    return sum;
  }

  /**
   * Moves the detection on. `probe`: send the new wave's number to every task. `ended`: nothing of the job
   * is under way anywhere. `waits`: wait for more counters.
   */
  detect(tasks: number): "probe" | "ended" | "waits" {
    if (this.#unasked) return this.#probe();
    if (this.#probing) {
      if (this.#answers.size < tasks) return "waits";
      const answers = this.#answers;
      this.#answers = new Map();
      this.#probing = false;
      if (!evenAnswers(answers)) {
        this.#previous = null;
        return this.#looksEven() ? this.#probe() : "waits";
      }
      if (this.#previous !== null && same(this.#previous, answers)) {
        if (this.closing) return "ended";
        this.closing = true;
      }
      this.#previous = answers;
      return this.#probe();
    }
    if (!this.#looksEven()) return "waits";
    this.#previous = null;
    return this.#probe();
  }

  #probe(): "probe" {
    this.wave += 1;
    this.#unasked = false;
    this.#answers = new Map();
    this.#probing = true;
    return "probe";
  }

  #looksEven(): boolean {
    const sum = this.sum();
    return sum.announced === sum.received && openOf(sum) === 0;
  }

  status(state: JobStatus["state"], nowMs: number): JobStatus {
    const sum = this.sum();
    const inFlight = this.inFlight();
    return {
      kind: "job",
      job: this.id,
      run: this.run,
      state,
      finishReason: this.finishReason,
      error: this.error,
      admitted: sum.admitted,
      done: sum.done,
      failed: failedOf(sum),
      failedBy: this.sumBy("failedBy"),
      retried: sum.retried,
      skipped: sum.skipped,
      skippedBy: this.sumBy("skippedBy"),
      sitemaps: sum.sitemaps,
      refused: sum.refused,
      refusedBy: this.sumBy("refusedBy"),
      waiting: openOf(sum) - inFlight,
      waitingBy: this.waitingBy(),
      inFlight,
      startedAtMs: this.startedAtMs,
      endedAtMs: this.endedAtMs,
      updatedAtMs: nowMs,
    };
  }

  /**
   * Hands out page grants. Returns the tasks whose total changed.
   */
  allot(maxPages: number): readonly number[] {
    const shares = new Map<number, Share>();
    for (const task of [...this.granted.keys(), ...this.reports.keys()]) {
      const { returned, wanted } = this.reports.get(task)?.tally ?? emptyTally();
      shares.set(task, { granted: this.granted.get(task) ?? 0, returned, wanted });
    }
    const { granted, isUnmet } = allot(maxPages, shares);
    for (const [task, total] of granted) this.granted.set(task, total);
    this.recallChanged = this.recall !== isUnmet;
    this.recall = isUnmet;
    return [...granted.keys()];
  }

  /** Set by `allot`: every task has to be told whether grants are called back. */
  recallChanged = false;
}

function addTo(sum: Tally, tally: Tally): void {
  for (const name of Object.keys(sum) as (keyof Tally)[]) sum[name] += tally[name];
}

function evenAnswers(answers: ReadonlyMap<number, string>): boolean {
  const sum = emptyTally();
  for (const text of answers.values()) addTo(sum, JSON.parse(text) as Tally);
  return sum.announced === sum.received && openOf(sum) === 0;
}

function same(a: ReadonlyMap<number, string>, b: ReadonlyMap<number, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [task, text] of a) if (b.get(task) !== text) return false;
  return true;
}
