import { setTimeout as sleep } from "node:timers/promises";
import { failpoints } from "@sluice/runtime";
import type { ServiceName } from "../fleet/fleet.ts";
import { draw } from "../fleet/graph.ts";
import type { World } from "./world.ts";

export interface KillPlan {
  /** Deaths by SIGKILL in all, of which about half at failpoints. */
  readonly kills: number;
  readonly instances: Readonly<Record<"frontier" | "fetcher" | "rate-limit" | "result-sink", number>>;
}

/** One kill in so many is one of the broker. */
const brokerEach = 10;

/**
 * Spreads kill -9 over all services and the broker. Each service killed from outside begins its next life with
 * a failpoint, at which it kills itself; so half of the deaths are at points that a random moment seldom meets.
 */
export async function killAll(world: World, plan: KillPlan): Promise<void> {
  const { log, seed } = world.options;
  const brokerKills = Math.floor(plan.kills / brokerEach);
  const blows = Math.ceil((plan.kills - brokerKills) / 2) + brokerKills;
  const services = (Object.keys(plan.instances) as ServiceName[]).filter(
    (service) => plan.instances[service as keyof KillPlan["instances"]] > 0,
  );
  let turn = 0;
  for (let blow = 0; blow < blows; blow += 1) {
    await world.untilShare((blow + 1) / (blows + 1));
    if (brokerKills > 0 && blow % Math.floor(blows / brokerKills) === Math.floor(blows / brokerKills) - 1) {
      await killBroker(world, 500);
      continue;
    }
    const service = services[turn % services.length] ?? "fetcher";
    turn += 1;
    const index = draw(seed, blow, 1) % plan.instances[service as keyof KillPlan["instances"]];
    // The sink sends nothing.
    const points = failpoints.filter((point) => service !== "result-sink" || point !== "after_send");
    const failpoint = points[draw(seed, blow, 2) % points.length] ?? "after_commit_sent";
    const passes = failpoint === "after_assignment_before_fence" ? 1 : 2 + (draw(seed, blow, 3) % 20);
    world.fleet.arm(service, index, { SLUICE_FAILPOINT: `${failpoint}:${passes}` });
    log(`kill -9 ${service}-${index}; its next life ends at ${failpoint}:${passes}`);
    world.events.push({ what: `kill ${service}`, atMs: Date.now() });
    world.fleet.kill(service, index, "SIGKILL");
  }
}

/** kill -9 of the broker, and its return. */
export async function killBroker(world: World, awayMs: number): Promise<void> {
  const atMs = Date.now();
  world.options.log("kill -9 of the broker");
  await world.kafka.kill();
  await sleep(awayMs);
  await world.kafka.restart();
  const backAtMs = Date.now();
  // Until the services have seen that it is back, what they fetch may have to be fetched again.
  const untilMs = backAtMs + 3 * world.options.sessionTimeoutMs;
  world.blows.push({ service: "kafka", index: 0, killed: true, atMs, untilMs, how: "SIGKILL" });
  world.options.log(`the broker is back after ${backAtMs - atMs} ms`);
}
