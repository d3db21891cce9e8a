/** What fetcher is made of, for a process of its own and for one that runs it inside itself. */
import { fetcherSettings } from "@sluice/config";
import { Breakers, createCrawlerClient, routeOf } from "@sluice/http";
import { hostable } from "@sluice/process";
import { gaugeFetcher } from "./gauges.ts";
import { measureFetcher, measureRequest } from "./measure.ts";
import { defaultFetcherOptions } from "./options.ts";
import { performFetches } from "./perform.ts";
import { bodyReader } from "./reading/reader.ts";
import { RequestAudit } from "./request-audit.ts";
import { RequestMaker } from "./request-maker.ts";
import { SecretStore } from "./secrets.ts";
import { UnlistedFailures } from "./unlisted-failures.ts";
import { fetcherInputs, fetcherStep, fetcherTables } from "./step.ts";
import { pastTheirInstant } from "./whole-instants.ts";

export const fetcherService = hostable("fetcher", fetcherSettings, ({ clock, config, layout, log }) => {
  const client = createCrawlerClient(config);
  const reader = bodyReader();
  const secrets = new SecretStore({
    env: process.env,
    dir: config.secretsDir === "" ? null : config.secretsDir,
    monotonicMs: () => clock.monotonicMs(),
  });
  const requests = new RequestMaker({
    secrets,
    route: routeOf(config),
    trustedProxies: config.trustedProxies,
  });
  const audit = config.audit ? new RequestAudit((line) => log.info(line, "request")) : null;
  const breakers = new Breakers(audit === null ? client : audit.around(client), { nowMs: clock.nowMs });
  const unlisted = new UnlistedFailures(
    (failure) => log.warn({ event: "unlisted_failure", ...failure }, "a failure whose code is in no table"),
    () => clock.monotonicMs(),
  );
  return {
    step: fetcherStep({
      ...defaultFetcherOptions,
      politenessKey: layout.politenessKey,
      robotsRetryMs: config.robotsRetryMs,
    }),
    inputs: fetcherInputs,
    tables: fetcherTables,
    changelog: null,
    perform: pastTheirInstant(
      unlisted.around(performFetches(breakers, requests, reader, clock.nowMs, audit)),
    ),
    measure: measureFetcher,
    measureCall: measureRequest,
    gauges: gaugeFetcher(breakers, client, reader),
    limits: { callsMax: config.concurrency, slowCallsMax: config.slowMax },
    close: async () => {
      await Promise.all([client.destroy(), reader.close()]);
    },
  };
});
