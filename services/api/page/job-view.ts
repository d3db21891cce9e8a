/** Everything about the job that is looked at. */
import { drawChart } from "./chart.ts";
import { byId, set, setText } from "./elements.ts";
import type { ConnectionState } from "./event-connection.ts";
import { countText, elapsedText, rateText } from "./figure-text.ts";
import { conditionOf, ordersFor, type JobRow, type Order } from "./job-list.ts";
import type { UrlCounts } from "@sluice/records";
import type { JobState } from "./job-state.ts";
import { failureRow, pageRow, RecentView } from "./recent-view.ts";
import { rateOf, smoothed } from "./second-series.ts";

const shares = ["done", "failed", "skipped", "inFlight", "waiting"] as const;
const shareTexts = {
  done: "done",
  failed: "failed",
  skipped: "skipped",
  inFlight: "in flight",
  waiting: "waiting",
} as const satisfies Record<(typeof shares)[number], string>;
const orders: readonly Order[] = ["pause", "resume", "cancel"];

const timeText = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const text = (id: string): HTMLElement => byId(id, HTMLElement);

export class JobView {
  readonly #pages = new RecentView("pages", "No page has come yet.", pageRow);
  readonly #failures = new RecentView("failures", "None.", failureRow);

  /** `row` null: the list does not have the job. */
  show(row: JobRow | null, state: JobState, stream: ConnectionState): void {
    setText(text("job-title"), state.job);
    this.#head(row);
    showStream(stream);
    showTroubles(state, row);
    showFigures(state.figures);
    setText(text("elapsed"), state.elapsedSeconds === null ? "–" : elapsedText(state.elapsedSeconds));
    showRate(state);
    showQueue(state);
    this.#pages.show(state.pages, state.pagesCount);
    this.#failures.show(state.failures, state.failuresCount);
  }

  #head(row: JobRow | null): void {
    const pill = text("job-condition");
    pill.hidden = row === null;
    const allowed = row === null ? [] : ordersFor(row);
    for (const order of orders) text(order).hidden = !allowed.includes(order);
    setText(text("job-facts"), row === null ? "" : factsOf(row));
    if (row === null) return;
    const { condition, text: said } = conditionOf(row);
    set(pill, { "data-condition": condition });
    setText(pill, said);
  }
}

function factsOf({ job, run, seedsCount }: JobRow): string {
  const { maxPages, maxDepth } = job.limits;
  return [
    `${countText(seedsCount)} start URL${seedsCount === 1 ? "" : "s"}`,
    `scope ${job.scope.kind}`,
    `delay ${countText(job.politeness.delayMs)} ms`,
    ...(maxPages === null ? [] : [`at most ${countText(maxPages)} pages`]),
    ...(maxDepth === null ? [] : [`${countText(maxDepth)} links deep`]),
    ...(run === 1 ? [] : [`run ${run}`]),
    ...(job.submittedAtMs === 0 ? [] : [`submitted ${timeText.format(job.submittedAtMs)}`]),
  ].join(" · ");
}

function showStream(stream: ConnectionState): void {
  set(text("stream"), { "data-kind": stream.kind });
  setText(text("stream-state"), streamText(stream));
  text("retry").hidden = stream.kind !== "lost";
  if (stream.kind !== "lost") setText(text("stream-wait"), "");
}

function streamText(stream: ConnectionState): string {
  switch (stream.kind) {
    case "connecting":
      return "Connecting…";
    case "live":
      return "Live";
    case "lost":
      return `Connection lost: ${stream.reason}.`;
    case "ended":
      return "All events have come.";
    case "refused":
      return `No events: ${stream.detail}`;
    default:
      return stream satisfies never;
  }
}

/** Seconds until the next try; apart from the state, so that it is not read out each second. */
export function showWait(leftMs: number): void {
  setText(text("stream-wait"), `Reconnecting in ${Math.max(1, Math.ceil(leftMs / 1000))} s`);
}

function showTroubles({ misreadCount, misreadReason, gap, end }: JobState, row: JobRow | null): void {
  const events = misreadCount === 1 ? "1 event" : `${countText(misreadCount)} events`;
  show(
    "misread",
    misreadCount === 0 ? null : `${events} could not be understood. The last: ${misreadReason}`,
  );
  show("gap", gap);
  const error = end?.error ?? row?.status?.error ?? null;
  show("job-error", error === null ? null : `The job failed: ${error}`);
}

/** Null hides it. */
export function show(id: string, message: string | null): void {
  const target = text(id);
  target.hidden = message === null;
  setText(target, message ?? "");
}

function showFigures(figures: UrlCounts | null): void {
  for (const name of [...shares, "admitted"] as const)
    setText(text(`figure-${name}`), figures === null ? "–" : countText(figures[name]));
  const bar = text("shares");
  for (const name of shares) {
    const part = bar.querySelector<HTMLElement>(`[data-share="${name}"]`);
    if (part === null) continue;
    const count = figures?.[name] ?? 0;
    part.style.flexGrow = String(count);
    part.hidden = count === 0;
    set(part, { "data-some": count > 0 ? "" : null });
  }
  if (figures === null) return;
  const parts = shares.map((name) => `${countText(figures[name])} ${shareTexts[name]}`).join(", ");
  set(bar, { "aria-label": `Of ${countText(figures.admitted)} known URLs: ${parts}` });
}

/** The last second is not over while the job goes on. */
function showRate({ pagesBySecond, pagesCount, end }: JobState): void {
  const values = smoothed(end === null ? pagesBySecond.values.slice(0, -1) : pagesBySecond.values);
  const rate = rateOf(pagesBySecond);
  const mean = end === null || end.durationMs === 0 ? null : (pagesCount * 1000) / end.durationMs;
  const shown = end === null ? rate : mean;
  setText(text("rate"), shown === null ? "–" : rateText(shown));
  const most = `most ${rateText(Math.max(0, ...values))}`;
  const now = end === null ? "mean of 10 s" : "over the whole run";
  setText(text("rate-note"), values.length < 2 ? now : `${now} · ${most} in the last minute`);
  drawChart(byId("rate-chart", SVGElement), values, `Pages per second in the last minute: ${most}`);
}

function showQueue({ queueBySecond: { values }, figures }: JobState): void {
  setText(text("queue"), figures === null ? "–" : countText(figures.waiting));
  const most = `most ${countText(Math.max(0, ...values))}`;
  setText(
    text("queue-note"),
    values.length < 2 ? "URLs that wait" : `URLs that wait · ${most} in the last minute`,
  );
  drawChart(byId("queue-chart", SVGElement), values, `Queue depth in the last minute: ${most}`);
}
