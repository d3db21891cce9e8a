/**
 * Known bugs, each one edit of a source as a worker loads it: what the simulation has to catch. Most were made by
 * somebody before us. An edit whose text is not found exactly once is itself a failure: then the bug is to be
 * planted anew.
 */
import { plantedLimitBugs } from "./planted-limit-bugs.ts";

export interface PlantedBug {
  readonly name: string;
  /** Of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** A seed that catches it, or from which on one is near. */
  readonly seed: number;
}

const runtime = "libs/runtime/src";
const frontier = "services/frontier/src/core";
const pace = "services/rate-limit/src/core";
const fetcher = "services/fetcher/src/core";
const sink = "services/result-sink/src";

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "commits the highest offset that was read",
    file: `${runtime}/ledger.ts`,
    find: "const offset = this.#lowest();",
    replace: "const offset = this.#nextOffset;",
    seed: 1,
  },
  {
    name: "counts the first unread offset as done",
    file: `${runtime}/ledger.ts`,
    find: "if (this.#nextOffset > from) edges.push(from, this.#nextOffset);",
    replace: "if (this.#nextOffset > from) edges.push(from, this.#nextOffset + 1);",
    seed: 6,
  },
  {
    name: "skips the generation check",
    file: `${runtime}/membership.ts`,
    find: "const comesBack = join.memberId === this.#memberId && generations >= 0 && generations <= 1;",
    replace: "const comesBack = generations >= 0;",
    seed: 467,
  },
  {
    name: "reads offsets without fencing",
    file: `${runtime}/preparation.ts`,
    find: "await producer.fence();",
    replace: "",
    seed: 37,
  },
  {
    name: "resumes a partition that was to be paused",
    file: `${runtime}/budget.ts`,
    find: "(paused ? changes.pause : changes.resume).push(held.at);",
    replace: "changes.resume.push(held.at);",
    seed: 32,
  },
  {
    name: "drops an earlier wake",
    file: `${runtime}/wake-queue.ts`,
    find: "if (before !== undefined && before.atMs <= atMs) return;",
    replace: "if (before !== undefined) return;",
    seed: 2,
  },
  {
    name: "asks hosts while the group may have given its tasks away",
    file: `${runtime}/heartbeats.ts`,
    find: "return this.ageMs < this.#sessionTimeoutMs / 2;",
    replace: "return true;",
    seed: 3,
  },
  {
    name: "takes a batch that does not continue its position",
    file: `${runtime}/reader.ts`,
    find: "if (batch.fromOffset === input.position) this.#inputBatch",
    replace: "if (batch.nextOffset > input.position) this.#inputBatch",
    seed: 213,
  },
  {
    name: "goes on after a failed commit as if it had come through",
    file: `${runtime}/committer.ts`,
    find: "(error: unknown) => {\n        const largest",
    replace:
      '(error: unknown) => {\n        if (!(error instanceof CommitFailed && error.fenced)) return loop.enqueue({ kind: "committed", task: number, epoch, commit, changelogEnd: null });\n        const largest',
    seed: 1,
  },
  {
    name: "loads its state before the changelog is read to its end",
    file: `${runtime}/restoration.ts`,
    find: "if (batch.nextOffset < task.restoreTarget) return;",
    replace: "",
    seed: 27,
  },
  {
    name: "lets the requests of a lost task go on",
    file: `${runtime}/task-set.ts`,
    find: "const aborted = calls.abortTask(task.number, task.epoch);",
    replace: "const aborted = 0;",
    seed: 66,
  },
  {
    name: "forgets a credit",
    file: `${frontier}/places.ts`,
    find: "state.host(entry.domain).window.settle(releaseId);",
    replace: "",
    seed: 1,
  },
  {
    name: "hands out one page grant too many",
    file: `${frontier}/job-owner.ts`,
    find: "allot(maxPages, shares)",
    replace: "allot(maxPages + 1, shares)",
    seed: 52,
  },
  {
    name: "hands out one unit of a budget too many",
    file: `${frontier}/shared-budgets.ts`,
    find: "allot(max, tasks)",
    replace: "allot(max + 1, tasks)",
    seed: 10,
  },
  {
    name: "keeps units of a budget that others want",
    file: `${frontier}/budget-units.ts`,
    find: "units.returned += spare;",
    replace: "units.returned += 0 * spare;",
    seed: 88,
  },
  {
    name: "counts a page that robots.txt forbids as one of its budgets",
    file: `${frontier}/budget-units.ts`,
    find: 'const isFree = kind !== "settled" ||',
    replace: "const isFree =",
    seed: 88,
  },
  {
    name: "forgets that other pages hold units of a budget",
    file: `${frontier}/budget-units.ts`,
    find: "} else units.out += 1;",
    replace: "} else units.out = 1;",
    seed: 10,
  },
  {
    name: "ends a job while pages are out",
    file: `${frontier}/job-owner.ts`,
    find: "if (!evenAnswers(answers)) {",
    replace: "if (answers.size === 0) {",
    seed: 1,
  },
  {
    name: "admits a page again that is done",
    file: `${frontier}/intake.ts`,
    find: "if (known !== null) return foundAgain(",
    replace: 'if (known !== null && known.at !== "settled") return foundAgain(',
    seed: 1,
  },
  {
    name: "does not count the links of a page that was settled",
    file: `${frontier}/outcomes.ts`,
    find: "view.tally.announced += outcome.linkRecords;",
    replace: "",
    seed: 1,
  },
  {
    name: "does not say that a URL has left its queue",
    file: `${frontier}/release.ts`,
    find: "view.waitsNoMore(entry);",
    replace: "",
    seed: 1,
  },
  {
    name: "issues permits without a wait from the last request",
    file: `${pace}/pace.ts`,
    find: "const spacedMs = pace.lastEndMs === null ? 0 : pace.lastEndMs + delayMs;",
    replace: "const spacedMs = 0;",
    seed: 1,
  },
  {
    name: "issues one permit more than a host has connections",
    file: `${pace}/check-rate.ts`,
    find: "politeness.concurrencyPerHost + aheadOf(",
    replace: "politeness.concurrencyPerHost + 1 + aheadOf(",
    seed: 2,
  },
  {
    name: "issues permits before Retry-After is over",
    file: `${pace}/pace.ts`,
    find: "if (outcome.retryAfterMs !== null) {",
    replace: "if (outcome.retryAfterMs === 0) {",
    seed: 7,
  },
  {
    name: "forgets what waited when it is restored",
    file: `${pace}/domains.ts`,
    find: "state.domain(name).waiting.set(due.releaseId, due);",
    replace: "",
    seed: 14,
  },
  {
    name: "asks a host at once that it has just taken over",
    file: `${fetcher}/politeness.ts`,
    find: "atMs: (lastMs ?? context.assignedAtMs) + delayMs",
    replace: "atMs: (lastMs ?? 0) + delayMs",
    seed: 88,
  },
  {
    name: "never asks for robots.txt again",
    file: `${fetcher}/permits.ts`,
    find: "return entry.expiresAtMs > nowMs ||",
    replace: "return entry.expiresAtMs > 0 ||",
    seed: 29,
  },
  {
    name: "takes a robots.txt that can't be had for one that allows",
    file: "libs/web/src/robots.ts",
    find: 'return "disallow_all";',
    replace: 'return "allow_all";',
    seed: 1,
  },
  {
    name: "lets a request begin that had waited while its host asked for quiet",
    file: `${fetcher}/settlement.ts`,
    find: "if (host.holdUntilMs <= nowMs) return;",
    replace: "if (host.holdUntilMs > 0) return;",
    seed: 160,
  },
  {
    name: "asks another domain for robots.txt by the clock of the domain that redirects there",
    file: `${fetcher}/errands.ts`,
    find: "if (domain === host.domain) return false;",
    replace: "if (domain !== null) return false;",
    seed: 62,
  },
  {
    name: "begins what another domain asks for before the host's own delay is over",
    file: `${fetcher}/permits.ts`,
    find: "// The host's own robots.txt is on its way: that will be the answer.",
    replace: `{
    const start = earliest(turn, head);
    if (start.atMs === Infinity) return false;
    host.queue.shift();
    beginRobots(turn, start, head, url, originOf(url), head);
    return true;
  }`,
    seed: 62,
  },
  {
    name: "keeps the place of a permit that is away",
    file: `${fetcher}/errands.ts`,
    find: 'sendOutcome(out, host, leaving, { kind: "settled", category: "robots", errand: releaseId });',
    replace: "",
    seed: 288,
  },
  {
    name: "appends behind what a failed write has left",
    file: `${sink}/jsonl-file.ts`,
    find: "await this.#file.truncate(bytes);",
    replace: "",
    seed: 1,
  },
  {
    name: "finishes results that could not be written",
    file: `${sink}/step.ts`,
    find: 'if (input.outcome.kind === "written") {',
    replace: 'if (input.outcome.kind !== "lost") {',
    seed: 1,
  },
  {
    name: "writes a result again whose id is in the file",
    file: `${sink}/jsonl-file.ts`,
    find: "if (ids.has(id) || this.#ids.has(id)) return 1;",
    replace: "",
    seed: 197,
  },
  {
    name: "forgets over a restart which ids are in the file",
    file: `${sink}/jsonl-file.ts`,
    find: "for (const id of await lastIds(file, checkpoint, idsMax)) ids.add(id);",
    replace: "await lastIds(file, checkpoint, 0);",
    seed: 240,
  },
  {
    name: "writes the dead letters of a table again after a restart",
    file: `${runtime}/preparation.ts`,
    find: "const position = committed === null || committed > high ? low : Math.max(committed, low);",
    replace: "const position = low;",
    seed: 10,
  },
  {
    name: "leaves poison of a table alone that was read before its task came",
    file: `${runtime}/table.ts`,
    find: "if (state.next <= from) return null;",
    replace: "return null;",
    seed: 288,
  },
  {
    name: "goes on with its own time of day",
    file: "libs/process/src/broker-clock.ts",
    find: "const nowMs = (): number => clock.nowMs() + byMs;",
    replace: "const nowMs = (): number => clock.nowMs() + 0 * byMs;",
    seed: 6,
  },
  ...plantedLimitBugs,
];
