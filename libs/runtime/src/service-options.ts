import type { TopicLayout } from "@sluice/records";
import type { InputRecord, Step } from "@sluice/topology";
import type { Broker, OnFailpoint } from "./broker.ts";
import type { Clock } from "./clock.ts";
import type { RuntimeLimits } from "./limits.ts";
import type { Measure } from "./measure.ts";
import type { RuntimeProbe } from "./probe.ts";
import type { StateStores } from "./store.ts";

/** The world outside a step: performs its calls. Expected failures are answers; a rejection is a bug. */
export type PerformCall<Call, Outcome> = (request: Call, signal: AbortSignal) => Promise<Outcome>;

export interface ServiceOptions<State, Rec extends InputRecord, Call, Outcome> {
  readonly step: Step<State, Rec, Call, Outcome>;
  /** Topics without prefix; partition p of each belongs to task p. */
  readonly inputs: readonly string[];
  /** Compacted topics that every instance reads whole. */
  readonly tables: readonly string[];
  /** Where state changes go; null for a service without state. */
  readonly changelog: string | null;
  readonly layout: TopicLayout;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly stores: StateStores;
  /** Stable name of this instance: its tasks come back to it. */
  readonly instance: string;
  readonly perform: PerformCall<Call, Outcome>;
  /** Entries that a step sees as a table although no topic feeds it, e.g. flow control. */
  readonly localTables?: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  readonly limits: RuntimeLimits;
  readonly probe: RuntimeProbe;
  /** What a record counts for that a step sends, once it is committed. */
  readonly measure?: Measure;
  /** What a record counts for that a step is given, once what the step did is committed. */
  readonly measureRead?: Measure;
  readonly onFailpoint?: OnFailpoint;
  /** A bug, or a consumer that is dead for good: nothing was committed since; the process has to end. */
  readonly onFatal: (error: Error) => void;
}
