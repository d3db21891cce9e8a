import { z } from "zod";
import { jobIdSchema } from "./job.ts";

export const linkKinds = ["seed", "link", "redirect"] as const;

/** Links found in one place that lead to one domain; the key is that domain. */
export const linkSchema = z.object({
  job: jobIdSchema,
  run: z.int().positive(),
  kind: z.enum(linkKinds),
  parent: z.string().nullable().describe("URL id of the page they were found on."),
  depth: z.int().nonnegative().describe("Links from a seed, for each URL of the record."),
  root: z
    .string()
    .nullable()
    .describe("Canonical URL whose scope they inherit: the seed, or where it redirected to."),
  redirects: z.int().nonnegative().default(0).describe("Redirects in a row that led here."),
  urls: z.array(z.string()).min(1).max(1000).describe("Canonical URLs."),
});
export type Link = z.infer<typeof linkSchema>;
