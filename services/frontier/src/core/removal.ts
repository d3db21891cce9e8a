/** A job whose record was removed: all that is kept of it goes, in memory at once, on the disk a piece at a time. */
import { topics, type Job } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import type { Effects } from "./effects.ts";
import { jobOf } from "./jobs.ts";
import { keys } from "./keys.ts";
import type { FrontierState } from "./state.ts";
import { dropUrls } from "./views.ts";

const removedMax = 1000;

/** Takes a step the less the more often it comes; none where the job has a record or nothing is known of it. */
export function removeJob(state: FrontierState, id: string, out: Effects, context: StepContext): void {
  if (jobOf(context, id) !== undefined) return;
  const { task, tasks, partitionOf } = context;
  // What is kept of its shared budgets, if anything is.
  state.forgetting.set(id, undefined);
  const view = state.views.get(id);
  if (view !== undefined) {
    remember(state, id);
    dropUrls(state, view, out);
    state.views.delete(id);
    out.push({ kind: "put", key: keys.view(id), value: null });
    out.push({
      kind: "send",
      topic: topics.counters.name,
      key: `${id}/${task}`,
      partition: partitionOf(id),
      latest: true,
      value: null,
    });
  }
  if (!state.owners.delete(id)) return;
  out.push({ kind: "put", key: keys.owner(id), value: null });
  out.push({ kind: "send", topic: topics.counters.name, key: id, value: null, latest: true });
  for (let each = 0; each < tasks; each += 1)
    out.push({
      kind: "send",
      topic: topics.grants.name,
      key: `${id}/${each}`,
      partition: each,
      latest: true,
      value: null,
    });
}

function remember(state: FrontierState, id: string): void {
  // As a new one it is the last to be forgotten.
  state.removed.delete(id);
  state.removed.add(id);
  const [oldest] = state.removed;
  if (state.removed.size > removedMax && oldest !== undefined) state.removed.delete(oldest);
}

/**
 * The job has a record. Where that is of another run than this task knows of, what runs before it have left of shared
 * budgets goes: the job may have been removed in between, and not every task has seen that.
 */
export function forgetFormerRuns(state: FrontierState, job: Job): void {
  if (state.views.get(job.id)?.run === job.run) return;
  const [stored] = state.entries.first(keys.sharedBudgetsOf(job.id), 1);
  if (stored !== undefined) state.forgetting.set(job.id, undefined);
}

/** Jobs of which shared budgets are kept: one read each. */
function jobsWithBudgets(state: FrontierState): readonly string[] {
  const jobs: string[] = [];
  for (let after: string | undefined; ;) {
    const [next] = state.entries.first("s|", 1, after);
    if (next === undefined) return jobs;
    const job = next[0].slice(2, next[0].indexOf("|", 2));
    jobs.push(job);
    // Beyond all keys of this job: they go on with a bar.
    after = `s|${job}}`;
  }
}

/**
 * Jobs that had ended and whose records were removed while this task ran nowhere. To be called long after the task was taken up: its
 * state may be ahead of the table of jobs by a moment, and what is removed then would be a job that runs.
 */
export function removeOrphans(state: FrontierState, out: Effects, context: StepContext): void {
  const withBudgets = jobsWithBudgets(state);
  // A crash may have come before all was gone that former runs have left of them.
  for (const id of withBudgets) if (jobOf(context, id) !== undefined) state.forgetting.set(id, undefined);
  for (const id of new Set([...state.views.keys(), ...state.owners.keys(), ...withBudgets])) {
    // A record that can't be read, after a step back to an older version, is no word to drop a job that runs.
    const hasEnded =
      (state.views.get(id)?.halt ?? "ended") === "ended" && state.owners.get(id)?.ended !== false;
    if (hasEnded) removeJob(state, id, out, context);
  }
}
