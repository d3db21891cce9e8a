/** Draws what goes wrong in a run, and when. */
import { type CommitFault, commitFaults, type Random } from "@sluice/broker/memory";
import type { JobPlan, Plan } from "./plan.ts";
import type { Settings } from "./settings.ts";

export const serviceNames = ["frontier", "rate-limit", "fetcher", "result-sink"] as const;
export type ServiceName = (typeof serviceNames)[number];

/** Those that have state on a disk. */
export const statefulNames = ["frontier", "rate-limit"] as const;
export type StatefulName = (typeof statefulNames)[number];

/** What goes wrong or is done to a process, at an instant of the run. */
export type Fault = { readonly atMs: number } & (
  | {
      readonly kind: "kill";
      readonly service: ServiceName;
      readonly index: number;
      readonly downMs: number;
      readonly loseState: boolean;
    }
  /** Dies in the middle of what it does: with the so many-th effect from that instant on. */
  | {
      readonly kind: "kill_at_effect";
      readonly service: ServiceName;
      readonly index: number;
      readonly effects: number;
      /** Only effects of this kind count; null: all. */
      readonly effect: string | null;
      readonly downMs: number;
      readonly loseState: boolean;
    }
  | { readonly kind: "freeze"; readonly service: ServiceName; readonly index: number; readonly forMs: number }
  | { readonly kind: "rebalance"; readonly service: ServiceName }
  | { readonly kind: "scale_out"; readonly service: ServiceName }
  | { readonly kind: "scale_in"; readonly service: ServiceName; readonly index: number }
  | { readonly kind: "consumer_crash"; readonly service: ServiceName; readonly index: number }
  | { readonly kind: "outage"; readonly forMs: number }
  | {
      readonly kind: "commit_fault";
      readonly service: ServiceName;
      readonly task: number;
      readonly fault: CommitFault;
    }
  | { readonly kind: "foreign_fence"; readonly service: ServiceName; readonly task: number }
  | { readonly kind: "compact" }
  /** The broker's time of day is set: processes that start from then on have another one than those before. */
  | { readonly kind: "clock_jump"; readonly aheadMs: number }
  /** The disk on which a process has its state. */
  | {
      readonly kind: "state_full";
      readonly service: StatefulName;
      readonly index: number;
      readonly forMs: number;
    }
  | { readonly kind: "disk"; readonly trouble: "full" | "slow" | "failing"; readonly forMs: number }
);

/** The last fault begins before this instant of the run. */
export const faultsUntilMs = 7000;
/** And has ended, whatever it was, at this one. */
export const faultsOverMs = 20_000;

export function faultsOf(random: Random, partitions: number, instances: Plan["instances"]): readonly Fault[] {
  const count = random.chance(0.1) ? random.between(6, 10) : random.between(1, 5);
  return Array.from({ length: count }, () => faultOf(random, partitions, instances)).sort(
    (a, b) => a.atMs - b.atMs,
  );
}

function faultOf(random: Random, partitions: number, instances: Plan["instances"]): Fault {
  const atMs = random.between(100, faultsUntilMs);
  const service = serviceNames[random.between(0, serviceNames.length - 1)] ?? "fetcher";
  const index = random.between(0, instances[service] - 1);
  const task = random.between(0, partitions - 1);
  const downMs = random.chance(0.5) ? random.between(0, 300) : random.between(300, 5000);
  const loseState = random.chance(0.5);
  const dice = random.between(0, 99);
  if (dice < 10) return { kind: "kill", atMs, service, index, downMs, loseState };
  if (dice < 38) {
    const effect = random.chance(0.5) ? (killPoints[random.between(0, killPoints.length - 1)] ?? null) : null;
    const effects = effect === null ? random.between(1, 60) : random.between(1, 4);
    const who = (effect === null ? undefined : onlyIn[effect]) ?? service;
    return { kind: "kill_at_effect", atMs, service: who, index, effects, effect, downMs, loseState };
  }
  if (dice < 58) return freezeOf(random, service);
  if (dice < 68) return { kind: "rebalance", atMs, service };
  if (dice < 76) return { kind: "scale_out", atMs, service: service === "result-sink" ? "fetcher" : service };
  if (dice < 80) return { kind: "scale_in", atMs, service, index };
  if (dice < 83) return { kind: "consumer_crash", atMs, service, index };
  if (dice < 87) return { kind: "outage", atMs, forMs: random.between(100, 6000) };
  if (dice < 92) {
    const fault = commitFaults[random.between(0, commitFaults.length - 1)] ?? "refused";
    return { kind: "commit_fault", atMs, service, task, fault };
  }
  if (dice < 94) return { kind: "foreign_fence", atMs, service, task };
  if (dice < 96) return { kind: "compact", atMs };
  const trouble = (["full", "slow", "failing"] as const)[random.between(0, 2)] ?? "full";
  return { kind: "disk", atMs, trouble, forMs: random.between(500, 8000) };
}

/**
 * By less than a lease, and than robots.txt is good for: what is promised of more is that an alarm tells it. The time limit of a job is kept by the clock of
 * whoever has the job, whatever that says.
 */
export function clockJumps(random: Random, settings: Settings, jobs: readonly JobPlan[]): readonly Fault[] {
  const { frontier, fetcher } = settings;
  const shortestMs = Math.min(frontier.leaseMs, fetcher.robotsTtlMs);
  if (!random.chance(0.1) || shortestMs < 2 * clockJumpMsMax) return [];
  if (jobs.some(({ job }) => job.limits.maxDurationMs !== null)) return [];
  return Array.from({ length: random.between(1, 2) }, () => ({
    kind: "clock_jump",
    atMs: random.between(300, faultsUntilMs),
    aheadMs: random.between(-clockJumpMsMax, clockJumpMsMax),
  }));
}

const clockJumpMsMax = 20_000;

/** Most of them outlast a checkpoint, so that it is met by one that does little. */
export function fullStates(random: Random): readonly Fault[] {
  if (!random.chance(0.1)) return [];
  return Array.from({ length: random.between(1, 2) }, () => ({
    kind: "state_full",
    atMs: random.between(300, faultsUntilMs),
    service: statefulNames[random.between(0, statefulNames.length - 1)] ?? "frontier",
    index: random.between(0, 1),
    forMs: random.between(500, 6000),
  }));
}

/** Two fetchers, of which each freezes once: one of them had the host. */
export function lateWakes(random: Random): readonly Fault[] {
  const fault = (index: number, atMs: number): Fault => ({
    kind: "freeze",
    atMs,
    service: "fetcher",
    index,
    forMs: random.between(3200, 5000),
  });
  return [fault(0, random.between(800, 1500)), fault(1, random.between(6500, 7000))];
}

/** Most of them outlast the session, so that the process wakes when others have its tasks. */
function freezeOf(random: Random, drawn: ServiceName): Fault {
  const atMs = random.between(100, 4000);
  const service = random.chance(0.4) ? "fetcher" : drawn;
  const forMs = random.chance(0.3) ? random.between(300, 3000) : random.between(3000, 6500);
  return { kind: "freeze", atMs, service, index: random.between(0, 1), forMs };
}

/** The services that have an effect which the others have not. */
const onlyIn: Readonly<Partial<Record<string, ServiceName>>> = { request: "fetcher", disk: "result-sink" };

/** Effects at which a process may be made to die. */
export const killPoints = [
  "step",
  "fence",
  "request",
  "after_send",
  "after_send_offsets",
  "after_commit_sent",
  "after_commit_before_store",
  "after_assignment_before_fence",
  "disk",
] as const;
