/** A thread that runs seeds, with a bug planted in it if it is told so. */
import { parentPort, workerData } from "node:worker_threads";
import type { PolitenessKey } from "@sluice/records";
import { plant } from "./plant.ts";

export interface WorkerTask {
  readonly bug: string | null;
  readonly politenessKey: PolitenessKey;
}
/** Seeds to run, from the main thread. */
export interface SeedRange {
  readonly from: number;
  readonly count: number;
  /** How often each is run. */
  readonly times: number;
}

// Expected errors are thrown by the thousand, and nobody reads where.
Error.stackTraceLimit = 0;

const { bug, politenessKey } = workerData as WorkerTask;
if (bug !== null) plant(bug);
// Only now, so that what it loads has the bug.
const { runSeed } = await import("./run.ts");

parentPort?.on("message", (range: SeedRange) => {
  void work(range);
});

async function work({ from, count, times }: SeedRange): Promise<void> {
  for (let seed = from; seed < from + count; seed += 1) {
    for (let time = 0; time < times; time += 1) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      parentPort?.postMessage(await runSeed(seed, undefined, politenessKey));
    }
  }
}
