/** What a job may be submitted with, and what makes two submissions the same. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { defaultJobId, jobIdSchema, jobSchema, type Job } from "@sluice/records";
import { canonicalize, compileScope } from "@sluice/web";
import { Problem, type FieldError } from "./problem.ts";

const { seeds, scope, canonical, limits, politeness, fetch, extract, priority, urlEvents, distributed } =
  jobSchema.shape;
const { perHost, perDomain, perPath } = limits.unwrap().shape;
const newJobId = jobIdSchema.refine((id) => id !== defaultJobId, "belongs to seeds without a job");

export const submissionSchema = z.strictObject({
  id: newJobId.optional().describe("Names the job; generated where it is missing."),
  seeds: seeds.unwrap().min(1).describe("Start URLs."),
  scope: scope.unwrap().strict().prefault({}).describe("Which links belong to the crawl."),
  canonical: canonical
    .unwrap()
    .strict()
    .prefault({})
    .describe("What of URLs does not tell pages from each other."),
  limits: limits
    .unwrap()
    .extend({
      perHost: perHost.unwrap().strict().prefault({}),
      perDomain: perDomain.unwrap().strict().prefault({}),
      perPath: z.array(perPath.unwrap().element.strict()).max(100).default([]),
    })
    .strict()
    .prefault({})
    .describe("What the crawl may use up."),
  politeness: politeness.unwrap().strict().prefault({}).describe("What hosts are spared."),
  fetch: fetch.unwrap().strict().prefault({}).describe("How one URL is fetched."),
  extract: extract.unwrap().strict().optional().describe("Texts to read off each page; without it, none."),
  priority,
  urlEvents,
  distributed,
});
export type Submission = z.infer<typeof submissionSchema>;

export const batchSchema = z.strictObject({
  urls: seeds.unwrap().min(1).describe("URLs to fetch; links on them are not followed."),
  session_id: newJobId.optional().describe("Names the job; generated where it is missing."),
  distributed,
});
export type BatchBody = z.infer<typeof batchSchema>;

/** A batch is a job that goes no link deep. */
export function batchSubmission({ urls, session_id, distributed: isDistributed }: BatchBody): Submission {
  return submissionSchema.parse({
    ...(session_id === undefined ? {} : { id: session_id }),
    seeds: urls,
    limits: { maxDepth: 0 },
    distributed: isDistributed,
  });
}

/**
 * Looks at what schemas can't see: URLs that are none and globs that mean nothing.
 * @param seedsField what the seeds are called in the request
 * @throws Problem 400 with every field at fault
 */
export function checkMeaning(submission: Submission, seedsField: "seeds" | "urls"): void {
  const errors: FieldError[] = [];
  for (const [index, seed] of submission.seeds.entries()) {
    // What is in a job lies in a topic: a user and a password there would be no secret.
    const url = canonicalize(seed, undefined, { userinfo: "refuse" });
    if (url.kind !== "url")
      errors.push({ field: `${seedsField}.${index}`, message: `${url.reason}: ${url.detail}` });
  }
  const { kind, allowedDomains, include, exclude } = submission.scope;
  for (const [list, globs] of Object.entries({ include, exclude })) {
    for (const [index, glob] of globs.entries())
      tryScope(`scope.${list}.${index}`, { include: [glob] }, errors);
  }
  for (const [index, domain] of allowedDomains.entries())
    tryScope(`scope.allowedDomains.${index}`, { allowedDomains: [domain] }, errors);
  if (errors.length === 0) tryScope("scope", { kind, allowedDomains, include, exclude }, errors);
  if (errors.length === 0) return;
  throw new Problem(400, errors.map(({ field, message }) => `${field}: ${message}`).join("; "), errors);
}

type Rules = Partial<Parameters<typeof compileScope>[0]>;

function tryScope(field: string, rules: Rules, errors: FieldError[]): void {
  try {
    compileScope({ kind: "any", seeds: [], ...rules });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    errors.push({ field, message: error.message });
  }
}

/** The record of the job's run. */
export function jobRecord(submission: Submission, id: string, run: number, submittedAtMs: number): Job {
  return jobSchema.parse({ ...submission, id, run, submittedAtMs });
}

/** Equal for equal submissions: defaults are filled in, and the order of fields is that of the schema. */
export function digestOf(value: Submission | string): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
