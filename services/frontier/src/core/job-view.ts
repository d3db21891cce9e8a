import { emptyTally, type Tally } from "@sluice/records";
import type { Entry } from "./entry.ts";

export type Halt = "max_pages" | "timeout" | "cancelled" | "ended";

/** Durable part of what one task knows of a job. */
export interface StoredJobView {
  readonly run: number;
  readonly tally: Tally;
  /** Highest probe answered. */
  readonly wave: number;
  readonly halt: Halt | null;
  readonly recall: boolean;
}

/** One job as one frontier task sees it: its URLs here and its counters. */
export class JobView {
  readonly id: string;
  readonly run: number;
  readonly tally: Tally;
  wave = 0;
  halt: Halt | null = null;
  recall = false;
  readonly urls = new Map<string, Entry>();
  /** Domains on which the job has URLs that wait. */
  readonly hosts = new Set<string>();
  /** Released and unanswered. */
  inFlight = 0;
  /** Admitted and not released. */
  waiting = 0;
  /** Of these, those to which a page grant was given for an earlier release. */
  #waitingGranted = 0;

  constructor(id: string, run: number, stored?: StoredJobView) {
    this.id = id;
    this.run = run;
    this.tally = stored === undefined ? emptyTally() : { ...stored.tally };
    if (stored !== undefined) {
      this.wave = stored.wave;
      this.halt = stored.halt;
      this.recall = stored.recall;
    }
  }

  /** Page grants in hand. */
  get grantsHeld(): number {
    const { granted, returned, taken, freed } = this.tally;
    return granted - returned - taken + freed;
  }

  /** Page grants that what waits here could use. */
  get grantsNeeded(): number {
    return this.waiting - this.#waitingGranted;
  }

  /** A URL waits from now on. */
  waits(entry: { readonly granted: boolean }): void {
    this.waiting += 1;
    if (entry.granted) this.#waitingGranted += 1;
  }

  /** A URL that waited does so no more: it is released or given up. */
  waitsNoMore(entry: { readonly granted: boolean }): void {
    this.waiting -= 1;
    if (entry.granted) this.#waitingGranted -= 1;
  }

  /** Forgets every URL; the counters stay. */
  clear(): void {
    this.urls.clear();
    this.hosts.clear();
    this.waiting = 0;
    this.#waitingGranted = 0;
    this.inFlight = 0;
  }

  stored(): StoredJobView {
    return { run: this.run, tally: this.tally, wave: this.wave, halt: this.halt, recall: this.recall };
  }
}
