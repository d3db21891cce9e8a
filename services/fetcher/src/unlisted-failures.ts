import { listedCode, unlistedCode } from "@sluice/records";
import type { PerformCall } from "@sluice/runtime";
import type { FetchCall, FetchOutcome } from "./calls.ts";

/** Codes remembered; hosts can't choose them, but libraries may have more than anybody has met. */
const codesMax = 100;
/** A code is told again after this time. */
const againMs = 60_000;

export interface UnlistedFailure {
  readonly code: string;
  readonly category: string;
  readonly message: string;
  readonly url: string;
  /** Failures with this code since it was told last, this one included. */
  readonly count: number;
}

/** Tells of failures whose code is in no table, each code once a minute: nobody has thought of them yet. */
export class UnlistedFailures {
  readonly #tell: (failure: UnlistedFailure) => void;
  readonly #monotonicMs: () => number;
  readonly #told = new Map<string, { atMs: number; since: number }>();

  constructor(tell: (failure: UnlistedFailure) => void, monotonicMs: () => number) {
    this.#tell = tell;
    this.#monotonicMs = monotonicMs;
  }

  around(perform: PerformCall<FetchCall, FetchOutcome>): PerformCall<FetchCall, FetchOutcome> {
    return async (call, signal) => {
      const outcome = await perform(call, signal);
      if (outcome.answer.kind === "failed") this.#look(call.url, outcome.answer);
      return outcome;
    };
  }

  #look(url: string, failed: Extract<FetchOutcome["answer"], { kind: "failed" }>): void {
    const { category, code, message } = failed;
    if (listedCode(code) !== unlistedCode) return;
    const nowMs = this.#monotonicMs();
    const before = this.#told.get(code);
    if (before !== undefined && nowMs - before.atMs < againMs) {
      before.since += 1;
      return;
    }
    this.#told.delete(code);
    this.#told.set(code, { atMs: nowMs, since: 0 });
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= codesMax) break;
      this.#told.delete(oldest);
    }
    this.#tell({ code, category, message, url, count: (before?.since ?? 0) + 1 });
  }
}
