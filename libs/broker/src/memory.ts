/** An in-memory Kafka on a simulated clock, for simulation and tests only. */
export { BrokerError, type BrokerErrorType } from "./memory/broker-error.ts";
export { type HeldTransaction, MemoryClient } from "./memory/client.ts";
export { type CancelTimer, FakeClock, type SimClock } from "./memory/clock.ts";
export {
  type ConnectOptions,
  MemoryCluster,
  memoryBroker,
  type MemoryBrokerOptions,
} from "./memory/cluster.ts";
export type { Delivery } from "./memory/client-context.ts";
export { type CommitFault, commitFaults, type FaultRates, Faults } from "./memory/faults.ts";
export { type Random, seededRandom } from "./memory/random.ts";
export { serviceClock } from "./memory/service-clock.ts";
export { Trace } from "./memory/trace.ts";
export type { Latency, Retries } from "./memory/wire.ts";
