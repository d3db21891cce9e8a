import type { StepContext } from "@sluice/topology";
import type { FetcherOptions } from "../options.ts";
import type { Effects } from "./answers.ts";
import type { Host } from "./host.ts";

/** One step of one domain: its state, the effects so far, and what the step was given. */
export interface Turn {
  readonly host: Host;
  /** Calls of the task for sitemaps that have not settled. */
  readonly sitemaps: Set<string>;
  readonly out: Effects;
  readonly nowMs: number;
  readonly context: StepContext;
  readonly options: FetcherOptions;
}
