/** What the parts of one client share. */
import type { OnFailpoint } from "@sluice/runtime";
import type { Faults } from "./faults.ts";
import type { SimProcess } from "./process.ts";
import type { Server } from "./server.ts";
import type { Trace } from "./trace.ts";
import type { Wire } from "./wire.ts";

/** With transactions, or without: then half a commit stays where it fails. */
export type Delivery = "exactly-once" | "at-least-once";

export interface ClientContext {
  readonly name: string;
  readonly process: SimProcess;
  readonly server: Server;
  readonly faults: Faults;
  readonly trace: Trace;
  readonly nodes: number;
  readonly delivery: Delivery;
  readonly fetchWaitMsMax: number;
  /** How long a crashed consumer waits before it joins again. */
  readonly restartDelayMs: number;
  readonly onFailpoint: OnFailpoint;
  readonly openWire: () => Wire;
}
