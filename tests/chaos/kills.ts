import { setTimeout as sleep } from "node:timers/promises";
import { failpoints } from "@sluice/runtime";
import { draw } from "../fleet/graph.ts";
import type { World } from "./world.ts";

export interface KillPlan {
  /** Deaths by SIGKILL in all, half of them at failpoints, those of the broker included in all. */
  readonly kills: number;
  readonly instances: Readonly<Record<Victim, number>>;
}

type Victim = "frontier" | "fetcher" | "rate-limit" | "result-sink";

/** One kill in so many is one of the broker. */
const brokerEach = 10;

/**
 * Spreads kill -9 over all services and the broker. Each service killed from outside begins its next life with
 * a failpoint, at which it kills itself, and some the life after that as well: so half of all deaths are at points that a
 * random moment seldom meets.
 */
export async function killAll(world: World, plan: KillPlan): Promise<void> {
  const { log, seed } = world.options;
  const brokerKills = Math.floor(plan.kills / brokerEach);
  // One more than half: the last may stand armed when the crawl ends.
  let atFailpoints = Math.ceil(plan.kills / 2) + 1;
  let outside = Math.max(1, plan.kills + 1 - brokerKills - atFailpoints);
  const blows = outside + brokerKills;
  const victims = Object.entries(plan.instances) as readonly [Victim, number][];
  const services = victims.filter(([, instances]) => instances > 0);
  for (let blow = 0, turn = 0; blow < blows; blow += 1) {
    await world.untilShare((blow + 1) / (blows + 1));
    if (brokerKills > 0 && blow % Math.floor(blows / brokerKills) === Math.floor(blows / brokerKills) - 1) {
      await killBroker(world, 500);
      continue;
    }
    const [service, instances] = services[turn % services.length] ?? (["fetcher", 1] as const);
    turn += 1;
    const index = draw(seed, blow, 1) % instances;
    const lives = Math.ceil(atFailpoints / Math.max(1, outside));
    const ends = Array.from({ length: lives }, (_, life) => failpointOf(service, draw(seed, blow, 2, life)));
    atFailpoints -= lives;
    outside -= 1;
    world.fleet.arm(service, index, ...ends.map((end) => ({ SLUICE_FAILPOINT: end })));
    log(`kill -9 ${service}-${index}; its next life ends at ${ends.join(", the one after it at ")}`);
    world.events.push({ what: `kill ${service}`, atMs: Date.now() });
    world.fleet.kill(service, index, "SIGKILL");
  }
}

/** Which one, and the how manyth time that it is passed. */
function failpointOf(service: Victim, number: number): string {
  // The sink sends nothing.
  const points = failpoints.filter((point) => service !== "result-sink" || point !== "after_send");
  const point = points[number % points.length] ?? "after_commit_sent";
  const passes = point === "after_assignment_before_fence" ? 1 : 2 + (Math.floor(number / 64) % 20);
  return `${point}:${passes}`;
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
