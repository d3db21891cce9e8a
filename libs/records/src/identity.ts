import { createHash } from "node:crypto";

/**
 * Names the result of one scheduled visit of one URL in one run of a job. Deterministic, so a record that
 * is written again by a replay has the same id, in any language: SHA-256 of `job \n run \n urlId \n visit`,
 * the first 32 hex digits.
 */
export function resultId(job: string, run: number, urlId: string, visit = 1): string {
  return createHash("sha256").update(`${job}\n${run}\n${urlId}\n${visit}`).digest("hex").slice(0, 32);
}
