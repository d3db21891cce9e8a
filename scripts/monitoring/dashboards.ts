import { deliveryDashboard } from "./delivery-dashboard.ts";
import { overviewDashboard } from "./overview-dashboard.ts";
import type { Dashboard } from "./panel.ts";
import { politenessDashboard } from "./politeness-dashboard.ts";
import { runtimeDashboard } from "./runtime-dashboard.ts";

/** Every dashboard, the first to look at first. */
export const dashboards: readonly Dashboard[] = [
  overviewDashboard,
  politenessDashboard,
  runtimeDashboard,
  deliveryDashboard,
];
