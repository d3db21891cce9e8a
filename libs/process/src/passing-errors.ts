/** Repeats what a Kafka that has only just started may refuse for a moment. */
import type { Clock } from "@sluice/runtime";

const againMs = 200;
const limitMs = 30_000;

/** Rejects with the first error that does not pass by itself, or with the last one when the time is over. */
export async function untilPassed<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  const untilMs = clock.monotonicMs() + limitMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error) || clock.monotonicMs() >= untilMs) throw error;
    }
    await new Promise<void>((resolve) => clock.after(againMs, resolve));
  }
}

/** Kafka's protocol says of each of its errors whether a retry may help, and so does the client. */
function isPassing(error: unknown): boolean {
  return error instanceof Error && "retriable" in error && error.retriable === true;
}
