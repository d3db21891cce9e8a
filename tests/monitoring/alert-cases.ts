import type { AlertName } from "../../scripts/monitoring/alerts.ts";
import type { AlertCase } from "./alert-case.ts";
import { kafkaCases } from "./kafka-cases.ts";
import { outsideCases } from "./outside-cases.ts";
import { processCases } from "./process-cases.ts";
import { progressCases } from "./progress-cases.ts";

/** For each alert what makes it fire, and what comes near it and does not; an alert without both does not compile. */
export const alertCases: Readonly<Record<AlertName, AlertCase>> = {
  ...progressCases,
  ...kafkaCases,
  ...outsideCases,
  ...processCases,
};
