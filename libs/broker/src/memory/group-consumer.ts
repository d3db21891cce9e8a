/** A member of a consumer group, with the habits of the kafkajs consumer that matter to the runtime. */
import { SluiceError } from "@sluice/errors";
import type {
  CommittedOffset,
  GroupConsumer,
  GroupHandlers,
  GroupOptions,
  Join,
  MemberClaim,
  TopicPartition,
} from "@sluice/runtime";
import { BrokerError, isBrokerError } from "./broker-error.ts";
import type { ClientContext } from "./client-context.ts";
import type { CommitFault } from "./faults.ts";
import type { Assignment, JoinAnswer } from "./group.ts";
import { Tenures } from "../tenures.ts";
import { isPassing, type Position, Reader } from "./reader.ts";
import { once, type Wire } from "./wire.ts";

export class MemoryGroupConsumer implements GroupConsumer {
  readonly group: string;
  readonly tenures: Tenures;
  readonly #options: GroupOptions;
  readonly #context: ClientContext;
  readonly #wire: Wire;
  readonly #positions = new Map<string, Position>();
  #handlers: GroupHandlers | null = null;
  #state: "new" | "running" | "stopped" | "dead" = "new";
  #memberId: string | null = null;
  #generation = 0;
  #hasJoined = false;
  #reader: Reader | null = null;
  /** Ends the present life as a member; null while not joined. */
  #endLife: ((error: unknown) => void) | null = null;

  constructor(options: GroupOptions, context: ClientContext) {
    this.group = options.group;
    this.#options = options;
    this.#context = context;
    this.#wire = context.openWire();
    this.tenures = new Tenures(() => context.process.nowMs(), options.sessionTimeoutMs);
  }

  async start(handlers: GroupHandlers): Promise<void> {
    if (this.#state !== "new") throw new Error("a group consumer starts once");
    this.#handlers = handlers;
    this.#state = "running";
    await this.#wire.callAgain(() => this.#check());
    void this.#run(handlers);
  }

  seek(at: TopicPartition, offset: number): void {
    if (!this.#hasJoined) return;
    const position = this.#positions.get(keyOf(at));
    if (position === undefined) throw new Error(`seek on ${keyOf(at)}, which is not assigned`);
    position.next = offset;
    position.jumpedFrom = null;
    position.seeks++;
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#setPaused(partitions, true);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#setPaused(partitions, false);
  }

  async stop(): Promise<void> {
    const wasRunning = this.#state === "running";
    this.#state = "stopped";
    this.#reader?.end();
    this.#endLife?.(new Error("stopped"));
    if (wasRunning) await this.#leave(this.#memberId);
  }

  /** A crash of the client library; one that restarts keeps its member id. */
  crash(error: Error, restarting: boolean): void {
    if (this.#state !== "running") return;
    if (!restarting) this.#die(error);
    else this.#endLife?.(new Crash(error));
  }

  /** Commits outside transactions. Rejects where it is no member now. */
  async commitOffsets(
    wire: Wire,
    offsets: readonly CommittedOffset[],
    { id, fault }: { readonly id: string; readonly fault: CommitFault | null },
  ): Promise<void> {
    const memberId = this.#memberId;
    if (memberId === null) throw new BrokerError("UNKNOWN_MEMBER_ID", `${this.group}: no member now`);
    const { server, faults } = this.#context;
    const by = { group: this.group, memberId, generation: this.#generation };
    const commit = once(() => server.commitOffsets(id, by, offsets));
    const lost = new BrokerError("NETWORK_EXCEPTION", "the connection broke while offsets were committed");
    if (fault === "unknown_lost") throw lost;
    if (fault === "unknown_delayed") {
      wire.call(commit, { requestDelayMs: faults.delayedCommitMs() }).catch(() => undefined);
      await wire.wait(1);
      throw lost;
    }
    await wire.callAgain(commit);
    if (fault === "unknown_landed") throw lost;
  }

  get #taskTopics(): readonly string[] {
    const { inputs, changelog } = this.#options;
    return changelog === null ? inputs : [...inputs, changelog];
  }

  /** Throws where a topic is missing or is not partitioned as the tasks are. */
  #check(): void {
    const { tables, tasks } = this.#options;
    const { topics } = this.#context.server;
    for (const topic of tables) topics.logs(topic);
    for (const topic of this.#taskTopics) {
      const found = topics.logs(topic).length;
      if (found === tasks) continue;
      const message = `${topic} has ${found} partitions; its group has ${tasks} tasks`;
      throw new SluiceError("SLUICE_TOPIC_DRIFT", message);
    }
  }

  #setPaused(partitions: readonly TopicPartition[], paused: boolean): void {
    for (const at of partitions) {
      const position = this.#positions.get(keyOf(at));
      if (position !== undefined) position.paused = paused;
    }
  }

  #isRunning(): boolean {
    return this.#state === "running";
  }

  async #run(handlers: GroupHandlers): Promise<void> {
    while (this.#isRunning()) {
      try {
        const join = await this.#joinAndSync();
        if (!this.#isRunning()) {
          await this.#leave(join.memberId);
          return;
        }
        await this.#live(join, handlers);
      } catch (error) {
        this.#reader?.overtake();
        this.#endLife = null;
        if (!this.#isRunning()) return;
        try {
          await this.#recover(error, handlers);
        } catch (thrown) {
          this.#die(thrown);
        }
      }
    }
  }

  async #recover(error: unknown, handlers: GroupHandlers): Promise<void> {
    const isForgotten = isBrokerError(error, "UNKNOWN_MEMBER_ID");
    const isRebalance = ["REBALANCE_IN_PROGRESS", "ILLEGAL_GENERATION"] as const;
    if (isForgotten || isRebalance.some((type) => isBrokerError(error, type))) {
      if (isForgotten) this.#memberId = null;
      this.#trace("rebalancing", "");
      handlers.onRebalancing();
      return;
    }
    const crashed = error instanceof Crash || isPassing(error);
    if (!crashed) throw error;
    this.#trace("failed", "restarting");
    handlers.onFailed(error instanceof Crash ? error.reason : (error as Error), true);
    await this.#wire.wait(this.#context.restartDelayMs);
  }

  async #joinAndSync(): Promise<Join> {
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const claim = structuredClone(this.#options.claim()) as MemberClaim;
    const clientName = this.#context.name;
    const group = () => this.#context.server.group(this.group);
    const answer = await this.#wire.callAgain(() =>
      group().join({ memberId: this.#memberId, clientName, sessionTimeoutMs, rebalanceTimeoutMs, claim }),
    );
    const { memberId, generation } = answer;
    this.#memberId = memberId;
    const assignment = this.#assign(answer);
    const tasks = await this.#wire.callAgain(() => group().sync(memberId, generation, assignment));
    return { memberId, generation, tasks };
  }

  #assign({ members }: JoinAnswer): Assignment | null {
    if (members === null || !this.#isRunning()) return null;
    const assignment = this.#options.assign(structuredClone(members), this.#options.tasks);
    const given = [...assignment.values()].flat();
    if (new Set(given).size !== given.length) throw new Error(`a task is assigned twice: ${given.join()}`);
    return new Map(assignment);
  }

  /** Beats and reads until an error ends it. */
  async #live(join: Join, handlers: GroupHandlers): Promise<never> {
    this.#reader?.end();
    this.#assignPositions(join.tasks);
    this.#generation = join.generation;
    this.#hasJoined = true;
    this.#trace("joined", `${join.generation} ${join.tasks.join()}`);
    const { promise, reject } = Promise.withResolvers<never>();
    this.#endLife = reject;
    this.tenures.joined(join);
    handlers.onJoined(join);
    this.#reader = new Reader({
      ...this.#context,
      who: this.#context.name,
      limits: {
        group: this.group,
        partitionBytesMax: this.#options.partitionBytesMax,
        waitMsMax: this.#context.fetchWaitMsMax,
      },
      positions: [...this.#positions.values()],
      onBatch: handlers.onBatch,
      onError: reject,
    });
    if (this.#isRunning()) {
      this.#reader.start();
      this.#beat(join, handlers, reject).catch(reject);
    }
    return await promise;
  }

  async #beat(join: Join, handlers: GroupHandlers, life: (error: unknown) => void): Promise<void> {
    const { server } = this.#context;
    for (;;) {
      await this.#wire.wait(this.#options.heartbeatIntervalMs);
      if (this.#endLife !== life || !this.#isRunning()) return;
      await this.#wire.callAgain(() => server.group(this.group).heartbeat(join.memberId, join.generation));
      if (this.#endLife !== life || !this.#isRunning()) return;
      this.tenures.heard();
      handlers.onHeartbeat();
    }
  }

  #assignPositions(tasks: readonly number[]): void {
    const { topics } = this.#context.server;
    this.#positions.clear();
    const add = (topic: string, partition: number) => {
      const at = { topic, partition };
      this.#positions.set(keyOf(at), { ...at, next: null, paused: true, seeks: 0, jumpedFrom: null });
    };
    for (const topic of this.#taskTopics) for (const task of tasks) add(topic, task);
    for (const topic of this.#options.tables)
      for (const { partition } of topics.logs(topic)) add(topic, partition);
  }

  async #leave(memberId: string | null): Promise<void> {
    if (memberId === null) return;
    this.#memberId = null;
    try {
      await this.#wire.callAgain(() => this.#context.server.group(this.group).leave(memberId));
    } catch {
      // A member that can't leave times out: the others only learn it later.
    }
  }

  #die(error: unknown): void {
    this.#state = "dead";
    this.#reader?.end();
    this.#endLife = null;
    this.#trace("failed", "for good");
    this.#handlers?.onFailed(error instanceof Error ? error : new Error(String(error)), false);
  }

  #trace(event: string, detail: string): void {
    this.#context.trace.add(this.#context.name, event, `${this.group} ${detail}`);
  }
}

class Crash extends Error {
  readonly reason: Error;
  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
