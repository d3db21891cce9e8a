/** What fetcher is made of, for a process of its own and for one that runs it inside itself. */
import { fetcherSettings } from "@sluice/config";
import { Breakers, createCrawlerClient } from "@sluice/http";
import { hostable } from "@sluice/process";
import { gaugeFetcher } from "./gauges.ts";
import { measureFetcher, measureRequest } from "./measure.ts";
import { defaultFetcherOptions } from "./options.ts";
import { performFetches } from "./perform.ts";
import { bodyReader } from "./reading/reader.ts";
import { RequestAudit } from "./request-audit.ts";
import { fetcherInputs, fetcherStep, fetcherTables } from "./step.ts";

export const fetcherService = hostable("fetcher", fetcherSettings, ({ clock, config, log }) => {
  const client = createCrawlerClient(config);
  const reader = bodyReader();
  const audit = config.audit ? new RequestAudit((line) => log.info(line, "request")) : null;
  const breakers = new Breakers(audit === null ? client : audit.around(client), { nowMs: clock.nowMs });
  return {
    step: fetcherStep({ ...defaultFetcherOptions, robotsRetryMs: config.robotsRetryMs }),
    inputs: fetcherInputs,
    tables: fetcherTables,
    changelog: null,
    perform: performFetches(breakers, reader, clock.nowMs, audit),
    measure: measureFetcher,
    measureCall: measureRequest,
    gauges: gaugeFetcher(breakers, reader),
    limits: { callsMax: config.concurrency },
    close: async () => {
      await Promise.all([client.destroy(), reader.close()]);
    },
  };
});
