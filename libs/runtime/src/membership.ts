import type { InputRecord } from "@sluice/topology";
import type { Join } from "./broker.ts";
import type { Kernel } from "./kernel.ts";
import type { Restoration } from "./restoration.ts";
import type { Tables } from "./tables.ts";
import type { TaskSet } from "./task-set.ts";

/** What the group says: which tasks are ours, and that it still counts us in. */
export class Membership<State, Rec extends InputRecord, Call, Outcome> {
  readonly #kernel: Kernel<State, Rec, Call, Outcome>;
  readonly #taskSet: TaskSet<State, Rec, Call, Outcome>;
  readonly #tables: Tables<State, Rec, Call, Outcome>;
  readonly #restoration: Restoration<State, Rec, Call, Outcome>;
  #memberId: string | null = null;
  #generation = 0;

  constructor(
    kernel: Kernel<State, Rec, Call, Outcome>,
    taskSet: TaskSet<State, Rec, Call, Outcome>,
    tables: Tables<State, Rec, Call, Outcome>,
    restoration: Restoration<State, Rec, Call, Outcome>,
  ) {
    this.#kernel = kernel;
    this.#taskSet = taskSet;
    this.#tables = tables;
    this.#restoration = restoration;
  }

  /** The group has taken us in at least once. */
  get joinedOnce(): boolean {
    return this.#memberId !== null;
  }

  joined(join: Join): void {
    const { heartbeats, probe, tasks } = this.#kernel;
    this.#kernel.joinsAhead -= 1;
    // A generation between the two is one whose assignment we never saw: others may have had our tasks in it.
    const generations = join.generation - this.#generation;
    const comesBack = join.memberId === this.#memberId && generations >= 0 && generations <= 1;
    this.#memberId = join.memberId;
    this.#generation = join.generation;
    heartbeats.joined();
    const mine = new Set(join.tasks);
    let lost = 0;
    let kept = 0;
    for (const task of tasks.values()) {
      // As the same member nobody else can have owned what we had and have again.
      if (comesBack && mine.has(task.number)) {
        kept += 1;
        continue;
      }
      this.#taskSet.drop(task);
      tasks.delete(task.number);
      lost += 1;
    }
    const fresh = join.tasks.filter((number) => !tasks.has(number));
    for (const number of fresh) this.#taskSet.create(number);
    probe.event("joined", {
      generation: join.generation,
      tasks: join.tasks,
      kept,
      lost,
      fresh: fresh.length,
    });
    probe.rebalanced();
    for (const task of tasks.values()) this.#taskSet.reposition(task);
    this.#tables.reposition();
    for (const task of tasks.values()) if (task.phase === "waiting") task.phase = "fencing";
    this.#restoration.start();
  }

  /** A heartbeat answer shows that the group counts us in: tasks that failed may fence again. */
  heard(): void {
    const { clock, heartbeats, tasks } = this.#kernel;
    if (!heartbeats.lately) return;
    const nowMs = clock.monotonicMs();
    let found = false;
    for (const task of tasks.values()) {
      if (task.phase !== "waiting" || nowMs < task.retryAtMs) continue;
      task.phase = "fencing";
      found = true;
    }
    if (found) this.#restoration.start();
  }
}
