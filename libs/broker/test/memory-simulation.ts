/** A simulated cluster for tests that simply await: its clock runs while anybody waits. */
import type { Broker } from "@sluice/runtime";
import { type ConformanceBroker, World } from "../src/conformance/world.ts";
import {
  BrokerError,
  type BrokerErrorType,
  FakeClock,
  type FaultRates,
  MemoryClient,
  memoryBroker,
  type MemoryBrokerOptions,
} from "../src/memory.ts";

export { type CommitFault, commitFaults } from "../src/memory.ts";

const patienceMs = 120_000;

export function simulation(
  seed: number,
  faults: Partial<FaultRates> = {},
  options: Partial<MemoryBrokerOptions> = {},
) {
  const clock = new FakeClock();
  const cluster = memoryBroker({ clock, seed, faults, ...options });
  const stop = clock.drive();
  const clients = new Map<string, MemoryClient>();
  /** The client of the name, always the same one. */
  const client = (name: string): MemoryClient => {
    const known = clients.get(name) ?? cluster.connect(name);
    clients.set(name, known);
    return known;
  };
  const broker: ConformanceBroker = {
    connect: (name) => cluster.connect(name),
    unique: `seed${seed}`,
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 500,
    rebalanceTimeoutMs: 10_000,
    kill: (killed: Broker) => {
      if (killed instanceof MemoryClient) killed.kill();
    },
    openTransaction: (id, transaction) => client("holder").openTransaction(id, transaction),
    trim: ({ topic, partition }, low) => cluster.trim(topic, partition, low),
    close: stop,
    async until(condition, what) {
      const untilMs = clock.nowMs() + patienceMs;
      while (!(await condition())) {
        if (clock.nowMs() > untilMs) throw new Error(`waited in vain (seed ${seed}): ${what}`);
        await new Promise<void>((resolve) => {
          clock.setTimer(clock.nowMs() + 7, resolve);
        });
      }
    },
  };
  return { clock, cluster, broker, client, world: new World(broker, 0) };
}

export function isBrokerErrorOf(error: unknown, type: BrokerErrorType): boolean {
  return error instanceof BrokerError && error.type === type;
}
