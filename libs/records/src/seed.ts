import { z } from "zod";
import { jobIdSchema } from "./job.ts";

/** A seed as users send it: bare URL text, or this as JSON. Any key, any partition, any client. */
export const seedSchema = z.object({
  url: z.string().min(1).max(8192).describe("Start URL."),
  job: jobIdSchema.optional().describe("Job that it belongs to; without one it belongs to `default`."),
});
export type Seed = z.infer<typeof seedSchema>;
