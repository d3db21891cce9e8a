/** What fetcher is made of, for a process of its own and for one that runs it inside itself. */
import { fetcherSettings } from "@sluice/config";
import { SluiceError } from "@sluice/errors";
import { Breakers, createHttpClient } from "@sluice/http";
import { hostable } from "@sluice/process";
import { classifyAddress, parseCidr, type Cidr } from "@sluice/web";
import { gaugeFetcher } from "./gauges.ts";
import { measureFetcher, measureRequest } from "./measure.ts";
import { defaultFetcherOptions } from "./options.ts";
import { performFetches } from "./perform.ts";
import { fetcherInputs, fetcherStep, fetcherTables } from "./step.ts";
import { defaultUserAgent } from "./user-agent.ts";

export const fetcherService = hostable("fetcher", fetcherSettings, ({ clock, config }) => {
  const allowed = config.allowPrivate.map(cidrOf);
  const client = createHttpClient({
    userAgent: config.userAgent ?? defaultUserAgent(config.contact),
    isAllowed: (ip) => classifyAddress(ip, allowed),
    resolve: resolveOverrides(config.resolve),
  });
  const breakers = new Breakers(client, { nowMs: clock.nowMs });
  return {
    step: fetcherStep({ ...defaultFetcherOptions, robotsRetryMs: config.robotsRetryMs }),
    inputs: fetcherInputs,
    tables: fetcherTables,
    changelog: null,
    perform: performFetches(breakers, clock.nowMs),
    measure: measureFetcher,
    measureCall: measureRequest,
    gauges: gaugeFetcher(breakers),
    limits: { callsMax: config.concurrency },
    close: () => client.destroy(),
  };
});

function cidrOf(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr !== null) return cidr;
  throw new SluiceError(
    "SLUICE_CONFIG_INVALID",
    `SLUICE_FETCHER_ALLOW_PRIVATE: ${JSON.stringify(text)} is no address block`,
    {
      field: "SLUICE_FETCHER_ALLOW_PRIVATE",
    },
  );
}

/** `host:port:address`; the address may be IPv6, so only the first two colons part. */
function resolveOverrides(entries: readonly string[]): ReadonlyMap<string, string> {
  const overrides = new Map<string, string>();
  for (const entry of entries) {
    const match = /^([^:]+):([0-9]+):\[?([0-9a-fA-F.:]+)\]?$/.exec(entry);
    const [, host, port, address] = match ?? [];
    if (host === undefined || port === undefined || address === undefined) {
      throw new SluiceError(
        "SLUICE_CONFIG_INVALID",
        `SLUICE_FETCHER_RESOLVE: ${JSON.stringify(entry)} is not host:port:address`,
        {
          field: "SLUICE_FETCHER_RESOLVE",
        },
      );
    }
    overrides.set(`${host.toLowerCase()}:${port}`, address);
  }
  return overrides;
}
