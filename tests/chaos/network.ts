import { setTimeout as sleep } from "node:timers/promises";
import { draw } from "../fleet/graph.ts";
import type { Findings } from "./disturbances.ts";
import { clear, type Proxy, type Weather } from "./proxy.ts";
import type { World } from "./world.ts";

/** TCP hides the loss of a packet: what its users see of a lossy line are pauses and resets. */
const bad: Readonly<Record<string, Weather>> = {
  slow: { ...clear, latencyMs: 150, bytesPerSecond: 65_536 },
  cut: { ...clear, latencyMs: 5, cutChance: 0.03 },
  stalled: { ...clear, stalled: true },
  "slow and cut": { ...clear, latencyMs: 80, bytesPerSecond: 131_072, cutChance: 0.02 },
};

/** The network between the services and the broker turns bad for a while, time and again. */
export async function troubleNetwork(world: World, proxy: Proxy, rounds: number): Promise<Findings> {
  const { log, seed, sessionTimeoutMs } = world.options;
  const kinds = Object.entries(bad);
  const deathsBefore = world.fleet.graveyard.length;
  for (let round = 0; round < rounds; round += 1) {
    await world.untilShare((round + 1) / (rounds + 1));
    const [kind, weather] = kinds[round % kinds.length] ?? ["clear", clear];
    // From a blink to twice the time after which a silent member is taken for dead.
    const forMs = 500 + (draw(seed, round, 21) % (2 * sessionTimeoutMs));
    log(`the network is ${kind} for ${forMs} ms`);
    const atMs = Date.now();
    proxy.weather = weather;
    await sleep(forMs);
    proxy.weather = clear;
    // Who was taken for dead meanwhile has lost its tasks, and what was under way in them comes again.
    const untilMs = Date.now() + 3 * sessionTimeoutMs;
    world.blows.push({ service: "kafka", index: 0, killed: false, atMs, untilMs, how: kind });
  }
  const wrong: string[] = [];
  if (proxy.bytes === 0) wrong.push("the services do not speak through the proxy");
  if (rounds > 1 && proxy.cuts === 0) wrong.push("no connection was cut");
  const exited = world.fleet.graveyard.length - deathsBefore;
  if (exited > 0) wrong.push(`${exited} processes exited`);
  return {
    figures: { network_rounds: rounds, connections_cut: proxy.cuts, proxied_bytes: proxy.bytes },
    wrong,
    slow: [],
  };
}
