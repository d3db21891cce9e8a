import { Reminders } from "./reminders.ts";

/** A value that no label lists, and so counts as `other`. */
export interface UnlistedValue {
  readonly metric: string;
  readonly label: string;
  readonly value: string;
  /** How often since it was told last, this time included. */
  readonly count: number;
}

const valueCharsMax = 100;

/** Tells of values that no label lists, each once a minute: nobody has thought of them yet. */
export class UnlistedValues {
  readonly #tell: (value: UnlistedValue) => void;
  readonly #reminders: Reminders;

  constructor(tell: (value: UnlistedValue) => void, monotonicMs: () => number) {
    this.#tell = tell;
    this.#reminders = new Reminders(monotonicMs);
  }

  note(metric: string, label: string, found: string): void {
    const value = found.slice(0, valueCharsMax);
    const count = this.#reminders.note(`${metric} ${label} ${value}`);
    if (count !== null) this.#tell({ metric, label, value, count });
  }
}
