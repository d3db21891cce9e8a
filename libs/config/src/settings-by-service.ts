import { apiSettings, commonSettings, fetcherSettings, frontierSettings, sinkSettings } from "./settings.ts";

/** Every setting by service, for the reference page. */
export const settingsByService = {
  "every service": commonSettings,
  frontier: frontierSettings,
  fetcher: fetcherSettings,
  "result-sink": sinkSettings,
  api: apiSettings,
} as const;
