/** What the fetchers tell of work that they lost, without a fault of theirs: it is asked for again. */
import type { Fleet, ServiceName } from "../fleet/fleet.ts";

/** A death, a freeze, or whatever else happened to the services, with the time in which it may cost work. */
export interface Blow {
  readonly service: ServiceName | "kafka";
  readonly index: number;
  readonly killed: boolean;
  readonly atMs: number;
  readonly untilMs: number;
  readonly how: string;
}

/** From the first word of a rebalance to its end, both ways from the moment at which one has joined. */
const rebalanceMs = 1_000;

/** What a fetcher had sent off when it wrote that line may reach the server so much later. */
const onTheWayMs = 250;

/** Each loss that a log tells, as a blow to the fetcher that had the work. */
export function losses(fleet: Fleet): readonly Blow[] {
  return [...returns(fleet), ...failedCommits(fleet), ...lostTasks(fleet)];
}

/** A fetcher that comes back takes tasks from the others, and what they had under way in these comes again. */
function returns(fleet: Fleet): readonly Blow[] {
  const { members, graveyard } = fleet;
  const fetchers = members.filter(({ service }) => service === "fetcher");
  return graveyard
    .filter(({ service }) => service === "fetcher")
    .flatMap((death) => {
      const joinedAtMs = fleet
        .log("fetcher", death.index)
        .filter(({ event }) => event === "joined")
        .map(({ time }) => Date.parse(String(time)))
        .find((atMs) => atMs > death.atMs);
      if (joinedAtMs === undefined) return [];
      const window = { atMs: joinedAtMs - rebalanceMs, untilMs: joinedAtMs + rebalanceMs };
      return fetchers.map(({ service, index }) => ({
        service,
        index,
        killed: false,
        ...window,
        how: `fetcher-${death.index} came back`,
      }));
    });
}

/** A transaction that the broker does not end in time is as good as lost, and what its task held comes again. */
function failedCommits(fleet: Fleet): readonly Blow[] {
  return told(fleet, "a commit failed", ({ event }) => event === "commit_failed");
}

/** A fetcher that the group took for dead, or that hands over, leaves what it had under way in these tasks. */
function lostTasks(fleet: Fleet): readonly Blow[] {
  return told(fleet, "tasks went to others", ({ event, lost }) => event === "joined" && Number(lost) > 0);
}

/** Moments at which the log of a fetcher has such a line. */
function told(
  fleet: Fleet,
  how: string,
  isIt: (line: Readonly<Record<string, unknown>>) => boolean,
): readonly Blow[] {
  return fleet.members
    .filter(({ service }) => service === "fetcher")
    .flatMap(({ service, index }) =>
      fleet
        .log(service, index)
        .filter(isIt)
        .map(({ time }) => Date.parse(String(time)))
        .map((atMs) => ({ service, index, killed: false, atMs, untilMs: atMs + onTheWayMs, how })),
    );
}
