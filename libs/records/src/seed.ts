import { z } from "zod";
import { jobIdSchema, prioritySchema } from "./job.ts";

/** A seed as users send it: bare URL text, or this as JSON. Any key, any partition, any client. */
export const seedSchema = z.object({
  url: z.string().min(1).max(8192).describe("Start URL."),
  job: jobIdSchema.optional().describe("Job that it belongs to; without one it belongs to `default`."),
  priority: prioritySchema
    .optional()
    .describe(
      "0 to 100, 50 unless given. On each host a job's URLs are fetched in the order of their priorities, which they have from the page they were found on.",
    ),
});
export type Seed = z.infer<typeof seedSchema>;
