/** Draws runs in which a user, or a time limit, stops a job in the middle of its crawl, and in which nothing else goes wrong. */
import type { Random } from "@sluice/broker/memory";
import type { Job } from "@sluice/records";
import type { Action, JobPlan } from "./plan.ts";

/** Null: the run is not of that shape. */
export function stopOf(random: Random): Random | null {
  return random.chance(0.05) ? random : null;
}

/** The jobs so slow that what is released by then would go on for longer than a stop may take. */
export function withStop<
  Work extends { readonly jobs: readonly JobPlan[]; readonly actions: readonly Action[] },
>(random: Random, work: Work): Work {
  const delayMs = random.between(250, 500);
  const fromMs = random.between(2000, 6000);
  const untilMs = fromMs + random.between(8000, 15_000);
  const kind = (["time", "paused", "cancelled"] as const)[random.between(0, 2)] ?? "time";
  const slow = (job: Job): Job => ({
    ...job,
    limits: { ...job.limits, maxDurationMs: kind === "time" ? fromMs : null },
    politeness: { ...job.politeness, delayMs, concurrencyPerHost: 1 },
  });
  const quiet = {
    time: [],
    paused: [{ fromMs, untilMs }],
    cancelled: [{ fromMs, untilMs: Number.POSITIVE_INFINITY }],
  }[kind];
  const jobs = work.jobs.map((plan) => ({
    ...plan,
    job: slow(plan.job),
    isCut: kind !== "paused",
    quiet,
    again: false,
  }));
  const said = (job: Job): readonly Action[] => {
    const begun: Action = { kind: "job", atMs: 0, job };
    if (kind === "time") return [begun];
    const stopped: Action = { kind: "job", atMs: fromMs, job: { ...job, desired: kind } };
    return kind === "paused" ? [begun, stopped, { ...begun, atMs: untilMs }] : [begun, stopped];
  };
  const others = work.actions.filter((action) => action.kind !== "job");
  return { ...work, jobs, actions: [...jobs.flatMap(({ job }) => said(job)), ...others] };
}
