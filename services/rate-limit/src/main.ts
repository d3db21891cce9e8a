import { runProcess } from "@sluice/process";
import { topics } from "@sluice/records";
import { rateLimitInputs, rateLimitStep, rateLimitTables } from "./step.ts";

await runProcess("rate-limit", () => ({
  step: rateLimitStep(),
  inputs: rateLimitInputs,
  tables: rateLimitTables,
  changelog: topics.rateLimitState.name,
  perform: () => Promise.reject(new Error("rate-limit makes no calls")),
}));
