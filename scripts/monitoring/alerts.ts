import type { Alert } from "./alert.ts";
import { kafkaAlerts } from "./kafka-alerts.ts";
import { outsideAlerts } from "./outside-alerts.ts";
import { processAlerts } from "./process-alerts.ts";
import { progressAlerts } from "./progress-alerts.ts";

/** Alerts by the group in which they are worked out. */
export const alertGroups = {
  "sluice-progress": progressAlerts,
  "sluice-kafka": kafkaAlerts,
  "sluice-outside": outsideAlerts,
  "sluice-process": processAlerts,
} as const;

export const alerts = { ...progressAlerts, ...kafkaAlerts, ...outsideAlerts, ...processAlerts } as const;

export type AlertName = keyof typeof alerts;

/** Every alert with its name. */
export const alertList = Object.entries(alerts) as readonly (readonly [AlertName, Alert])[];

/** From the root of the repository. */
export const runbookOf = (alert: string): string => `docs/runbooks/${alert}.md`;
