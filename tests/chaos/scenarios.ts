import { brokerAway, freezeAll, full, holdSink, scaleAll, stopped, type Findings } from "./disturbances.ts";
import { killAll } from "./kills.ts";
import { troubleNetwork } from "./network.ts";
import { poisonTopics } from "./poison.ts";
import type { SmallDisk } from "./small-disk.ts";
import { Soak } from "./soak.ts";
import type { World } from "./world.ts";

/** Flags that are numbers, each 0 where it is left out. */
export const scenarioFlags = {
  kills: "kill -9, over all services and the broker, half of them at failpoints",
  freezes: "SIGSTOP for twice the session timeout, then SIGCONT",
  scales: "graceful scale events, out to four instances and in again",
  "away-s": "seconds in which the broker is gone",
  network: "times that the network to the broker turns bad: slow, cut in mid-message, stopped",
  poison: "records on every topic that can't be read, at least so many in all",
  "stall-s": "seconds in which the sink stands still",
  "disk-s": "seconds in which the sink's disk is full",
  "soak-s": "seconds without a fault; the job is run again and again, and limits hold",
} as const;

export type ScenarioFlag = keyof typeof scenarioFlags;
export type Plan = Readonly<Record<ScenarioFlag, number>>;

export const instances = { frontier: 2, fetcher: 2, "rate-limit": 2, "result-sink": 1 } as const;

/** Starts the services and the job, and lets befall them what the plan says. */
export async function play(world: World, plan: Plan, disk: SmallDisk | null): Promise<readonly Findings[]> {
  const members = (Object.keys(instances) as (keyof typeof instances)[]).flatMap((service) =>
    Array.from({ length: instances[service] }, (_, index) => [service, index] as const),
  );
  if (plan["soak-s"] > 0) {
    const soak = new Soak(world);
    await soak.start(members);
    return [await soak.run(plan["soak-s"] * 1000)];
  }
  for (const [service, index] of members) world.start(service, index);
  await world.submit();
  const findings: Findings[] = [];
  if (plan.kills > 0) await killAll(world, { kills: plan.kills, instances });
  if (plan.freezes > 0) findings.push(await freezeAll(world, plan.freezes));
  if (plan.scales > 0) findings.push(await scaleAll(world, plan.scales));
  if (plan["away-s"] > 0) findings.push(await brokerAway(world, plan["away-s"] * 1000));
  if (world.proxy !== null) findings.push(await troubleNetwork(world, world.proxy, plan.network));
  if (plan.poison > 0) findings.push(await poisonTopics(world, plan.poison));
  if (plan["stall-s"] > 0) findings.push(await holdSink(world, stopped(world), plan["stall-s"] * 1000));
  if (disk !== null) findings.push(await holdSink(world, full(world, disk), plan["disk-s"] * 1000));
  return findings;
}
