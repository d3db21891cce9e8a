/** Settings of the services as drawn for one run: some far below what anybody would choose, to meet every limit. */
import type { Random } from "@sluice/broker/memory";
import type { PolitenessKey } from "@sluice/records";
import { defaultLimits, type RuntimeLimits } from "@sluice/runtime";
import { defaultFetcherOptions, type FetcherOptions } from "../../services/fetcher/src/options.ts";
import { defaultFrontierOptions, type FrontierOptions } from "../../services/frontier/src/options.ts";
import { defaultPaceOptions, type PaceOptions } from "../../services/rate-limit/src/options.ts";
import { defaultSinkOptions, type SinkOptions } from "../../services/result-sink/src/options.ts";

export interface Settings {
  /** Deadline of every request: a half session, so that none outlives its owner's claim. */
  readonly requestMsMax: number;
  readonly runtime: RuntimeLimits;
  readonly frontier: FrontierOptions;
  readonly pace: PaceOptions;
  readonly fetcher: FetcherOptions;
  readonly sink: SinkOptions;
  /** Results that the sink may lag behind before release is held; null: it is not watched. */
  readonly lagMax: number | null;
  readonly latencyMsMax: number;
  /** Nodes of the cluster: answers of different ones overtake each other. */
  readonly nodes: number;
}

const sessionTimeoutMs = 3000;

/** Where few URLs may be out, few are in memory too, waiting or known. */
function windowed(windowMax: number): FrontierOptions {
  if (windowMax === defaultFrontierOptions.windowMax) return defaultFrontierOptions;
  return { ...defaultFrontierOptions, windowMax, headsMax: windowMax, knownInMemoryMax: windowMax };
}

export function settingsOf(random: Random, politenessKey: PolitenessKey = "host"): Settings {
  const slow = random.fork("slow calls");
  const requestMsMax = random.chance(0.3) ? 1400 : 700;
  const recordsHigh = random.chance(0.3) ? random.between(2, 12) : 2000;
  const bytesHigh = random.chance(0.1) ? random.between(4000, 40_000) : 33_554_432;
  const deadSoon = random.chance(0.1);
  // Limits that the few small records and hosts of a run would not meet.
  const tight = random.fork("tight limits");
  const bytesMax = tight.chance(0.15) ? tight.between(1000, 6000) : bytesHigh;
  const forgetsSoon = tight.chance(0.1);
  return {
    requestMsMax,
    runtime: {
      ...defaultLimits,
      partition: { recordsHigh, recordsLow: recordsHigh >> 1, bytesHigh: bytesMax, bytesLow: bytesMax >> 1 },
      spanMax: random.chance(0.1) ? random.between(4, 30) : defaultLimits.spanMax,
      callsMax: random.chance(0.2) ? random.between(1, 4) : defaultLimits.callsMax,
      slowCallsAfterMs: 200,
      unknownCallsAfterMs: 50,
      slowCallsMax: slow.chance(0.3) ? slow.between(1, 6) : 0,
      outputRecordsMax: random.chance(0.2) ? random.between(2, 20) : defaultLimits.outputRecordsMax,
      outputBytesMax: random.chance(0.1) ? random.between(2000, 20_000) : defaultLimits.outputBytesMax,
      commitIntervalMs: random.chance(0.3) ? random.between(100, 1000) : 60,
      checkpointMs: 2000,
      commitSpacingMs: random.chance(0.3) ? random.between(20, 300) : 20,
      stepsPerTurn: random.chance(0.1) ? random.between(1, 5) : defaultLimits.stepsPerTurn,
      drainMs: 2000,
      drainGraceMs: 1000,
      sessionTimeoutMs,
      heartbeatIntervalMs: 500,
      rebalanceTimeoutMs: 6000,
      partitionBytesMax: random.chance(0.3) ? random.between(500, 4000) : defaultLimits.partitionBytesMax,
    },
    frontier: {
      ...windowed(random.chance(0.3) ? random.between(1, 6) : defaultFrontierOptions.windowMax),
      politenessKey,
      releasedMax: random.chance(0.2) ? random.between(1, 10) : defaultFrontierOptions.releasedMax,
      leaseMs: random.chance(0.1) ? random.between(2000, 8000) : defaultFrontierOptions.leaseMs,
      windowSpanMs: random.chance(0.2) ? random.between(200, 2000) : defaultFrontierOptions.windowSpanMs,
      pendingMax: random.chance(0.1) ? random.between(1, 5) : defaultFrontierOptions.pendingMax,
      grantsAtOnce: random.between(1, 8),
    },
    pace: {
      ...defaultPaceOptions,
      waitMaxMs: random.chance(0.1) ? random.between(300, 3000) : defaultPaceOptions.waitMaxMs,
      backOffBaseMs: 300,
      backOffMaxMs: 2000,
      forgetAfterMs: random.chance(0.2) ? random.between(500, 5000) : defaultPaceOptions.forgetAfterMs,
      deadAfterFailures: deadSoon ? 3 : defaultPaceOptions.deadAfterFailures,
      deadAfterMs: deadSoon ? 3000 : defaultPaceOptions.deadAfterMs,
    },
    fetcher: {
      ...defaultFetcherOptions,
      politenessKey,
      permitsMax: random.chance(0.1) ? random.between(1, 4) : defaultFetcherOptions.permitsMax,
      waitMaxMs: random.chance(0.1) ? random.between(300, 3000) : defaultFetcherOptions.waitMaxMs,
      robotsTimeoutMs: requestMsMax,
      robotsTtlMs: random.chance(0.3) ? random.between(500, 4000) : defaultFetcherOptions.robotsTtlMs,
      robotsRetryMs: 300,
      robotsRetryMaxMs: 2000,
      slowAfterMs: 200,
      hostsMax: random.chance(0.1) ? 2 : defaultFetcherOptions.hostsMax,
      forgetAfterMs: random.chance(0.3) ? random.between(500, 3000) : defaultFetcherOptions.forgetAfterMs,
      ...(forgetsSoon ? { hostsMax: 1, forgetAfterMs: 500 } : {}),
    },
    sink: {
      ...defaultSinkOptions,
      batchMax: random.chance(0.3) ? random.between(1, 5) : defaultSinkOptions.batchMax,
      lingerMs: random.between(0, 100),
      recordsMax: random.chance(0.2) ? random.between(2, 10) : defaultSinkOptions.recordsMax,
      retryBaseMs: 100,
      retryMaxMs: 1000,
    },
    lagMax: random.chance(0.3) ? random.between(2, 20) : null,
    latencyMsMax: random.chance(0.1) ? 40 : 3,
    nodes: random.between(1, 3),
  };
}
