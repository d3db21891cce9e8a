export {
  StepDriver,
  type DriverOptions,
  type OpenCall,
  type RejectedRecord,
  type SentRecord,
} from "./driver.ts";
export { Random } from "./random.ts";
export { replayTrace, type TraceCommand } from "./trace.ts";
