/** What steps have sent and no transaction has taken: full, it is committed at once, and no further record is begun. */
import type { Effect } from "@sluice/topology";
import { defaultLimits } from "@sluice/runtime";
import type { LifeName, Observer, Report, StepSeen } from "../observer.ts";
import type { Settings } from "../settings.ts";

interface Gathered {
  sent: number;
  readonly latest: Set<string>;
  bytes: number;
  /** When it became full, or the commit before it was answered; null: it is not full. */
  fullSinceMs: number | null;
  isCommitting: boolean;
}

/** A turn of the loop that was begun takes no time of the clock, its timers may. */
const turnMs = 1;

const empty = (): Gathered => ({
  sent: 0,
  latest: new Set(),
  bytes: 0,
  fullSinceMs: null,
  isCommitting: false,
});

export class OutputChecks implements Observer {
  readonly #settings: Settings;
  readonly #report: Report;
  readonly #gathered = new Map<string, Gathered>();

  constructor(settings: Settings, report: Report) {
    this.#settings = settings;
    this.#report = report;
  }

  stepped(life: LifeName, { input, effects, nowMs, context }: StepSeen): void {
    const { outputRecordsMax, outputBytesMax } = this.#settings.runtime;
    const key = `${life.name}/${context.task}`;
    const gathered = input.kind === "restored" ? empty() : (this.#gathered.get(key) ?? empty());
    this.#gathered.set(key, gathered);
    if (input.kind === "record" && gathered.bytes >= outputBytesMax)
      this.#report(
        "no record is begun while the output is full",
        `${life.name} task ${context.task}: ${gathered.bytes} of ${outputBytesMax} bytes`,
      );
    const { fullSinceMs, isCommitting } = gathered;
    if (fullSinceMs !== null && !isCommitting && nowMs > fullSinceMs + turnMs)
      this.#report(
        "output that is full is committed at once",
        `${life.name} task ${context.task}: full since ${fullSinceMs}, and a step at ${nowMs}`,
      );
    for (const effect of effects) this.#add(gathered, effect);
    if (!gathered.isCommitting && gathered.sent + gathered.latest.size >= outputRecordsMax)
      gathered.fullSinceMs ??= nowMs;
  }

  committing(life: LifeName, task: number): void {
    this.#gathered.set(`${life.name}/${task}`, { ...empty(), isCommitting: true });
  }

  committed(life: LifeName, task: number): void {
    const gathered = this.#gathered.get(`${life.name}/${task}`);
    // When it is seen to be full from now on is told by the next step.
    if (gathered !== undefined) gathered.isCommitting = false;
  }

  #add(gathered: Gathered, effect: Effect<unknown>): void {
    if (effect.kind !== "send" && effect.kind !== "put") return;
    // Only the last one of a key is written.
    if (effect.kind === "put") gathered.latest.add(effect.key);
    else if (effect.latest === true) gathered.latest.add(`${effect.topic}\n${effect.key}`);
    else gathered.sent += 1;
    // To encode everything once more would cost as much as the run.
    if (this.#settings.runtime.outputBytesMax >= defaultLimits.outputBytesMax) return;
    const text = effect.value === null ? "" : JSON.stringify(effect.value);
    gathered.bytes += effect.key.length + text.length;
  }
}
