/** A URL that the frontier knows, in one job. */
export interface OpenEntry {
  readonly kind: "open";
  readonly url: string;
  readonly urlId: string;
  readonly domain: string;
  depth: number;
  readonly root: string | null;
  readonly parent: string | null;
  readonly redirects: number;
  /** Order of admission within the task. */
  readonly seq: number;
  attempt: number;
  /** Releases so far; makes release ids unique. */
  releases: number;
  /** A page grant is spent on it. */
  granted: boolean;
  /** The release that is out, or null while it waits. */
  releaseId: string | null;
  leaseUntilMs: number;
  /** Not before this instant; 0 where it may go at once. */
  dueAtMs: number;
}

/** Settled: only that it is known matters now. */
export interface ClosedEntry {
  readonly kind: "done" | "failed" | "skipped";
  /** The shortest way it was found by, for later rules about depth. */
  readonly depth: number;
}

export type Entry = OpenEntry | ClosedEntry;

/** Durable form, with the run it belongs to: entries of an older run are void. */
export type StoredEntry = { readonly run: number } & Entry;
