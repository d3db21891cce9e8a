/** A job whose record was removed: all that is kept of it goes, in memory at once, on the disk a piece at a time. */
import { topics, type Job } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import type { Effects } from "./effects.ts";
import { jobOf } from "./jobs.ts";
import { keys } from "./keys.ts";
import type { FrontierState } from "./state.ts";
import { dropUrls } from "./views.ts";

const removedMax = 1000;

/**
 * Takes a step the less the more often it comes; none where the job has a record or nothing is known of it. The removal may be
 * read later than what other tasks tell of the next run: it is of runs up to that of the record that was read before.
 */
export function removeJob(state: FrontierState, id: string, out: Effects, context: StepContext): void {
  if (jobOf(context, id) !== undefined) return;
  const { task, tasks, partitionOf } = context;
  const lastRun = state.readRuns.get(id) ?? Infinity;
  state.readRuns.delete(id);
  // What is kept of its shared budgets, if anything is.
  state.forgetting.set(id, { lastRun, after: undefined });
  const view = state.views.get(id);
  if (view !== undefined && view.run <= lastRun) {
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
  const owner = state.owners.get(id);
  if (owner === undefined || owner.run > lastRun) return;
  state.owners.delete(id);
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
 * The job has a record. Where that is of another run than the one read before, what earlier runs have left of shared budgets
 * goes: the job may have been removed in between, and not every task has seen that. So it does once the task was taken
 * up, for it may have crashed before all was gone.
 */
export function forgetFormerRuns(state: FrontierState, { id, run }: Job): void {
  if (state.readRuns.get(id) === run) return;
  state.readRuns.set(id, run);
  const [stored] = state.entries.first(keys.sharedBudgetsOf(id), 1);
  if (stored !== undefined) state.forgetting.set(id, { lastRun: run - 1, after: undefined });
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
  for (const id of new Set([...state.views.keys(), ...state.owners.keys(), ...jobsWithBudgets(state)])) {
    // A record that can't be read, after a step back to an older version, is no word to drop a job that runs.
    const view = state.views.get(id);
    const runs = (view !== undefined && view.halt !== "ended") || state.owners.get(id)?.ended === false;
    if (!runs) removeJob(state, id, out, context);
  }
}
