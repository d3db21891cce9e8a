import { emptyTally, type Tally } from "@sluice/records";
import { KnownUrls } from "./known-urls.ts";
import { SettledBlock } from "./settled-block.ts";

export type Halt = "max_pages" | "timeout" | "cancelled" | "ended";

/** Durable part of what one task knows of a job. */
export interface StoredJobView {
  readonly run: number;
  readonly tally: Tally;
  /** Highest probe answered. */
  readonly wave: number;
  readonly halt: Halt | null;
  readonly recall: boolean;
  /** Under which its URLs are stored. */
  readonly number: number;
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
  readonly known = new KnownUrls();
  readonly settled = new SettledBlock();
  /** Domains on which the job has URLs that wait. */
  readonly hosts = new Set<string>();
  /** Released and unanswered. */
  inFlight = 0;
  /** Admitted and not released. */
  waiting = 0;
  /** Of these, those that wait for their due time. */
  delayed = 0;
  /** Of those that wait, those to which a page grant was given for an earlier release. */
  #waitingGranted = 0;

  constructor(id: string, run: number, number: number, stored?: StoredJobView) {
    this.id = id;
    this.run = run;
    this.number = number;
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
    this.known.clear();
    this.settled.clear();
    this.hosts.clear();
    this.waiting = 0;
    this.delayed = 0;
    this.#waitingGranted = 0;
    this.inFlight = 0;
  }

  stored(): StoredJobView {
    const { run, tally, wave, halt, recall, number } = this;
    return { run, tally, wave, halt, recall, number };
  }
}
