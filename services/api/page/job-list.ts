/** Which jobs the list shows, in which order, and what state each is in as people say it. */
import type { JobRow } from "../src/job-view.ts";

/** Most rows; the rest is counted. */
export const rowsMax = 100;

export type { JobRow } from "../src/job-view.ts";

export type Condition =
  | "submitted"
  | "running"
  | "pausing"
  | "paused"
  | "resuming"
  | "ending"
  | "completed"
  | "stopped"
  | "failed";

export interface JobCondition {
  readonly condition: Condition;
  readonly text: string;
}

const reasonTexts = {
  completed: "completed",
  max_pages: "page limit reached",
  timeout: "out of time",
  cancelled: "cancelled",
  interrupted: "interrupted",
  failed: "failed",
} as const satisfies Record<NonNullable<NonNullable<JobRow["status"]>["finishReason"]>, string>;

/** What was ordered shows at once, as something that is about to happen. */
export function conditionOf({ state, status, job }: JobRow): JobCondition {
  if (state === "ended") return endOf(status);
  if (job.desired === "cancelled") return { condition: "ending", text: "cancelling" };
  if (state === "ending") return { condition: "ending", text: "ending" };
  if (job.desired === "paused" && state !== "paused") return { condition: "pausing", text: "pausing" };
  if (job.desired === "running" && state === "paused") return { condition: "resuming", text: "resuming" };
  return { condition: state, text: state };
}

function endOf(status: JobRow["status"]): JobCondition {
  const reason = status?.finishReason ?? "completed";
  const text = reasonTexts[reason];
  switch (reason) {
    case "completed":
    case "max_pages":
      return { condition: "completed", text };
    case "failed":
      return { condition: "failed", text };
    case "timeout":
    case "cancelled":
    case "interrupted":
      return { condition: "stopped", text };
    default:
      return reason satisfies never;
  }
}

export type Order = "pause" | "resume" | "cancel";

/** What may be ordered of the job now. */
export function ordersFor({ state, job }: JobRow): readonly Order[] {
  if (state === "ended" || job.desired === "cancelled") return [];
  return [job.desired === "paused" ? "resume" : "pause", "cancel"];
}

/** Jobs at work first, then the latest; ids decide where that is equal, so that rows do not jump. */
export function inOrder(rows: readonly JobRow[]): readonly JobRow[] {
  const ended = ({ state }: JobRow): number => (state === "ended" ? 1 : 0);
  return rows.toSorted(
    (a, b) =>
      ended(a) - ended(b) ||
      b.job.submittedAtMs - a.job.submittedAtMs ||
      (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
  );
}
