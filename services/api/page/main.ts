/** The operator's page: the list of jobs, asked for again and again, and the stream of the one looked at. */
import { ApiClient } from "./api-client.ts";
import type { ConnectionPorts } from "./event-connection.ts";
import { byId, set, setText } from "./elements.ts";
import { agoText } from "./figure-text.ts";
import { JobFollower } from "./job-follower.ts";
import { inOrder, type JobRow, type Order } from "./job-list.ts";
import { JobView, show, showWait } from "./job-view.ts";
import { JobsView } from "./jobs-view.ts";
import { OrderForm } from "./order-form.ts";
import { TokenDialog } from "./token-dialog.ts";

/** Between an answer and the next question. */
const refreshMs = 3000;
/** Most jobs that the API gives at once. */
const jobsMax = 1000;

interface JobPage {
  readonly jobs: readonly JobRow[];
  readonly next: string | null;
}

const client = new ApiClient({
  baseUrl: new URL(".", document.baseURI).href,
  fetch: (url, init) => fetch(url, init),
  tokens: sessionStorage,
  onUnauthorized: () => tokenDialog.open(),
});
const tokenDialog = new TokenDialog(client, () => {
  void refresh();
  follower?.open();
});
const orderForm = new OrderForm(client, (id) => {
  location.hash = `#job=${encodeURIComponent(id)}`;
  void refresh();
});
const jobsView = new JobsView();
const jobView = new JobView();

let rows: readonly JobRow[] = [];
let isPart = false;
let refreshedAtMs: number | null = null;
let follower: JobFollower | null = null;
/** When the stream is asked for again, by `performance.now()`. */
let retryAtMs: number | null = null;
let isDrawing = false;
let refreshTimer: ReturnType<typeof setTimeout> | undefined;

const streamPorts = (id: string): ConnectionPorts => ({
  open: (lastId, signal) => client.openStream(`v1/jobs/${encodeURIComponent(id)}/events`, lastId, signal),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
});

/** Once a frame, however much has happened; not at all while nobody looks. */
function draw(): void {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    jobsView.show(rows, isPart, follower?.job ?? null, Date.now());
    byId("forget-token", HTMLElement).hidden = !client.hasToken;
    byId("panel", HTMLElement).hidden = follower === null;
    if (follower === null) return;
    byId("no-job", HTMLElement).hidden = true;
    jobView.show(rowOf(follower.job), follower.state, follower.stream);
    document.title = `${follower.job} – Sluice`;
  });
}

const rowOf = (id: string): JobRow | null => rows.find((row) => row.id === id) ?? null;

function follow(id: string): void {
  if (follower?.job === id) return;
  follower?.close();
  retryAtMs = null;
  show("order-trouble", null);
  let ended = false;
  const made = new JobFollower(id, streamPorts(id), () => {
    if (made !== follower) return;
    // The list then shows it too, without waiting for its turn.
    if (!ended && made.state.end !== null) void refresh();
    ended = made.state.end !== null;
    retryAtMs = made.stream.kind === "lost" ? (retryAtMs ?? performance.now() + made.stream.retryInMs) : null;
    draw();
  });
  follower = made;
  made.open();
  const row = rowOf(id);
  if (row !== null) made.see(row);
  draw();
}

async function refresh(): Promise<void> {
  clearTimeout(refreshTimer);
  if (!tokenDialog.isOpen && !document.hidden) await readJobs();
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(() => void refresh(), refreshMs);
}

async function readJobs(): Promise<void> {
  const answer = await client.get<JobPage>(`v1/jobs?limit=${jobsMax}`);
  const said = byId("list-state", HTMLElement);
  if (answer.kind === "problem") {
    const age =
      refreshedAtMs === null ? "" : ` The list is from ${agoText(performance.now() - refreshedAtMs)}.`;
    setText(said, `${answer.detail}${age}`);
    set(said, { class: "list-state bad" });
    return;
  }
  setText(said, "");
  set(said, { class: "list-state" });
  refreshedAtMs = performance.now();
  rows = inOrder(answer.body.jobs);
  isPart = answer.body.next !== null;
  const first = rows[0];
  if (follower === null && first !== undefined) follow(selected() ?? first.id);
  else if (follower === null)
    setText(byId("no-job", HTMLElement), "No jobs yet. “New job” starts the first.");
  const row = follower === null ? null : rowOf(follower.job);
  if (row !== null) follower?.see(row);
  draw();
}

/** The job that the address names. */
function selected(): string | null {
  const name = /^#job=(.+)$/.exec(location.hash)?.[1];
  if (name === undefined) return null;
  try {
    return decodeURIComponent(name);
  } catch {
    return null;
  }
}

function followSelected(): void {
  const id = selected();
  if (id !== null) follow(id);
}

async function order(verb: Order, id: string | undefined): Promise<void> {
  if (id === undefined) return;
  const answer = await client.post(`v1/jobs/${encodeURIComponent(id)}/${verb}`, null);
  if (follower?.job !== id) return;
  show("order-trouble", answer.kind === "ok" ? null : answer.detail);
  await refresh();
}

const confirm = byId("confirm", HTMLDialogElement);
let toCancel: string | undefined;
confirm.addEventListener("close", () => {
  if (confirm.returnValue === "cancel") void order("cancel", toCancel);
});

const onClick = (id: string, run: () => void): void =>
  byId(id, HTMLButtonElement).addEventListener("click", run);
onClick("new-job", () => orderForm.open());
onClick("pause", () => void order("pause", follower?.job));
onClick("resume", () => void order("resume", follower?.job));
onClick("cancel", () => {
  toCancel = follower?.job;
  setText(byId("confirm-title", HTMLElement), `Cancel ${toCancel ?? ""}?`);
  confirm.returnValue = "";
  confirm.showModal();
});
onClick("retry", () => follower?.retryNow());
onClick("forget-token", () => {
  client.setToken(null);
  location.reload();
});

addEventListener("hashchange", followSelected);
addEventListener("online", () => follower?.retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  follower?.retryNow();
  void refresh();
});
setInterval(() => {
  if (retryAtMs !== null) showWait(retryAtMs - performance.now());
}, 250);

followSelected();
void refresh();
