/** The thread that reads: takes one job at a time and answers with its parts, then with `done`. */
import { parentPort } from "node:worker_threads";
import { readParts, type ReadJob, type ReadPart } from "./read-job.ts";

export type ThreadAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "part"; readonly part: ReadPart }
  | { readonly kind: "done"; readonly error: string | null };

const port = parentPort;
if (port === null) throw new Error("the reader is a worker thread");

port.on("message", (job: ReadJob) => {
  void answer(job, (told) => port.postMessage(told));
});

port.postMessage({ kind: "ready" } satisfies ThreadAnswer);

async function answer(job: ReadJob, tell: (told: ThreadAnswer) => void): Promise<void> {
  let error: string | null = null;
  try {
    for await (const part of readParts(job, () => performance.now())) tell({ kind: "part", part });
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : String(thrown);
  }
  tell({ kind: "done", error });
}
