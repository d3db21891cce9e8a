/** What rate-limit is made of, for a process of its own and for one that runs it inside itself. */
import { hostable } from "@sluice/process";
import { topics } from "@sluice/records";
import { gaugeRateLimit } from "./gauges.ts";
import { measureRateLimit } from "./measure.ts";
import { rateLimitInputs, rateLimitStep, rateLimitTables } from "./step.ts";

export const rateLimitService = hostable("rate-limit", {}, () => ({
  step: rateLimitStep(),
  inputs: rateLimitInputs,
  tables: rateLimitTables,
  changelog: topics.rateLimitState.name,
  perform: () => Promise.reject(new Error("rate-limit makes no calls")),
  measure: measureRateLimit,
  gauges: gaugeRateLimit(),
}));
