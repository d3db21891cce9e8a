import { z } from "zod";

const timestamp = z.string().describe("RFC 3339, UTC.");

/** One settled fetch of a page, failures included. Flat and snake_case: readable by any SQL engine. */
export const resultSchema = z.object({
  schema_version: z.literal(1),
  result_id: z.string().describe("Hash of job, run, URL id and visit: every sink dedupes by it."),
  job: z.string(),
  run: z.int().positive(),
  url: z.string().describe("Canonical URL."),
  url_id: z.string().describe("First 32 hex digits of the SHA-256 of the canonical URL; the record's key."),
  host: z.string(),
  registrable_domain: z.string().nullable(),
  depth: z.int().nonnegative(),
  parent_url_id: z.string().nullable(),
  attempt: z.int().positive().describe("Try that settled it."),
  outcome: z.string().describe("ok, redirect, http_4xx, http_429, http_5xx, or the category of the failure."),
  error_code: z.string().nullable(),
  error_message: z.string().nullable(),
  status: z.int().nullable().describe("HTTP status; null where there was no answer."),
  redirect_to: z.string().nullable().describe("Where a redirect leads, canonical where it can be."),
  content_type: z.string().nullable(),
  charset: z.string().nullable(),
  body_bytes: z.int().nonnegative().describe("Length of the body, content coding removed."),
  wire_bytes: z.int().nonnegative().describe("Length of the body on the wire."),
  truncated: z.boolean(),
  body_skipped: z
    .boolean()
    .default(false)
    .describe("The body was not read, because the job does not want its content type."),
  body_sha256: z.string().nullable(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  lang: z.string().nullable(),
  canonical_url: z.string().nullable().describe("What the page names as its canonical URL."),
  extracted_json: z
    .string()
    .nullable()
    .default(null)
    .describe("Texts that the job's selectors found: JSON of name to array of texts, at most 100,000 bytes."),
  noindex: z.boolean(),
  nofollow: z.boolean(),
  noarchive: z.boolean().default(false).describe("The page asks that no copy of it be kept."),
  content_kept: z
    .boolean()
    .default(true)
    .describe(
      "False: for noindex or noarchive, texts of the page were not kept, unless the job says otherwise.",
    ),
  links_count: z.int().nonnegative().describe("Distinct followable links on the page."),
  links_admitted_count: z.int().nonnegative().describe("Those of them in scope, sent to the frontier."),
  links_truncated: z.boolean().default(false).describe("The page has more links than are read off one page."),
  etag: z.string().nullable(),
  last_modified: z.string().nullable(),
  remote_address: z.string().nullable().describe("Whom the connection led to: the host, or the proxy."),
  egress: z
    .string()
    .nullable()
    .default(null)
    .describe("Where the request left from: a local address, or `proxy` with its origin; null: by default."),
  robots_rule: z.string().nullable().describe("The line of robots.txt that allowed it."),
  robots_line: z.int().nullable(),
  robots_status: z.string().nullable().describe("parsed, allow_all (4xx), …"),
  robots_age_ms: z
    .int()
    .nonnegative()
    .nullable()
    .default(null)
    .describe("How long before robots.txt was read."),
  delay_ms: z.int().nonnegative().describe("Wait that held for the domain."),
  ttfb_ms: z.number().nonnegative().nullable(),
  duration_ms: z.number().nonnegative().nullable(),
  fetched_at: timestamp,
  fetched_at_ms: z.int(),
});
export type Result = z.infer<typeof resultSchema>;
