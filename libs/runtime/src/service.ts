import { asError, SluiceError } from "@sluice/errors";
import type { InputRecord } from "@sluice/topology";
import type { QueuedCall } from "./call-queue.ts";
import { Caller } from "./caller.ts";
import { Checkpoints } from "./checkpoints.ts";
import { Committer } from "./committer.ts";
import { figuresOf, type Figures, type RunningTask } from "./figures.ts";
import { Kernel, type LoopEvent } from "./kernel.ts";
import { Membership } from "./membership.ts";
import { Reader } from "./reader.ts";
import { RebalanceTimer } from "./rebalance-timer.ts";
import { Restoration } from "./restoration.ts";
import type { ServiceOptions } from "./service-options.ts";
import { Stepper } from "./stepper.ts";
import { Tables } from "./tables.ts";
import type { Task } from "./task.ts";
import { TaskSet } from "./task-set.ts";

/**
 * Runs one service: poll → step → perform effects → commit. `turn` is the only mutator; whatever happens
 * elsewhere (fetches, heartbeats, commits, calls) only puts an event into the inbox.
 */
export class Service<State, Rec extends InputRecord, Call, Outcome> {
  readonly #kernel: Kernel<State, Rec, Call, Outcome>;
  readonly #stepper: Stepper<State, Rec, Call, Outcome>;
  readonly #taskSet: TaskSet<State, Rec, Call, Outcome>;
  readonly #tables: Tables<State, Rec, Call, Outcome>;
  readonly #restoration: Restoration<State, Rec, Call, Outcome>;
  readonly #membership: Membership<State, Rec, Call, Outcome>;
  readonly #reader: Reader<State, Rec, Call, Outcome>;
  readonly #caller: Caller<State, Rec, Call, Outcome>;
  readonly #committer: Committer<State, Rec, Call, Outcome>;
  readonly #checkpoints: Checkpoints<State, Rec, Call, Outcome>;
  readonly #rebalance = new RebalanceTimer();
  #inbox: LoopEvent<Outcome>[] = [];
  #turns = 0;
  #scheduled = false;
  #wakeTimer: (() => void) | null = null;
  #wakeTimerAtMs = Infinity;
  #stopping: Promise<void> | null = null;
  #drained: (() => void) | null = null;

  constructor(options: ServiceOptions<State, Rec, Call, Outcome>) {
    const kernel = new Kernel<State, Rec, Call, Outcome>(options, {
      enqueue: (event) => this.#enqueue(event),
      fail: (error) => this.#fail(asError(error)),
    });
    this.#kernel = kernel;
    this.#stepper = new Stepper(kernel);
    this.#taskSet = new TaskSet(kernel);
    this.#tables = new Tables(kernel);
    this.#restoration = new Restoration(kernel, this.#taskSet, this.#tables, this.#stepper);
    this.#membership = new Membership(kernel, this.#taskSet, this.#tables, this.#restoration);
    this.#reader = new Reader(kernel, this.#taskSet, this.#tables, this.#restoration, this.#stepper);
    this.#caller = new Caller(kernel, this.#stepper);
    this.#committer = new Committer(kernel, this.#taskSet);
    this.#checkpoints = new Checkpoints(kernel);
  }

  async start(): Promise<void> {
    const { clock, consumer, heartbeats, probe } = this.#kernel;
    this.#rebalance.began(clock.monotonicMs());
    this.#checkpoints.start();
    await consumer.start({
      onJoined: (join) => {
        this.#kernel.joinsAhead += 1;
        this.#enqueue({ kind: "joined", join });
      },
      onBatch: (batch) => this.#enqueue({ kind: "batch", batch }),
      onHeartbeat: () => {
        heartbeats.answered();
        this.#enqueue({ kind: "heartbeat" });
      },
      onRebalancing: () => {
        this.#rebalance.began(clock.monotonicMs());
        probe.event("rebalancing", {});
      },
      onFailed: (error, restarting) => {
        probe.event("consumer_failed", { message: error.message, restarting });
        if (!restarting) {
          this.#fail(
            new SluiceError("SLUICE_CONSUMER_DEAD", `consumer ended: ${error.message}`, { cause: error }),
          );
        }
      },
    });
  }

  /** Tasks by phase, for health and metrics. */
  phases(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { phase } of this.#kernel.tasks.values()) counts.set(phase, (counts.get(phase) ?? 0) + 1);
    return counts;
  }

  /** Figures that change from moment to moment, for gauges. */
  gauges(): {
    heldRecords: number;
    heldBytes: number;
    calls: number;
    callsSlow: number;
    callsWaiting: number;
    unpersisted: number;
    paused: ReadonlyMap<string, number>;
  } {
    const { budget, calls, tasks } = this.#kernel;
    let unpersisted = 0;
    for (const task of tasks.values()) unpersisted += task.output.records;
    return {
      heldRecords: budget.heldRecords,
      heldBytes: budget.heldBytes,
      calls: calls.running,
      callsSlow: calls.slow,
      callsWaiting: calls.waiting,
      unpersisted,
      paused: budget.pausedByReason(),
    };
  }

  /** Sizes of everything that grows with what is under way, all 0 when nothing is; for tests of leaks. */
  leftovers(): Readonly<Record<"inbox" | "preparing" | "held" | "lanes" | "wakes" | "calls", number>> {
    const sum = (size: (task: Task<State, Rec>) => number): number =>
      [...this.#kernel.tasks.values()].reduce((all, task) => all + size(task), 0);
    return {
      inbox: this.#inbox.length,
      preparing: this.#restoration.preparing,
      held: sum(({ held }) => held.size),
      lanes: sum(({ lanes }) => lanes.size),
      wakes: sum(({ wakes }) => wakes.size),
      calls: sum(({ calls }) => calls.size),
    };
  }

  /** The rest of what it holds, and how far it is. */
  figures(): Figures {
    return figuresOf(this.#kernel as unknown as Kernel<never, never, never, never>);
  }

  get joinedOnce(): boolean {
    return this.#membership.joinedOnce;
  }

  get tablesReady(): boolean {
    return this.#tables.ready;
  }

  /** Turns of the loop so far. */
  get turns(): number {
    return this.#turns;
  }

  /** There is something that the next turn would do: one that never comes is a loop that is stuck, or dead. */
  get isDue(): boolean {
    const { clock, closing, dead } = this.#kernel;
    if (dead) return !closing;
    return this.#scheduled || this.#inbox.length > 0 || this.#wakeTimerAtMs <= clock.nowMs();
  }

  /** Joined, tables read, every task running. */
  get ready(): boolean {
    if (!this.#membership.joinedOnce || !this.#tables.ready) return false;
    for (const task of this.#kernel.tasks.values()) if (task.phase !== "running") return false;
    return true;
  }

  /** The state of each running task; for tests, health and gauges only. */
  states(): readonly RunningTask<State>[] {
    const found: RunningTask<State>[] = [];
    for (const { number, state, context } of this.#kernel.tasks.values())
      if (state !== null && context !== null) found.push({ task: number, state, context });
    return found;
  }

  /** An entry of a local table changed: every running task is stepped with it. */
  localTableChanged(table: string, key: string): void {
    this.#enqueue({ kind: "local_table", table, key });
  }

  /**
   * Graceful end: no new records, calls in flight end (aborted after `drainMs`), everything finished is
   * committed, the group is left.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#drain();
    return this.#stopping;
  }

  async #drain(): Promise<void> {
    const { budget, calls, clock, limits, options, probe, tasks } = this.#kernel;
    this.#kernel.closing = true;
    if (this.#kernel.dead) return this.#shutDown();
    for (const task of tasks.values()) {
      for (const topic of options.inputs) budget.hold(this.#kernel.at(topic, task.number), "draining");
    }
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    const cancelAbort = clock.after(limits.drainMs, () => {
      probe.event("drain_limit", { calls: calls.running });
      calls.abortAll();
    });
    const cancelWait = clock.after(limits.drainMs + limits.drainGraceMs, () => this.#drained?.());
    this.#schedule();
    await drained;
    cancelAbort();
    cancelWait();
    await this.#shutDown();
  }

  /** End at once: nothing more is committed. */
  async destroy(): Promise<void> {
    this.#kernel.closing = true;
    this.#kernel.calls.abortAll();
    this.#kernel.dead = true;
    this.#drained?.();
    await this.#shutDown();
  }

  async #shutDown(): Promise<void> {
    const { consumer, options, probe, tasks } = this.#kernel;
    this.#kernel.dead = true;
    this.#wakeTimer?.();
    this.#checkpoints.stop();
    await consumer.stop().catch((error: unknown) => {
      probe.event("leave_failed", { message: String(error) });
    });
    for (const task of tasks.values()) this.#taskSet.drop(task);
    tasks.clear();
    options.stores.close();
  }

  #fail(error: Error): void {
    if (this.#kernel.dead) return;
    this.#kernel.dead = true;
    this.#kernel.calls.abortAll();
    this.#wakeTimer?.();
    this.#checkpoints.stop();
    this.#drained?.();
    this.#kernel.options.onFatal(error);
  }

  #enqueue(event: LoopEvent<Outcome>): void {
    if (this.#kernel.dead) return;
    this.#inbox.push(event);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#kernel.dead) return;
    this.#scheduled = true;
    this.#kernel.clock.soon(() => {
      this.#scheduled = false;
      if (this.#kernel.dead) return;
      try {
        this.#turn();
      } catch (error) {
        // A bug: whatever this turn did is not committed, and must not be.
        this.#fail(asError(error));
      }
    });
  }

  /** Everything that changes anything happens in here. */
  #turn(): void {
    this.#turns += 1;
    const events = this.#inbox;
    this.#inbox = [];
    for (const event of events) this.#handle(event);
    const moreIsDue = this.#stepper.workAll();
    this.#caller.begin();
    this.#committer.commitDue();
    this.#tellConsumer();
    if (moreIsDue || this.#stepper.freed) this.#schedule();
    this.#setWakeTimer();
    if (this.#kernel.closing) this.#checkDrained();
    this.#timeRebalance();
  }

  #timeRebalance(): void {
    const { clock, joinsAhead, probe } = this.#kernel;
    if (!this.#rebalance.pending || joinsAhead > 0 || !this.ready) return;
    const tookMs = this.#rebalance.ready(clock.monotonicMs());
    if (tookMs !== null) probe.rebalanceEnded(tookMs);
  }

  #handle(event: LoopEvent<Outcome>): void {
    switch (event.kind) {
      case "joined":
        this.#rebalance.joined(this.#kernel.clock.monotonicMs());
        return this.#membership.joined(event.join);
      case "batch":
        return this.#reader.fetched(event.batch);
      case "heartbeat":
        return this.#membership.heard();
      case "prepared":
        for (const prepared of event.tasks) this.#restoration.prepared(prepared);
        return;
      case "tables":
        this.#tables.begin(event.marks);
        return this.#restoration.runLoaded();
      case "committed":
        this.#committer.committed(event.task, event.epoch, event.commit, event.changelogEnd);
        return this.#searchTables(event.task);
      case "commit_failed":
        return this.#committer.failed(event.task, event.epoch, event.error, event.largest);
      case "settled":
        return this.#caller.settled(event.call as QueuedCall<Call>, event.outcome);
      case "checkpoint":
        return this.#checkpoints.next();
      case "local_table":
        return this.#stepper.stepTable(event.table, event.key);
      default:
        event satisfies never;
    }
  }

  /** There is room for output again: what was found no room for is looked for once more. */
  #searchTables(number: number): void {
    const task = this.#kernel.tasks.get(number);
    if (task !== undefined) this.#tables.lookBack(task);
  }

  #tellConsumer(): void {
    const { budget, consumer } = this.#kernel;
    const { pause, resume } = budget.changes();
    if (pause.length > 0) consumer.pause(pause);
    if (resume.length > 0) consumer.resume(resume);
  }

  /** One timer for everything that is due later: wakes of lanes, commits that wait, slots that are given back. */
  #setWakeTimer(): void {
    const { calls, clock, closing, dead, tasks } = this.#kernel;
    if (dead) return;
    const nowMs = clock.nowMs();
    let delayMs = Infinity;
    for (const task of tasks.values()) {
      if (task.phase !== "running") continue;
      const wakeAtMs = closing ? null : task.wakes.nextAtMs;
      if (wakeAtMs !== null) delayMs = Math.min(delayMs, wakeAtMs - nowMs);
      delayMs = Math.min(delayMs, this.#committer.delayMs(task) ?? Infinity);
    }
    const freeAtMs = closing ? null : calls.freeAtMs;
    if (freeAtMs !== null) delayMs = Math.min(delayMs, freeAtMs - nowMs);
    if (delayMs === Infinity) return;
    const atMs = nowMs + Math.max(0, delayMs);
    if (this.#wakeTimer !== null && this.#wakeTimerAtMs <= atMs) return;
    this.#wakeTimer?.();
    this.#wakeTimerAtMs = atMs;
    this.#wakeTimer = clock.after(Math.max(0, delayMs), () => {
      this.#wakeTimer = null;
      this.#wakeTimerAtMs = Infinity;
      this.#schedule();
    });
  }

  #checkDrained(): void {
    const { calls, tasks } = this.#kernel;
    if (calls.running > 0) return;
    for (const task of tasks.values()) {
      if (task.committing || (task.phase === "running" && task.dirty)) return;
    }
    this.#drained?.();
  }
}
