import type { PolitenessKey } from "@sluice/records";

/** What an operator may set of the frontier's own behaviour. */
export interface FrontierOptions {
  /** What the domain of records is. */
  readonly politenessKey: PolitenessKey;
  /** Most URLs of one domain released and unanswered. */
  readonly windowMax: number;
  /** Most URLs of one task released and unanswered, over all its domains. */
  readonly releasedMax: number;
  /** Most URLs that wait of which a task has more in memory than that they are known. */
  readonly headsMax: number;
  /** URLs that a task knows of a job, beyond which they are on the disk but for a few bytes each; at most 3,000. */
  readonly knownInMemoryMax: number;
  /** A release not started by then is answered `expired`. */
  readonly leaseMs: number;
  /** A domain's window holds about this much time of its pace, so that few URLs wait downstream. */
  readonly windowSpanMs: number;
  /** How long a record from outside waits for the job it names before it is given up, or one of a job that was removed. */
  readonly unknownJobMs: number;
  /**
   * How long what another task wrote waits for its job: that task has read of it, so the table of this one is late.
   * Given up it is missing, and the job never ends.
   */
  readonly lateJobMs: number;
  /** What is kept of a job without a record goes so long after the task was taken up. */
  readonly orphanMs: number;
  /** Records of one topic that may wait for their jobs at once; then the topic waits. */
  readonly pendingMax: number;
  /** Most redirects in a row. */
  readonly redirectsMax: number;
  /** Most sitemaps of a run that a task takes in: no fewer of one host, whose URLs are all in one task. */
  readonly sitemapsMax: number;
  /** Most page grants that a task asks for at once. */
  readonly grantsAtOnce: number;
}

export const defaultFrontierOptions: FrontierOptions = {
  politenessKey: "host",
  windowMax: 100,
  releasedMax: 1000,
  headsMax: 10_000,
  knownInMemoryMax: 3000,
  leaseMs: 600_000,
  windowSpanMs: 30_000,
  unknownJobMs: 10_000,
  lateJobMs: 600_000,
  orphanMs: 600_000,
  pendingMax: 1000,
  redirectsMax: 10,
  sitemapsMax: 10_000,
  grantsAtOnce: 50,
};
