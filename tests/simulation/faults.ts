/** Does to a world what its plan says. */
import { topics } from "@sluice/records";
import type { Fault } from "./fault-plan.ts";

import type { World } from "./world.ts";

export function applyFault(world: World, fault: Fault): void {
  world.cluster.trace.add("fault", fault.kind, JSON.stringify(fault));
  world.quiet.disturbed(overAtMs(fault));
  switch (fault.kind) {
    case "kill": {
      const life = world.pick(fault.service, fault.index);
      if (life !== null) world.kill(life, fault.downMs, fault.loseState);
      return;
    }
    case "kill_at_effect": {
      const life = world.pick(fault.service, fault.index);
      if (life !== null) world.killAtEffect(life, fault);
      return;
    }
    case "freeze": {
      const life = world.pick(fault.service, fault.index);
      if (life === null) return;
      life.client.freeze();
      world.clock.setTimer(world.clock.nowMs() + fault.forMs, () => life.client.thaw());
      return;
    }
    case "rebalance":
      return world.cluster.rebalance(fault.service);
    case "scale_out":
      return world.scaleOut(fault.service);
    case "scale_in":
      return world.scaleIn(fault.service, fault.index);
    case "consumer_crash":
      world.pick(fault.service, fault.index)?.client.crashConsumers(fault.service, true);
      return;
    case "outage":
      return world.cluster.outage(fault.forMs);
    case "commit_fault":
      return world.cluster.faults.failNextCommit(fault.fault, `${fault.service}-${fault.task}`);
    case "foreign_fence":
      return world.fence(fault.service, fault.task);
    case "clock_jump":
      return world.cluster.setClock(fault.aheadMs);
    case "compact":
      for (const topic of compacted) world.cluster.compact(topic, { dropTombstones: false });
      return;
    case "state_full":
      return world.fillState(fault.service, fault.index, fault.forMs);
    case "disk":
      world.disk.trouble = fault.trouble;
      world.clock.setTimer(world.clock.nowMs() + fault.forMs, () => {
        world.disk.trouble = "none";
      });
      return;
    default:
      fault satisfies never;
  }
}

const compacted = [
  topics.counters.name,
  topics.grants.name,
  topics.jobs.name,
  topics.policies.name,
  topics.frontierState.name,
  topics.rateLimitState.name,
];

/** The instant of the run at which it is over; one that waits for an effect may come later. */
export function overAtMs(fault: Fault): number {
  if ("forMs" in fault) return fault.atMs + fault.forMs;
  return "downMs" in fault ? fault.atMs + fault.downMs : fault.atMs;
}
