/** The thread that reads: takes one job at a time and answers with its parts, then with `done`. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
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

/** The text of such a body is collected as soon as it is read: some of them together would be too much. */
const largeBytes = 1_048_576;
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function answer(job: ReadJob, tell: (told: ThreadAnswer) => void): Promise<void> {
  let error: string | null = null;
  const hasOnePart = job.kind === "sitemap" || job.selectors === undefined;
  const isLarge = job.body.length >= largeBytes;
  try {
    for await (const part of readParts(job, () => performance.now())) {
      if (hasOnePart) free(job);
      tell({ kind: "part", part });
    }
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : String(thrown);
  }
  free(job);
  if (isLarge) collect();
  tell({ kind: "done", error });
}

/** Gives the body's memory back. It was handed over, so nobody else reads it. */
function free({ body }: ReadJob): void {
  if (!body.buffer.detached) body.buffer.transfer(0);
}
