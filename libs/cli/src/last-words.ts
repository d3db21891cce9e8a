/** What was said has to be heard before the process ends. */
import type { Writable } from "node:stream";

/**
 * Resolves when the streams have handed on all that was written to them, or can't any more. `process.exit` does not wait:
 * the last lines of a long answer would be missing wherever the reader is slower than we are.
 */
export async function handedOn(streams: readonly Writable[]): Promise<void> {
  await Promise.all(
    streams.map(
      (stream) =>
        new Promise<void>((resolve) => {
          // Whoever read has gone: nothing is left to wait for.
          stream.once("error", () => resolve());
          stream.write("", () => resolve());
        }),
    ),
  );
}
