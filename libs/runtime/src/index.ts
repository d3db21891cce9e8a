export { assignTasks } from "./assignment.ts";
export {
  CommitFailed,
  failpoints,
  type AssignTasks,
  type Batch,
  type Broker,
  type BrokerAdmin,
  type BrokerRecord,
  type CommittedOffset,
  type Failpoint,
  type GroupConsumer,
  type GroupHandlers,
  type GroupOptions,
  type Join,
  type MemberClaim,
  type OnFailpoint,
  type OutRecord,
  type Producer,
  type Tail,
  type TailOptions,
  type TopicDrift,
  type TopicPartition,
  type TopicSpec,
  type Transaction,
  type TransactionalProducer,
  type Written,
} from "./broker.ts";
export { PartitionBudget } from "./budget.ts";
export { systemClock, type Clock } from "./clock.ts";
export { CreditWindow, DemandTotal } from "./credits.ts";
export { type Figures, type InputFigures, type RunningTask } from "./figures.ts";
export { Lanes } from "./lanes.ts";
export { decodeOffsetMap } from "./offset-map.ts";
export { OffsetLedger } from "./ledger.ts";
export { defaultLimits, type RuntimeLimits } from "./limits.ts";
export { type Measure, type Measured } from "./measure.ts";
export { silentProbe, type RuntimeProbe } from "./probe.ts";
export { RestoreBuffer } from "./restore-buffer.ts";
export { Service } from "./service.ts";
export { type PerformCall, type ServiceOptions } from "./service-options.ts";
export { diskStores, type DiskStoresOptions } from "./disk-stores.ts";
export { keptMs, memoryStores, type InputOffsets, type StateStores, type TaskStore } from "./store.ts";
export { WakeQueue } from "./wake-queue.ts";
