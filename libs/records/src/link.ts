import { z } from "zod";
import { jobIdSchema, prioritySchema } from "./job.ts";

/** How many sitemaps lead to one, itself included. */
export const sitemapLevelSchema = z.int().positive();

export const linkKinds = ["seed", "link", "redirect", "outlinks", "sitemap"] as const;

/**
 * Links found in one place that lead to one domain; the key is that domain. Of kind `outlinks`: what a page of a job
 * with maxDepth leads to, wherever that is, under the domain of the page itself, to be announced again should the
 * page be found by a shorter way. Of kind `sitemap`: files to be read for the URLs that they list.
 */
export const linkSchema = z.object({
  job: jobIdSchema,
  run: z.int().positive(),
  kind: z
    .enum(linkKinds)
    .describe(
      "seed, link and redirect: to be admitted; outlinks: what `parent` leads to, to be kept; sitemap: files to be read for the URLs that they list.",
    ),
  parent: z.string().nullable().describe("URL id of the page they were found on."),
  depth: z
    .int()
    .nonnegative()
    .describe("Links from a seed, for each URL of the record; of outlinks that of the page itself."),
  root: z
    .string()
    .nullable()
    .describe("Canonical URL whose scope they inherit: the seed, or where it redirected to."),
  suspicion: z
    .enum(["calendar", "depth", "length", "path"])
    .optional()
    .describe("Of the page, on the same host: what its URL looks like, where that is one of endlessly many."),
  kin: z
    .enum(["self", "stray"])
    .optional()
    .describe(
      "Of a page of a host that is neither the seed's nor its domain's own. self: to the same host; stray: to other hosts of the domain, from a page that leads to no other page of its own host.",
    ),
  further: z
    .literal(true)
    .optional()
    .describe("With suspicion or kin: a record of the same page for the same domain came before."),
  redirects: z.int().nonnegative().default(0).describe("Redirects in a row that led here."),
  sitemap: sitemapLevelSchema
    .optional()
    .describe("Of sitemaps: 1 as robots.txt or a seed's host has it, one more in each index."),
  priority: prioritySchema.optional().describe("0 to 100; 50 where it is not said."),
  urls: z.array(z.string()).min(1).max(1000).describe("Canonical URLs."),
});
export type Link = z.infer<typeof linkSchema>;
