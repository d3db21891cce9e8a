/** Threads that share the seeds of a simulation. */
import { Worker } from "node:worker_threads";
import type { PolitenessKey } from "@sluice/records";
import type { RunReport } from "./run.ts";
import type { SeedRange, WorkerTask } from "./worker.ts";

export interface FleetOptions {
  readonly from: number;
  readonly count: number;
  readonly threads: number;
  /** How often each seed is run; 1 where omitted. */
  readonly times?: number;
  /** Name of a planted bug. */
  readonly bug?: string;
  /** By host where omitted. */
  readonly politenessKey?: PolitenessKey;
  /** With every run, in any order. True: no more seeds are begun. */
  readonly onRun: (report: RunReport) => boolean;
}

/** Seeds that a thread takes at once: few, so that all threads end together. */
const atOnce = 10;

/** Runs the seeds. Rejects where a run throws, which is a bug of the simulation itself. */
export async function simulate(options: FleetOptions): Promise<void> {
  const { from, count, threads, times = 1, bug = null, politenessKey = "host", onRun } = options;
  let next = from;
  const end = from + count;
  const take = (): SeedRange | null => {
    if (next >= end) return null;
    const range = { from: next, count: Math.min(atOnce, end - next), times };
    next += range.count;
    return range;
  };
  const stop = (): void => {
    next = end;
  };
  await Promise.all(
    Array.from({ length: Math.min(threads, Math.ceil(count / atOnce)) }, () =>
      work(take, stop, { bug, politenessKey }, onRun),
    ),
  );
}

function work(
  take: () => SeedRange | null,
  stop: () => void,
  task: WorkerTask,
  onRun: (report: RunReport) => boolean,
): Promise<void> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: task });
  return new Promise<void>((resolve, reject) => {
    let left = 0;
    let isStopped = false;
    const more = (): void => {
      const range = isStopped ? null : take();
      if (range === null) return resolve();
      left = range.count * range.times;
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage(range);
    };
    worker.on("message", (report: RunReport) => {
      left -= 1;
      if (isStopped) return;
      if (onRun(report)) {
        isStopped = true;
        stop();
        resolve();
      } else if (left === 0) more();
    });
    worker.once("error", reject);
    more();
  }).finally(() => worker.terminate());
}
