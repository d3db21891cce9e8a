import { SluiceError } from "@sluice/errors";
import { decodeRecord, partitionOf, topicOf } from "@sluice/records";
import type { Effect, Input, InputRecord, StepContext } from "@sluice/topology";
import { assignTasks } from "./assignment.ts";
import type { Batch, GroupConsumer, Join, OutRecord, TopicPartition } from "./broker.ts";
import { CommitFailed } from "./broker.ts";
import { PartitionBudget } from "./budget.ts";
import { CallQueue, type QueuedCall } from "./call-queue.ts";
import type { Clock } from "./clock.ts";
import { deadLetter } from "./dead-letter.ts";
import type { RuntimeLimits } from "./limits.ts";
import { Table } from "./tables.ts";
import { prepareTasks, takeUp, type Marks, type PreparedTask } from "./preparation.ts";
import type { ServiceOptions } from "./service-options.ts";
import { Task, type HeldRecord } from "./task.ts";
import { isTooLarge, largestOf, takeTransaction, tooLarge, type TakenTransaction } from "./transaction.ts";

interface PendingCommit extends TakenTransaction {
  readonly startedAtMs: number;
}

type Event<Outcome> =
  | { readonly kind: "joined"; readonly join: Join }
  | { readonly kind: "batch"; readonly batch: Batch }
  | { readonly kind: "heartbeat" }
  | { readonly kind: "prepared"; readonly tasks: readonly PreparedTask[] }
  | { readonly kind: "tables"; readonly marks: ReadonlyMap<string, readonly Marks[]> }
  | {
      readonly kind: "committed";
      readonly task: number;
      readonly epoch: number;
      readonly commit: PendingCommit;
      readonly changelogEnd: number | null;
    }
  | {
      readonly kind: "commit_failed";
      readonly task: number;
      readonly epoch: number;
      readonly error: Error;
      readonly largest: OutRecord | null;
    }
  | { readonly kind: "settled"; readonly call: QueuedCall<unknown>; readonly outcome: Outcome }
  | { readonly kind: "local_table"; readonly table: string; readonly key: string };

/**
 * Batches in a row that do not continue the position, until the log is taken to be another one than the
 * position was read from. A batch that a seek overtook comes once or twice.
 */
const staleInRowMax = 50;
/** A task counts as busy for so long after a commit. */
const busyMs = 1000;

/**
 * Runs one service: poll → step → perform effects → commit. `turn` is the only mutator; whatever happens
 * elsewhere (fetches, heartbeats, commits, calls) only puts an event into the inbox.
 */
export class Service<State, Rec extends InputRecord, Call, Outcome> {
  readonly #options: ServiceOptions<State, Rec, Call, Outcome>;
  readonly #clock: Clock;
  readonly #limits: RuntimeLimits;
  readonly #prefix: string;
  readonly #group: string;
  readonly #consumer: GroupConsumer;
  readonly #budget: PartitionBudget;
  readonly #calls: CallQueue<Call>;
  readonly #tables = new Map<string, Table>();
  readonly #stepTables: Record<string, ReadonlyMap<string, unknown>> = {};
  readonly #tasks = new Map<number, Task<State, Rec>>();
  #inbox: Event<Outcome>[] = [];
  #scheduled = false;
  #wakeTimer: (() => void) | null = null;
  #wakeTimerAtMs = Infinity;
  #epochs = 0;
  /** Joins in the inbox: the consumer has another assignment already than the tasks show. */
  #joinsAhead = 0;
  #memberId: string | null = null;
  #generation = 0;
  /** The group counted us in at this instant or later: when the answered request was sent, at the earliest. */
  #heardAtMs = Number.NEGATIVE_INFINITY;
  /** When the last answer was handled; the next request was sent after that. */
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  #claimedAtMs = Number.NEGATIVE_INFINITY;
  #withheld = false;
  #preparingTables = false;
  readonly #staleTables = new Map<string, number>();
  /** A lane was freed since the tasks were last worked on. */
  #freed = false;
  #intervalMs = 0;
  #stopping: Promise<void> | null = null;
  #closing = false;
  #dead = false;
  #drained: (() => void) | null = null;

  constructor(options: ServiceOptions<State, Rec, Call, Outcome>) {
    this.#options = options;
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#prefix = options.layout.prefix;
    this.#group = this.#prefix + options.step.name;
    this.#budget = new PartitionBudget(options.limits.partition);
    this.#calls = new CallQueue(options.limits.callsMax);
    for (const topic of options.tables) {
      const table = new Table(topic, (reason, partition, offset) =>
        options.probe.event("table_record_invalid", { topic, partition, offset, reason }),
      );
      this.#tables.set(topic, table);
      this.#stepTables[topic] = table.entries;
    }
    for (const [name, entries] of options.localTables ?? []) this.#stepTables[name] = entries;
    this.#consumer = options.broker.groupConsumer({
      group: this.#group,
      inputs: options.inputs.map((topic) => this.#prefix + topic),
      changelog: options.changelog === null ? null : this.#prefix + options.changelog,
      tables: options.tables.map((topic) => this.#prefix + topic),
      tasks: options.layout.partitions,
      claim: () => {
        this.#claimedAtMs = this.#clock.monotonicMs();
        return {
          instance: options.instance,
          owned: [...this.#tasks.keys()],
          onDisk: options.stores.held(),
          heardAtMs: this.#heardAtEpochMs,
        };
      },
      assign: assignTasks,
      sessionTimeoutMs: this.#limits.sessionTimeoutMs,
      heartbeatIntervalMs: this.#limits.heartbeatIntervalMs,
      rebalanceTimeoutMs: this.#limits.rebalanceTimeoutMs,
      partitionBytesMax: this.#limits.partitionBytesMax,
    });
  }

  async start(): Promise<void> {
    await this.#consumer.start({
      onJoined: (join) => {
        this.#joinsAhead += 1;
        this.#enqueue({ kind: "joined", join });
      },
      onBatch: (batch) => this.#enqueue({ kind: "batch", batch }),
      onHeartbeat: () => {
        // An answer may have waited for us while the process was stopped. Requests go one at a time, so this
        // one was sent after the answer before it was handled, and that is all that it proves.
        this.#heardAtMs = Math.max(this.#heardAtMs, this.#answeredAtMs);
        this.#answeredAtMs = this.#clock.monotonicMs();
        this.#enqueue({ kind: "heartbeat" });
      },
      onRebalancing: () => this.#options.probe.event("rebalancing", {}),
      onFailed: (error, restarting) => {
        this.#options.probe.event("consumer_failed", { message: error.message, restarting });
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
    for (const task of this.#tasks.values()) counts.set(task.phase, (counts.get(task.phase) ?? 0) + 1);
    return counts;
  }

  /** Figures that change from moment to moment, for gauges. */
  gauges(): {
    heldRecords: number;
    heldBytes: number;
    calls: number;
    callsWaiting: number;
    unpersisted: number;
    paused: ReadonlyMap<string, number>;
  } {
    let unpersisted = 0;
    for (const task of this.#tasks.values()) unpersisted += task.output.records;
    return {
      heldRecords: this.#budget.heldRecords,
      heldBytes: this.#budget.heldBytes,
      calls: this.#calls.running,
      callsWaiting: this.#calls.waiting,
      unpersisted,
      paused: this.#budget.pausedByReason(),
    };
  }

  /** Sizes of everything that grows with what is under way, all 0 when nothing is; for tests of leaks. */
  leftovers(): Readonly<Record<"inbox" | "preparing" | "held" | "lanes" | "wakes" | "calls", number>> {
    const sum = (size: (task: Task<State, Rec>) => number): number =>
      [...this.#tasks.values()].reduce((all, task) => all + size(task), 0);
    return {
      inbox: this.#inbox.length,
      preparing: this.#preparing.size,
      held: sum(({ held }) => held.size),
      lanes: sum(({ lanes }) => lanes.size),
      wakes: sum(({ wakes }) => wakes.size),
      calls: sum(({ calls }) => calls.size),
    };
  }

  /** Joined, tables read, every task running. */
  get ready(): boolean {
    if (this.#memberId === null || !this.#tablesReady()) return false;
    for (const task of this.#tasks.values()) if (task.phase !== "running") return false;
    return true;
  }

  /** The state of each running task; for tests and health only. */
  states(): readonly { readonly task: number; readonly state: State }[] {
    const found: { task: number; state: State }[] = [];
    for (const task of this.#tasks.values())
      if (task.state !== null) found.push({ task: task.number, state: task.state });
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
    this.#closing = true;
    if (this.#dead) return this.#shutDown();
    for (const task of this.#tasks.values()) {
      for (const topic of this.#options.inputs) this.#budget.hold(this.#at(topic, task.number), "draining");
    }
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    const cancelAbort = this.#clock.after(this.#limits.drainMs, () => {
      this.#options.probe.event("drain_limit", { calls: this.#calls.running });
      this.#calls.abortAll();
    });
    const cancelWait = this.#clock.after(this.#limits.drainMs + this.#limits.drainGraceMs, () =>
      this.#drained?.(),
    );
    this.#schedule();
    await drained;
    cancelAbort();
    cancelWait();
    await this.#shutDown();
  }

  /** End at once: nothing more is committed. */
  async destroy(): Promise<void> {
    this.#closing = true;
    this.#calls.abortAll();
    this.#dead = true;
    this.#drained?.();
    await this.#shutDown();
  }

  async #shutDown(): Promise<void> {
    this.#dead = true;
    this.#wakeTimer?.();
    await this.#consumer.stop().catch((error: unknown) => {
      this.#options.probe.event("leave_failed", { message: String(error) });
    });
    for (const task of this.#tasks.values()) this.#drop(task);
    this.#tasks.clear();
  }

  #fail(error: Error): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#calls.abortAll();
    this.#wakeTimer?.();
    this.#drained?.();
    this.#options.onFatal(error);
  }

  #enqueue(event: Event<Outcome>): void {
    if (this.#dead) return;
    this.#inbox.push(event);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#dead) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      if (this.#dead) return;
      try {
        this.#turn();
      } catch (error) {
        // A bug: whatever this turn did is not committed, and must not be.
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** Everything that changes anything happens in here. */
  #turn(): void {
    const events = this.#inbox;
    this.#inbox = [];
    for (const event of events) this.#handle(event);
    let budget = this.#limits.stepsPerTurn;
    for (const task of this.#tasks.values()) {
      if (task.phase !== "running") continue;
      budget = this.#work(task, budget);
      if (budget > 0) continue;
      // Behind all others, or a task with an endless backlog would leave nothing to those after it.
      this.#tasks.delete(task.number);
      this.#tasks.set(task.number, task);
      break;
    }
    this.#freed = false;
    this.#beginCalls();
    this.#intervalMs = this.#commitIntervalMs();
    for (const task of this.#tasks.values()) this.#commitIfDue(task);
    this.#tellConsumer();
    if (budget <= 0 || this.#freed) this.#schedule();
    this.#setWakeTimer();
    if (this.#closing) this.#checkDrained();
  }

  #handle(event: Event<Outcome>): void {
    switch (event.kind) {
      case "joined":
        return this.#joined(event.join);
      case "batch":
        return this.#fetched(event.batch);
      case "heartbeat":
        return this.#heard();
      case "prepared":
        for (const prepared of event.tasks) this.#prepared(prepared);
        return;
      case "tables":
        return this.#beginTables(event.marks);
      case "committed":
        return this.#committed(event.task, event.epoch, event.commit, event.changelogEnd);
      case "commit_failed":
        return this.#commitFailed(event.task, event.epoch, event.error, event.largest);
      case "settled":
        return this.#settled(event.call as QueuedCall<Call>, event.outcome);
      case "local_table":
        for (const task of this.#tasks.values()) {
          if (task.phase === "running")
            this.#step(task, { kind: "table", table: event.table, key: event.key });
        }
        return;
      default:
        event satisfies never;
    }
  }

  // --- membership ------------------------------------------------------------------------------------

  #joined(join: Join): void {
    this.#joinsAhead -= 1;
    // A generation between the two is one whose assignment we never saw: others may have had our tasks in it.
    const generations = join.generation - this.#generation;
    const comesBack = join.memberId === this.#memberId && generations >= 0 && generations <= 1;
    this.#memberId = join.memberId;
    this.#generation = join.generation;
    this.#heardAtMs = Math.max(this.#heardAtMs, this.#claimedAtMs);
    this.#answeredAtMs = this.#clock.monotonicMs();
    const mine = new Set(join.tasks);
    let lost = 0;
    let kept = 0;
    for (const task of this.#tasks.values()) {
      // As the same member nobody else can have owned what we had and have again.
      if (comesBack && mine.has(task.number)) {
        kept += 1;
        continue;
      }
      this.#drop(task);
      this.#tasks.delete(task.number);
      lost += 1;
    }
    const fresh: Task<State, Rec>[] = [];
    for (const number of join.tasks) {
      if (this.#tasks.has(number)) continue;
      const task = this.#newTask(number);
      fresh.push(task);
    }
    this.#options.probe.event("joined", {
      generation: join.generation,
      tasks: join.tasks,
      kept,
      lost,
      fresh: fresh.length,
    });
    this.#options.probe.rebalanced();
    for (const task of this.#tasks.values()) this.#reposition(task);
    this.#repositionTables();
    for (const task of this.#tasks.values()) if (task.phase === "waiting") task.phase = "fencing";
    this.#startPrepare();
  }

  #newTask(number: number): Task<State, Rec> {
    this.#epochs += 1;
    const task = new Task<State, Rec>(
      number,
      this.#epochs,
      this.#clock.nowMs(),
      this.#options.stores.open(number, this.#clock.nowMs()),
      this.#options.layout,
    );
    this.#tasks.set(number, task);
    return task;
  }

  /** The task is ours no more, or has to start again: nothing it still does may count. */
  #drop(task: Task<State, Rec>): void {
    const aborted = this.#calls.abortTask(task.number, task.epoch);
    if (aborted > 0) this.#options.probe.event("calls_aborted", { task: task.number, calls: aborted });
    for (const topic of this.#options.inputs) this.#budget.drop(this.#at(topic, task.number));
    const producer = task.producer;
    task.producer = null;
    producer?.close().catch((error: unknown) => {
      this.#options.probe.event("producer_close_failed", { task: task.number, message: String(error) });
    });
    task.store.close(this.#heardAtEpochMs);
  }

  /** The task begins anew from what is committed, as soon as the group has answered again. */
  #restart(task: Task<State, Rec>): void {
    this.#drop(task);
    this.#newTask(task.number);
    for (const topic of this.#options.inputs) {
      const at = this.#at(topic, task.number);
      this.#consumer.pause([at]);
      this.#budget.reset(at);
      this.#budget.hold(at, "restoring");
    }
  }

  /** The next batch starts at `offset`, unless a join is about to place everything anew. */
  #seek(at: TopicPartition, offset: number): void {
    if (this.#joinsAhead === 0) this.#consumer.seek(at, offset);
  }

  /** After a join the consumer has paused everything and would start from what is committed. */
  #reposition(task: Task<State, Rec>): void {
    for (const topic of this.#options.inputs) {
      const at = this.#at(topic, task.number);
      this.#budget.reset(at);
      if (task.phase === "running") {
        const input = task.inputs.get(topic);
        if (input !== undefined) this.#seek(at, input.position);
      } else {
        this.#budget.hold(at, "restoring");
      }
      if (this.#closing) this.#budget.hold(at, "draining");
    }
    if (task.phase === "restoring") this.#readChangelog(task);
  }

  /** A heartbeat answer shows that the group counts us in: tasks that failed may fence again. */
  #heard(): void {
    if (!this.#heardLately) return;
    const nowMs = this.#clock.monotonicMs();
    let found = false;
    for (const task of this.#tasks.values()) {
      if (task.phase !== "waiting" || nowMs < task.retryAtMs) continue;
      task.phase = "fencing";
      found = true;
    }
    if (found) this.#startPrepare();
  }

  // --- assignment: fence, then offsets, then the changelog, then the tables ---------------------------

  readonly #preparing = new Set<number>();

  #startPrepare(): void {
    const tasks = [...this.#tasks.values()].filter(
      (task) => task.phase === "fencing" && !this.#preparing.has(task.epoch),
    );
    if (tasks.length > 0) {
      for (const task of tasks) this.#preparing.add(task.epoch);
      const { broker, inputs, changelog, onFailpoint } = this.#options;
      prepareTasks(
        { broker, inputs, changelog, onFailpoint, group: this.#group, prefix: this.#prefix },
        tasks,
      ).then(
        (prepared) => this.#enqueue({ kind: "prepared", tasks: prepared }),
        (error: unknown) => this.#fail(asError(error)),
      );
    }
    const unknown = [...this.#tables.values()].filter((table) => !table.known);
    if (unknown.length > 0 && !this.#preparingTables) this.#prepareTables(unknown);
  }

  #prepared(prepared: PreparedTask): void {
    this.#preparing.delete(prepared.epoch);
    const task = this.#tasks.get(prepared.number);
    if (task === undefined || task.epoch !== prepared.epoch || task.phase !== "fencing") {
      prepared.producer?.close().catch(() => undefined);
      return;
    }
    if (prepared.error !== null) {
      task.attempts += 1;
      this.#options.probe.event("prepare_failed", {
        task: task.number,
        attempt: task.attempts,
        message: prepared.error.message,
      });
      task.retryAtMs = this.#clock.monotonicMs() + Math.min(100 * 2 ** Math.min(task.attempts, 6), 3000);
      // Not by a timer: after a while without the broker the task may be another's.
      task.phase = "waiting";
      return;
    }
    task.attempts = 0;
    task.producer = prepared.producer;
    takeUp(task, prepared, this.#options);
    if (task.restorePosition < task.restoreTarget) return this.#readChangelog(task);
    this.#restored(task);
  }

  #readChangelog(task: Task<State, Rec>): void {
    const { changelog } = this.#options;
    if (changelog === null) return;
    const at = this.#at(changelog, task.number);
    this.#seek(at, task.restorePosition);
    if (this.#joinsAhead === 0) this.#consumer.resume([at]);
  }

  #restored(task: Task<State, Rec>): void {
    task.phase = "loading";
    this.#runIfLoaded(task);
  }

  #prepareTables(tables: readonly Table[]): void {
    this.#preparingTables = true;
    Promise.all(
      tables.map(
        async (table) =>
          [table.topic, await this.#options.broker.admin.watermarks(this.#prefix + table.topic)] as const,
      ),
    ).then(
      (marks) => this.#enqueue({ kind: "tables", marks: new Map(marks) }),
      (error: unknown) => {
        this.#options.probe.event("prepare_failed", { tables: true, message: String(error) });
        this.#clock.after(500, () => {
          if (!this.#dead) this.#prepareTables(tables);
        });
      },
    );
  }

  #beginTables(marks: ReadonlyMap<string, readonly Marks[]>): void {
    this.#preparingTables = false;
    for (const [topic, each] of marks) {
      const table = this.#tables.get(topic);
      if (table !== undefined && !table.known) table.begin(each);
    }
    this.#repositionTables();
    for (const task of this.#tasks.values()) this.#runIfLoaded(task);
  }

  #repositionTables(): void {
    if (this.#joinsAhead > 0) return;
    for (const table of this.#tables.values()) {
      const partitions: TopicPartition[] = [];
      for (const [partition, position] of table.positions()) {
        const at = { topic: this.#prefix + table.topic, partition };
        this.#consumer.seek(at, position);
        partitions.push(at);
      }
      if (partitions.length > 0) this.#consumer.resume(partitions);
    }
  }

  #tablesReady(): boolean {
    for (const table of this.#tables.values()) if (!table.ready) return false;
    return true;
  }

  #runIfLoaded(task: Task<State, Rec>): void {
    if (task.phase !== "loading" || !this.#tablesReady()) return;
    task.state = this.#options.step.load(parsed(task.store.entries()));
    const context: StepContext = {
      task: task.number,
      tasks: this.#options.layout.partitions,
      epoch: task.epoch,
      assignedAtMs: task.assignedAtMs,
      tables: this.#stepTables,
      partitionOf: (key) => partitionOf(key, this.#options.layout.partitions),
    };
    task.context = context;
    task.phase = "running";
    task.lastCommitAtMs = this.#clock.monotonicMs();
    this.#options.probe.event("task_running", { task: task.number, entries: task.store.size });
    this.#step(task, { kind: "restored" });
    for (const topic of this.#options.inputs) {
      const at = this.#at(topic, task.number);
      const input = task.inputs.get(topic);
      if (input !== undefined) this.#seek(at, input.position);
      if (this.#closing) this.#budget.hold(at, "draining");
      this.#budget.release(at, "restoring");
    }
  }

  // --- records ---------------------------------------------------------------------------------------

  #fetched(batch: Batch): void {
    const topic = batch.topic.slice(this.#prefix.length);
    const table = this.#tables.get(topic);
    if (table !== undefined) return this.#tableBatch(table, batch);
    const task = this.#tasks.get(batch.partition);
    if (task === undefined) return;
    if (topic === this.#options.changelog) return this.#changelogBatch(task, batch);
    const input = task.inputs.get(topic);
    // While draining, what is read is not begun; even a batch of markers would ask for one commit more.
    if (input === undefined || task.phase !== "running" || this.#closing) return;
    if (batch.fromOffset !== input.position) {
      // Fetched before a seek, or twice: the position is ours, not the client's.
      this.#options.probe.staleBatch();
      input.staleInRow += 1;
      if (input.staleInRow > staleInRowMax) {
        // The position is in no log any more: what is committed and where the log ends has to be read again.
        this.#options.probe.event("position_lost", {
          topic,
          task: task.number,
          position: input.position,
          from: batch.fromOffset,
        });
        this.#restart(task);
        return;
      }
      this.#seek({ topic: batch.topic, partition: batch.partition }, input.position);
      return;
    }
    input.staleInRow = 0;
    let records = 0;
    let bytes = 0;
    for (const raw of batch.records) {
      if (raw.offset < input.position) continue;
      if (input.ledger.begin(raw.offset) !== "new") continue;
      const held = {
        topic,
        offset: raw.offset,
        bytes: (raw.value?.length ?? 0) + (raw.key?.length ?? 0),
        raw,
        lane: null,
      };
      records += 1;
      bytes += held.bytes;
      this.#accept(task, held);
    }
    input.position = batch.nextOffset;
    input.ledger.advance(batch.nextOffset);
    this.#options.probe.consumed(topic, records, bytes);
  }

  /** Decodes a record and puts it into its lane; what can't be read goes to the dead letters. */
  #accept(task: Task<State, Rec>, held: HeldRecord): void {
    const { raw, topic } = held;
    const id = `${topic}/${task.number}/${raw.offset}`;
    task.held.set(id, held);
    this.#budget.add(this.#at(topic, task.number), 1, held.bytes);
    const decoded = decodeRecord(topic, raw.value);
    if (decoded.kind === "poison") return this.#reject(task, id, decoded.reason);
    if (decoded.kind === "tombstone") {
      // Compacted topics are cleared by tombstones, and nothing follows from one; elsewhere it has no meaning.
      if (topicOf(topic)?.cleanup !== "compact") return this.#reject(task, id, "value: null");
      return this.#finish(task, id);
    }
    const record = {
      id,
      topic,
      partition: task.number,
      offset: raw.offset,
      key: raw.key?.toString("utf8") ?? null,
      value: decoded.value,
      headers: raw.headers,
      timestampMs: raw.timestampMs,
    } as InputRecord as Rec;
    task.lanes.push(this.#options.step.laneOf(record), record);
  }

  #tableBatch(table: Table, batch: Batch): void {
    const wasReady = this.#tablesReady();
    const changed = table.apply(batch);
    const at = { topic: batch.topic, partition: batch.partition };
    const name = `${at.topic}/${at.partition}`;
    if (changed === null) {
      this.#options.probe.staleBatch();
      const position = table.positions().find(([partition]) => partition === batch.partition)?.[1];
      const inRow = (this.#staleTables.get(name) ?? 0) + 1;
      this.#staleTables.set(name, inRow);
      if (inRow > staleInRowMax) {
        // Its entries are those of a log that is gone, and every task has seen them: only a new process is right.
        throw new SluiceError(
          "SLUICE_TOPIC_DRIFT",
          `${name} was made anew or cut: it begins at ${batch.fromOffset}, we had read to ${position}`,
          { field: table.topic },
        );
      }
      if (position !== undefined) this.#seek(at, position);
      return;
    }
    this.#staleTables.delete(name);
    if (!wasReady) {
      if (this.#tablesReady()) for (const task of this.#tasks.values()) this.#runIfLoaded(task);
      return;
    }
    for (const key of changed) {
      for (const task of this.#tasks.values()) {
        if (task.phase === "running") this.#step(task, { kind: "table", table: table.topic, key });
      }
    }
  }

  #changelogBatch(task: Task<State, Rec>, batch: Batch): void {
    if (task.phase !== "restoring") return;
    if (batch.fromOffset !== task.restorePosition) {
      this.#options.probe.staleBatch();
      task.staleInRow += 1;
      if (task.staleInRow > staleInRowMax) return this.#restart(task);
      this.#seek({ topic: batch.topic, partition: batch.partition }, task.restorePosition);
      return;
    }
    task.staleInRow = 0;
    task.store.apply(
      batch.records.flatMap((record) =>
        record.key === null
          ? []
          : [[record.key.toString("utf8"), record.value?.toString("utf8") ?? null] as const],
      ),
      batch.nextOffset,
    );
    task.restorePosition = batch.nextOffset;
    if (batch.nextOffset < task.restoreTarget) return;
    if (this.#joinsAhead === 0) this.#consumer.pause([{ topic: batch.topic, partition: batch.partition }]);
    this.#restored(task);
  }

  // --- steps -----------------------------------------------------------------------------------------

  /** Steps what is due in one task: wakes first, then records, as long as there is room for output. */
  #work(task: Task<State, Rec>, budget: number): number {
    let left = budget;
    if (this.#closing) return left;
    const nowMs = this.#clock.nowMs();
    while (left > 0) {
      const lane = task.wakes.due(nowMs);
      if (lane === null) break;
      this.#step(task, { kind: "wake", lane });
      left -= 1;
    }
    while (left > 0 && task.output.bytes < this.#limits.outputBytesMax) {
      const next = task.lanes.take((lane) => this.#widthOf(task, lane));
      if (next === null) break;
      const held = task.held.get(next.item.id);
      if (held === undefined)
        throw new SluiceError("SLUICE_STEP_BROKEN", `record ${next.item.id} is not held`);
      held.lane = next.lane;
      this.#step(task, { kind: "record", record: next.item });
      left -= 1;
    }
    return left;
  }

  #widthOf(task: Task<State, Rec>, lane: string): number {
    if (task.state === null) return 0;
    return this.#options.step.laneWidth?.(lane, task.state) ?? 1;
  }

  #step(task: Task<State, Rec>, input: Input<Rec, Outcome>): void {
    if (task.state === null || task.context === null)
      throw new SluiceError("SLUICE_STEP_BROKEN", "a task without state was stepped");
    const effects = this.#options.step.step(task.state, input, this.#clock.nowMs(), task.context);
    this.#options.probe.stepped();
    for (const effect of effects) this.#apply(task, effect);
    if (this.#options.step.laneWidth !== undefined && "lane" in input) task.lanes.refresh(input.lane);
  }

  #apply(task: Task<State, Rec>, effect: Effect<Call>): void {
    switch (effect.kind) {
      case "send":
        return task.output.send(effect);
      case "put":
        return task.output.put(effect.key, effect.value);
      case "wake":
        return task.wakes.set(effect.lane, effect.atMs);
      case "call":
        if (task.calls.has(effect.callId)) {
          throw new SluiceError("SLUICE_STEP_BROKEN", `call ${effect.callId} was asked for twice`);
        }
        task.calls.add(effect.callId);
        return this.#calls.push({
          task: task.number,
          epoch: task.epoch,
          lane: effect.lane,
          callId: effect.callId,
          request: effect.request,
          controller: new AbortController(),
        });
      case "abort": {
        // One that had not begun still settles: it begins, already aborted.
        const waiting = this.#calls.abort(task.number, task.epoch, effect.callId);
        if (waiting !== null) {
          waiting.controller.abort();
          this.#calls.push(waiting);
        }
        return;
      }
      case "finish":
        return this.#finish(task, effect.id);
      case "reject":
        return this.#reject(task, effect.id, effect.reason);
      default:
        effect satisfies never;
    }
  }

  #finish(task: Task<State, Rec>, id: string): void {
    const held = task.held.get(id);
    if (held === undefined)
      throw new SluiceError("SLUICE_STEP_BROKEN", `record ${id} was finished twice, or never read`);
    task.held.delete(id);
    task.inputs.get(held.topic)?.ledger.finish(held.offset);
    this.#budget.remove(this.#at(held.topic, task.number), 1, held.bytes);
    if (held.lane !== null) task.lanes.finish(held.lane);
    this.#freed = true;
  }

  /** Original bytes and key to the dead letters, in the same transaction as the offset that skips it. */
  #reject(task: Task<State, Rec>, id: string, reason: string): void {
    const held = task.held.get(id);
    if (held === undefined)
      throw new SluiceError("SLUICE_STEP_BROKEN", `record ${id} was rejected twice, or never read`);
    const { raw, topic, offset } = held;
    const origin = { topic: this.#prefix + topic, partition: task.number, offset };
    task.output.sendRaw(
      deadLetter(raw, origin, { group: this.#group, service: this.#options.step.name, reason }),
    );
    this.#options.probe.deadLetter(held.topic, reason);
    this.#finish(task, id);
  }

  // --- calls -----------------------------------------------------------------------------------------

  /** No request starts when we may have lost the domain: Kafka's fencing can't stop one. */
  get #heardLately(): boolean {
    return this.#clock.monotonicMs() - this.#heardAtMs < this.#limits.sessionTimeoutMs / 2;
  }

  /** The same as epoch milliseconds, 0 where nothing was ever heard. */
  get #heardAtEpochMs(): number {
    const agoMs = this.#clock.monotonicMs() - this.#heardAtMs;
    return Number.isFinite(agoMs) ? Math.floor(this.#clock.nowMs() - agoMs) : 0;
  }

  #beginCalls(): void {
    if (this.#closing || this.#calls.waiting === 0) return;
    if (!this.#heardLately) {
      // Told once, not each turn.
      if (!this.#withheld) this.#options.probe.callsWithheld(this.#calls.waiting);
      this.#withheld = true;
      return;
    }
    this.#withheld = false;
    for (;;) {
      const call = this.#calls.begin();
      if (call === null) return;
      const task = this.#tasks.get(call.task);
      if (task === undefined || task.epoch !== call.epoch) {
        this.#calls.end(call);
        continue;
      }
      this.#step(task, { kind: "started", callId: call.callId, lane: call.lane });
      this.#options.perform(call.request, call.controller.signal).then(
        (outcome) => this.#enqueue({ kind: "settled", call, outcome }),
        (error: unknown) => this.#fail(asError(error)),
      );
    }
  }

  #settled(call: QueuedCall<Call>, outcome: Outcome): void {
    this.#calls.end(call);
    const task = this.#tasks.get(call.task);
    if (task === undefined || task.epoch !== call.epoch || task.phase !== "running") {
      // From an older epoch: the records it belongs to are someone else's now, or come again.
      this.#options.probe.staleSettle();
      return;
    }
    task.calls.delete(call.callId);
    this.#step(task, { kind: "settled", callId: call.callId, lane: call.lane, outcome });
  }

  // --- commits ---------------------------------------------------------------------------------------

  /** Time between two commits of a task: short when little is going on, longer when many tasks are busy. */
  #commitIntervalMs(): number {
    const sinceMs = this.#clock.monotonicMs() - busyMs;
    let busy = 0;
    for (const task of this.#tasks.values()) if (task.lastCommitAtMs >= sinceMs) busy += 1;
    return Math.min(this.#limits.commitIntervalMs, this.#limits.commitSpacingMs * Math.max(1, busy));
  }

  #commitIfDue(task: Task<State, Rec>): void {
    if (task.phase !== "running" || task.committing || task.producer === null || !task.dirty) return;
    const sinceMs = this.#clock.monotonicMs() - task.lastCommitAtMs;
    const full =
      task.output.records >= this.#limits.outputRecordsMax ||
      task.output.bytes >= this.#limits.outputBytesMax;
    if (!full && !this.#closing && sinceMs < this.#intervalMs) return;
    this.#commit(task);
  }

  #commit(task: Task<State, Rec>): void {
    const producer = task.producer;
    if (producer === null) return;
    const { changelog } = this.#options;
    const pending = takeTransaction(task, this.#group, changelog, (topic) => this.#at(topic, task.number));
    for (const topic of pending.moved) this.#boundSpan(task, topic);
    if (pending.isEmpty) return;
    task.committing = true;
    task.lastCommitAtMs = this.#clock.monotonicMs();
    const { transaction } = pending;
    const commit: PendingCommit = { ...pending, startedAtMs: task.lastCommitAtMs };
    const { number, epoch } = task;
    producer.commit(transaction).then(
      (written) => {
        this.#options.onFailpoint?.("after_commit_before_store");
        const end =
          changelog === null
            ? undefined
            : written.find((each) => each.topic === this.#prefix + changelog && each.partition === number);
        this.#enqueue({
          kind: "committed",
          task: number,
          epoch,
          commit,
          changelogEnd: end?.lastOffset ?? null,
        });
      },
      (error: unknown) =>
        this.#enqueue({
          kind: "commit_failed",
          task: number,
          epoch,
          error: asError(error),
          largest: largestOf(transaction.records),
        }),
    );
  }

  /** A map that nears the limit of a commit's metadata, or a span that does, pauses the partition. */
  #boundSpan(task: Task<State, Rec>, topic: string): void {
    const ledger = task.inputs.get(topic)?.ledger;
    if (ledger === undefined) return;
    const at = this.#at(topic, task.number);
    if (ledger.mapFill >= 0.75) this.#budget.hold(at, "offset_map");
    else this.#budget.release(at, "offset_map");
    if (ledger.span > this.#limits.spanMax) this.#budget.hold(at, "span");
    else this.#budget.release(at, "span");
  }

  #committed(number: number, epoch: number, commit: PendingCommit, changelogEnd: number | null): void {
    const task = this.#tasks.get(number);
    if (task === undefined || task.epoch !== epoch) return;
    task.committing = false;
    this.#options.probe.committed(
      commit.transaction.records.length,
      this.#clock.monotonicMs() - commit.startedAtMs,
    );
    for (const [topic, offset] of commit.offsets) {
      const input = task.inputs.get(topic);
      if (input !== undefined) input.committed = offset;
    }
    if (changelogEnd !== null) task.store.apply(commit.changes, changelogEnd + 1);
  }

  /** The outcome is unknown: drop what the task knows, fence, and read what became of it. */
  #commitFailed(number: number, epoch: number, error: Error, largest: OutRecord | null): void {
    const task = this.#tasks.get(number);
    if (task === undefined || task.epoch !== epoch) return;
    const fenced = error instanceof CommitFailed && error.fenced;
    this.#options.probe.event("commit_failed", {
      task: number,
      fenced,
      message: error.message,
      cause: String(error.cause ?? ""),
    });
    this.#options.probe.commitFailed(fenced);
    // The same input would give the same record again, for ever: a step has to bound what it sends.
    if (isTooLarge(error)) throw tooLarge(number, largest, error);
    // Left in `waiting`: fencing again before the group has answered would throw out a rightful owner.
    this.#restart(task);
  }

  // --- the rest of a turn ----------------------------------------------------------------------------

  #tellConsumer(): void {
    const { pause, resume } = this.#budget.changes();
    if (pause.length > 0) this.#consumer.pause(pause);
    if (resume.length > 0) this.#consumer.resume(resume);
  }

  /** One timer for everything that is due later: wakes of lanes, and commits that wait for their interval. */
  #setWakeTimer(): void {
    if (this.#dead) return;
    const nowMs = this.#clock.nowMs();
    let delayMs = Infinity;
    const monotonicMs = this.#clock.monotonicMs();
    for (const task of this.#tasks.values()) {
      if (task.phase !== "running") continue;
      const wakeAtMs = this.#closing ? null : task.wakes.nextAtMs;
      if (wakeAtMs !== null) delayMs = Math.min(delayMs, wakeAtMs - nowMs);
      if (!task.committing && task.dirty) {
        delayMs = Math.min(delayMs, this.#intervalMs - (monotonicMs - task.lastCommitAtMs));
      }
    }
    if (delayMs === Infinity) return;
    const atMs = nowMs + Math.max(0, delayMs);
    if (this.#wakeTimer !== null && this.#wakeTimerAtMs <= atMs) return;
    this.#wakeTimer?.();
    this.#wakeTimerAtMs = atMs;
    this.#wakeTimer = this.#clock.after(Math.max(0, delayMs), () => {
      this.#wakeTimer = null;
      this.#wakeTimerAtMs = Infinity;
      this.#schedule();
    });
  }

  #checkDrained(): void {
    if (this.#calls.running > 0) return;
    for (const task of this.#tasks.values()) {
      if (task.committing || (task.phase === "running" && task.dirty)) return;
    }
    this.#drained?.();
  }

  #at(topic: string, partition: number): TopicPartition {
    return { topic: this.#prefix + topic, partition };
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function* parsed(entries: Iterable<readonly [string, string]>): Iterable<readonly [string, unknown]> {
  for (const [key, value] of entries) yield [key, JSON.parse(value)];
}
