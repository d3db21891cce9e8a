/** Ceilings that the operator sets for what jobs may use up of some hosts. */
import { z } from "zod";
import { domainLimitsSchema, hostLimitsSchema, pathLimitsSchema } from "./job.ts";

/** As a job has it, and without what a job has where it says nothing: then a wider pattern may. */
const hostPagesMax = hostLimitsSchema.shape.pagesMax.unwrap();
const domainPagesMax = domainLimitsSchema.shape.pagesMax.unwrap();
const domainHostsMax = domainLimitsSchema.shape.hostsMax.unwrap();

export const policyBudgetsSchema = z
  .strictObject({
    perHost: z
      .strictObject({ pagesMax: hostPagesMax.optional().describe("Most results of one host name.") })
      .optional()
      .describe("What a run of a job may use up of each of the hosts."),
    perDomain: z
      .strictObject({
        pagesMax: domainPagesMax.optional().describe("Most results of all its host names together."),
        hostsMax: domainHostsMax
          .optional()
          .describe("Most of its host names of which any page is asked for."),
      })
      .optional()
      .describe(
        "What it may use up of a registrable domain. Counts where the pattern is for the domain itself (`.example.org`, not `*.example.org`).",
      ),
    perPath: z
      .array(z.strictObject(pathLimitsSchema.shape))
      .max(100)
      .optional()
      .describe(
        "What it may use up below paths of each of the hosts; in place of all that a wider pattern says of paths.",
      ),
  })
  .describe(
    "Ceilings for the `limits` of the same names that jobs have, for each run of each job: where both say something, the lesser counts. Null: none, whatever a wider pattern says.",
  );
export type PolicyBudgets = z.infer<typeof policyBudgetsSchema>;

/** Setting by setting, for they are many in one field; paths are one. */
export function mergedBudgets(wide: PolicyBudgets, narrow: PolicyBudgets): PolicyBudgets {
  return {
    ...wide,
    ...narrow,
    ...(wide.perHost === undefined ? {} : { perHost: { ...wide.perHost, ...narrow.perHost } }),
    ...(wide.perDomain === undefined ? {} : { perDomain: { ...wide.perDomain, ...narrow.perDomain } }),
  };
}
