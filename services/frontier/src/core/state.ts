import { DemandTotal, WakeQueue } from "@sluice/runtime";
import { MemoryEntries, Overlay, type Entries, type InputRecord, type Scratch } from "@sluice/topology";
import type { BudgetCounters, Link, Seed } from "@sluice/records";
import { Ceilings } from "./ceilings.ts";
import type { OpenEntry } from "./entry.ts";
import { FairTurns } from "./fair-turns.ts";
import { HeadBudget, HostQueue } from "./host-queue.ts";
import type { JobView } from "./job-view.ts";
import type { JobOwner } from "./job-owner.ts";
import { KnownUrls } from "./known-urls.ts";
import { Roots } from "./roots.ts";
import { ReadyDomains } from "./ready-domains.ts";
import type { FrontierOptions } from "../options.ts";

/** A record that names a job this instance does not know yet. */
export interface PendingRecord {
  readonly record: InputRecord<Link | Seed | BudgetCounters>;
  readonly untilMs: number;
}

/** A look through what is stored of budgets: those that this task hands out, then URLs that are held. */
export interface Recount {
  readonly of: "shared" | "held";
  readonly after: string | undefined;
}

/** A URL that is released and not answered. */
export interface Release {
  readonly view: JobView;
  readonly entry: OpenEntry;
}

/** What is stored under which letter is looked through, beyond which key. */
export interface Swept {
  readonly letter: "d" | "h" | "x" | "q" | "k" | "b";
  readonly after: string | undefined;
}

/**
 * What one frontier task has in memory: what is asked at every turn, and sums. URLs that wait are stored, and
 * are read when their turn comes.
 */
export class FrontierState {
  readonly options: FrontierOptions;
  readonly views = new Map<string, JobView>();
  readonly owners = new Map<string, JobOwner>();
  readonly hosts = new Map<string, HostQueue>();
  readonly total: DemandTotal;
  readonly heads: HeadBudget;
  readonly ready = new ReadyDomains();
  /** Domains of which nothing may be left. */
  readonly quiet = new Set<string>();
  /** Turns of jobs where all of them together want more than may be out. */
  readonly turns = new FairTurns();
  /** Jobs with URLs that wait for their due time: when the first one is due. */
  readonly delayed = new WakeQueue();
  /** By release id; as many as the total allows. */
  readonly out = new Map<string, Release>();
  readonly pending = new Map<string, PendingRecord[]>();
  /** Jobs that this task has seen go, the last ones: what still comes of them is not early. */
  readonly removed = new Set<string>();
  /** Jobs that came to a halt and have URLs waiting. */
  readonly halting = new Set<string>();
  /** Jobs with failed URLs to be taken up again. */
  readonly retrying = new Set<string>();
  /** Jobs of which is looked through what is stored, for hosts that were blocked, and how far. */
  readonly sweeping = new Map<string, Swept>();
  /** What policies allow jobs to use up. */
  readonly ceilings = new Ceilings();
  /** How far what a change of them may let go, or cut off, has been looked through; null: to the end. */
  recount: Recount | null = null;
  /** Prefixes of URLs that are held and may go on, or are to be given up. */
  readonly unholding = new Set<string>();
  /** Jobs of which units of budgets came for some of the hosts that wait for them. */
  readonly opening = new Set<string>();
  /** Runs of jobs as their records had them when they were last read. */
  readonly readRuns = new Map<string, number>();
  /** Jobs of whose runs up to `lastRun` shared budgets may be kept, and after which key is looked on. */
  readonly forgetting = new Map<string, { readonly lastRun: number; readonly after: string | undefined }>();
  /** Numbers of views whose stored URLs are of no use any more. */
  readonly dropping = new Set<number>();
  /** Entries of an earlier form, until the first step has stored them anew. */
  former: readonly (readonly [string, unknown])[] = [];
  /** By the number of their view. */
  readonly roots = new Map<number, Roots>();
  /** The end of every queue. */
  places = 0;
  /** Above those of all views, and of all that is stored of former ones. */
  nextNumber = 1;
  /** What the operator has said of hosts, by pattern. */
  policies: ReadonlyMap<string, unknown> | undefined;
  /** What is stored, with what this step has put. */
  entries: Overlay<unknown>;
  #stored: Entries;

  readonly #scratch: Scratch;

  constructor(options: FrontierOptions, scratch: Scratch) {
    this.options = options;
    this.#scratch = scratch;
    this.total = new DemandTotal(options.releasedMax);
    this.heads = new HeadBudget(options.headsMax);
    this.#stored = new MemoryEntries<unknown>();
    this.entries = new Overlay(this.#stored);
  }

  /** A step begins. */
  read(stored: Entries): void {
    if (this.#stored === stored && this.entries.changes.size === 0) return;
    this.#stored = stored;
    this.entries = new Overlay(stored);
  }

  host(domain: string): HostQueue {
    let host = this.hosts.get(domain);
    if (host === undefined) {
      host = new HostQueue(domain, this.options.windowMax, this.total, this.heads);
      this.hosts.set(domain, host);
    }
    return host;
  }

  /** For a view of a job. */
  knownUrls(): KnownUrls {
    return new KnownUrls(this.#scratch, this.options.knownInMemoryMax);
  }

  /** Of the URLs that are stored under the number of a view. */
  rootsOf(number: number): Roots {
    let roots = this.roots.get(number);
    if (roots === undefined) {
      roots = new Roots();
      this.roots.set(number, roots);
    }
    return roots;
  }

  takeNumber(): number {
    this.nextNumber += 1;
    return this.nextNumber - 1;
  }

  /** Something changed on the domain: all that wait there may have their turn. */
  makeReady(domain: string): void {
    for (const job of this.host(domain).jobs()) this.ready.add(job, domain);
    this.quiet.add(domain);
  }

  /** The job may release again: all domains on which it has something waiting get their turn. */
  readyAll(view: JobView): void {
    for (const domain of view.hosts) this.ready.add(view.id, domain);
  }
}

export function releaseIdOf(view: JobView, { urlId, releases }: OpenEntry): string {
  return `${view.id}/${view.run}/${urlId}/${releases}`;
}
