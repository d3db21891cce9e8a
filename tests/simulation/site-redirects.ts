/** Draws hosts whose robots.txt lies with another host of theirs: it is asked for there, by that one's clock. */
import type { Random } from "@sluice/broker/memory";
import type { HostDefinition } from "./site.ts";

export function withRobotsElsewhere(
  random: Random,
  hosts: readonly HostDefinition[],
  groups: readonly (readonly number[])[],
): readonly HostDefinition[] {
  return hosts.map((host, number) => {
    const own = random.fork(`host ${number}`);
    const group = groups.find((each) => each.includes(number)) ?? [number];
    const others = group.filter((each) => each !== number && hosts[each]?.health.kind === "up");
    const elsewhere = others[own.between(0, others.length - 1)];
    const { robots } = host;
    if (own.chance(0.3) || elsewhere === undefined || robots.kind !== "rules") return host;
    // Who has read it is not who asks: of rules that change nobody could say which version is known.
    return { ...host, robots: { ...robots, redirected: false, elsewhere, changesAtMs: Infinity } };
  });
}
