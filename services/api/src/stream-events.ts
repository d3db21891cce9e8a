/** What comes over an event stream. */
import { z } from "zod";
import { eventSchema, jobIdSchema, type CrawlEvent } from "@sluice/records";

const base = { job: jobIdSchema, run: z.int().positive(), atMs: z.int() };

/** Events of the stream itself; they lie in no topic. None is called `error`, for browsers have that for themselves. */
export const connectedSchema = z.object({ ...base, type: z.literal("stream_connected") });
export const gapSchema = z.object({
  ...base,
  type: z.literal("gap"),
  reason: z
    .enum(["retention", "unknown_position", "superseded"])
    .describe("Too old, not in the topic at all, or the run was replaced before it ended."),
  from: z.int().describe("First offset that is missing; where superseded, that of the newer run."),
  to: z.int().describe("Last offset that is missing."),
});

export const streamEventSchema = z.union([connectedSchema, gapSchema, eventSchema]);
export type StreamEvent = z.infer<typeof streamEventSchema>;
export type Gap = z.infer<typeof gapSchema>;

const terminalTypes = [
  "job_completed",
  "job_failed",
  "job_timeout",
] as const satisfies readonly CrawlEvent["type"][];

/** After it nothing comes of its run. */
export function isTerminal({ type }: StreamEvent): boolean {
  return terminalTypes.some((each) => each === type);
}

/** One message as the HTML standard has it (§9.2); `id` null leaves the client's last one as it is. */
export function frame(event: StreamEvent, id: string | null): string {
  // JSON text has no line breaks of its own, so one data line is enough.
  return `${id === null ? "" : `id: ${id}\n`}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
