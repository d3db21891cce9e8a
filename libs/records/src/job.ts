import { z } from "zod";
import { requestFieldsSchema, secretNameSchema } from "./request-fields.ts";

const milliseconds = z.int().nonnegative();

export const jobIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, "lower-case letters, digits, '.', '_' and '-', at most 100")
  .describe("Job id: names the job in topics, events and results.");

/** Priorities of jobs and URLs. */
export const prioritySchema = z.int().min(0).max(100);
/** Of all that nobody has given another. */
export const defaultPriority = 50;

export const scopeKinds = ["path", "host", "subdomains", "domain", "any"] as const;
export type ScopeKind = (typeof scopeKinds)[number];

const patternSchema = z.string().min(1).max(400);

/** Which links belong to the crawl. */
export const scopeSchema = z.object({
  kind: z.enum(scopeKinds).default("host").describe("How far the crawl goes from its seeds."),
  allowedDomains: z.array(z.string().min(1)).max(1000).default([]).describe("Hosts also in scope."),
  include: z.array(patternSchema).max(200).default([]).describe("Globs; where given, a URL must match one."),
  exclude: z
    .array(patternSchema)
    .max(200)
    .default([])
    .describe("Globs; a match is refused, whatever include says."),
  sitemaps: z
    .enum(["ignore", "follow"])
    .default("ignore")
    .describe(
      "With follow, pages that sitemaps of the seeds' hosts list are crawled too, as if the seed linked to them: the sitemaps that robots.txt names, else /sitemap.xml.",
    ),
  traps: z
    .enum(["refuse", "follow"])
    .default("refuse")
    .describe(
      "Whether links that look like one of endlessly many which a site makes up are left: paths and host names that repeat themselves, very deep paths, calendars far ahead, pages under another session id; and calendars, deep, long and repeating URLs and hosts of a domain once some in a row led to nothing but more of them.",
    ),
});

/** What of URLs does not tell pages of the crawled sites from each other. It decides which URLs are one, and so their ids. */
export const canonicalSchema = z.object({
  dropTracking: z
    .boolean()
    .default(false)
    .describe("Query parameters of advertising, mailing and analytics (utm_source, gclid, …) are dropped."),
  dropSessionIds: z
    .boolean()
    .default(false)
    .describe(
      "Session ids in queries and paths are dropped. A page that redirects to itself with an id is not had then.",
    ),
});

const pagesMaxSchema = z.int().positive().nullable().default(null);

/** Of each host name by itself. Null: no limit. */
export const hostLimitsSchema = z.object({
  pagesMax: pagesMaxSchema.describe("Most results of one host name, counted as maxPages counts them."),
});

/** Of all host names of one registrable domain together. Null: no limit. */
export const domainLimitsSchema = z.object({
  pagesMax: pagesMaxSchema.describe("Most results of the hosts of one registrable domain together."),
  hostsMax: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("Most host names of one registrable domain of which any page is asked for."),
});

/** Of the pages below a path, on each host by itself. */
export const pathLimitsSchema = z.object({
  prefix: z
    .string()
    .max(400)
    .startsWith("/")
    .describe("What the path, with its query, begins with: `/blog/`, `/search?`."),
  pagesMax: z.int().positive().describe("Most results of such pages of one host name."),
});

/** What the crawl may use up. Null: no limit. */
export const limitsSchema = z.object({
  maxPages: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe(
      "Most results: failures count, and each visit of a URL that is asked for again; what is refused or skipped without a fetch does not.",
    ),
  maxDepth: z.int().nonnegative().nullable().default(null).describe("Most links from a seed; seeds are 0."),
  maxDurationMs: milliseconds.positive().nullable().default(null).describe("The job ends after this time."),
  perHost: hostLimitsSchema
    .default(() => hostLimitsSchema.parse({}))
    .describe("What each host name may use up."),
  perDomain: domainLimitsSchema
    .default(() => domainLimitsSchema.parse({}))
    .describe(
      "What the host names of each registrable domain (by the Public Suffix List) may use up together.",
    ),
  perPath: z
    .array(pathLimitsSchema)
    .max(100)
    .default([])
    .describe(
      "What the pages below paths of each host name may use up. A page counts in each that it is below.",
    ),
});

export const politenessSchema = z.object({
  delayMs: milliseconds.max(86_400_000).default(1000).describe("Least time between two requests to a host."),
  concurrencyPerHost: z.int().min(1).max(64).default(1).describe("Most requests to a host at once."),
  delayMaxMs: milliseconds
    .max(86_400_000)
    .default(60_000)
    .describe("Longest crawl-delay of robots.txt obeyed as it is."),
  requestsPerMinuteMax: z
    .int()
    .positive()
    .max(1_000_000)
    .nullable()
    .default(null)
    .describe(
      "Requests to a host that may not be reached in any minute; 80 % of them are used. Null: no limit.",
    ),
});

/** A media type, `type/*`, or all of a list of them: `text/html`, `text/*`. */
const mediaRangeSchema = z
  .string()
  .max(100)
  .regex(
    /^[a-z0-9!#$&^_.+-]+\/(\*|[a-z0-9!#$&^_.+-]+)$/,
    "a media type in lower case, `type/subtype` or `type/*`",
  );

export const fetchPolicySchema = z.object({
  totalTimeoutMs: milliseconds.min(1).max(600_000).default(30_000).describe("Deadline of one request."),
  bodyBytesMax: z.int().positive().max(1_073_741_824).default(10_485_760).describe("Longest body, decoded."),
  pageFlags: z
    .enum(["obey", "ignore"])
    .default("obey")
    .describe("Whether texts of pages that ask for noindex or noarchive are left out of results."),
  attemptsMax: z.int().min(1).max(10).default(3).describe("Tries of one URL before it counts as failed."),
  onTooLarge: z
    .enum(["truncate", "refuse"])
    .default("truncate")
    .describe("A longer body is cut and marked, or the fetch fails as too_large."),
  contentTypes: z
    .array(mediaRangeSchema)
    .max(50)
    .default([])
    .describe("Media types whose bodies are read, such as `text/html` or `text/*`; empty: all."),
  headers: requestFieldsSchema
    .default({})
    .describe(
      "Header fields sent with every request for a page. None that frame the message or carry credentials: those are secrets.",
    ),
  secrets: z
    .array(secretNameSchema)
    .max(16)
    .default([])
    .describe(
      "Names of secrets that the fetchers hold: each is sent to the origins that it is bound to, and to no other.",
    ),
});

/** What is read off each page beside its links. */
export const extractSchema = z.object({
  selectors: z
    .record(z.string().min(1).max(100), z.string().min(1).max(1000))
    .refine((selectors) => Object.keys(selectors).length <= 50, "at most 50 selectors")
    .describe("Names, each with the CSS selector of the elements whose texts it takes; at most 50."),
});

/** A crawl job, as it lies in `crawl.jobs` under its id. */
export const jobSchema = z.object({
  schemaVersion: z.literal(1).default(1),
  id: jobIdSchema,
  run: z.int().positive().default(1).describe("Rises when an ended job is started again."),
  desired: z
    .enum(["running", "paused", "cancelled"])
    .default("running")
    .describe("What the user wants of it."),
  open: z.boolean().default(false).describe("An open job takes seeds for ever and never completes."),
  seeds: z.array(z.string().min(1).max(2083)).max(10_000).default([]).describe("Start URLs."),
  scope: scopeSchema.default(() => scopeSchema.parse({})),
  canonical: canonicalSchema.default(() => canonicalSchema.parse({})),
  limits: limitsSchema.default(() => limitsSchema.parse({})),
  politeness: politenessSchema.default(() => politenessSchema.parse({})),
  fetch: fetchPolicySchema.default(() => fetchPolicySchema.parse({})),
  priority: prioritySchema
    .default(defaultPriority)
    .describe(
      "0 to 100. Jobs that want the same host, or the crawler's capacity, share it in proportion to their priorities; none is left out.",
    ),
  urlEvents: z
    .enum(["all", "outcomes"])
    .default("all")
    .describe(
      "Events told of each URL: all, or only what became of it, without url_started and sent_to_processing.",
    ),
  extract: extractSchema.optional().describe("Texts to read off each page; without it, none."),
  distributed: z
    .boolean()
    .default(true)
    .describe(
      "False: processes of the API run every service themselves until the job has ended, beside whatever else runs.",
    ),
  retry: z
    .object({
      asked: z
        .record(
          z.string().max(100),
          z.object({ times: z.int().positive(), atMs: milliseconds.describe("When the last time.") }),
        )
        .default({})
        .describe("How many times so far, by category."),
      continues: z
        .int()
        .positive()
        .nullable()
        .default(null)
        .describe("The run before, where this one goes on with what failed in it instead of its seeds."),
    })
    .optional()
    .describe("Failed URLs that are asked for again; the API writes it."),
  submittedAtMs: milliseconds.default(0).describe("When it was submitted, epoch milliseconds."),
});

export type Job = z.infer<typeof jobSchema>;
export type JobInput = z.input<typeof jobSchema>;

/** The job that seeds without a job belong to, unless `crawl.jobs` has one of that name. */
export const defaultJobId = "default";

export function defaultJob(): Job {
  return jobSchema.parse({ id: defaultJobId, open: true });
}
