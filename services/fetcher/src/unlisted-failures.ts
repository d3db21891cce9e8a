import { listedCode, unlistedCode } from "@sluice/records";
import type { PerformCall } from "@sluice/runtime";
import { Reminders } from "@sluice/telemetry";
import type { FetchCall, FetchOutcome } from "./calls.ts";

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
  readonly #reminders: Reminders;

  constructor(tell: (failure: UnlistedFailure) => void, monotonicMs: () => number) {
    this.#tell = tell;
    this.#reminders = new Reminders(monotonicMs);
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
    const count = this.#reminders.note(code);
    if (count !== null) this.#tell({ code, category, message, url, count });
  }
}
