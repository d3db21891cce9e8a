export { StepDriver, type DriverOptions } from "./driver.ts";
export type { OpenCall, RejectedRecord, SentRecord } from "./driven.ts";
export { Random } from "./random.ts";
export { replayTrace, type TraceCommand } from "./trace.ts";
