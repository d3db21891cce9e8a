/** One client process of the simulated cluster: the broker port, and the process' life and death. */
import type {
  Broker,
  BrokerAdmin,
  GroupConsumer,
  GroupOptions,
  Producer,
  Tail,
  TailOptions,
  Transaction,
  TransactionalProducer,
} from "@sluice/runtime";
import { MemoryAdmin } from "./admin.ts";
import type { ClientContext } from "./client-context.ts";
import type { SimClock } from "./clock.ts";
import { MemoryGroupConsumer } from "./group-consumer.ts";
import { MemoryPlainTaskProducer } from "./plain-task-producer.ts";
import { MemoryProducer, MemoryTransactionalProducer } from "./producers.ts";
import { MemoryTail } from "./tail.ts";

/** A transaction with records and offsets sent and no decision taken. */
export interface HeldTransaction {
  /** Rejects with CommitFailed, as a producer's commit does. */
  commit(): Promise<void>;
}

export class MemoryClient implements Broker {
  readonly name: string;
  readonly admin: BrokerAdmin;
  readonly #context: ClientContext;
  readonly #consumers: MemoryGroupConsumer[] = [];
  readonly #closing: { close(): Promise<void> }[] = [];

  constructor(context: ClientContext) {
    this.name = context.name;
    this.#context = context;
    this.admin = new MemoryAdmin(context.server, context.openWire());
  }

  /** Time as this process has it: its timers stand still while it is frozen and end when it is killed. */
  get clock(): SimClock {
    return this.#context.process;
  }

  get state(): "running" | "frozen" | "killed" {
    return this.#context.process.state;
  }

  /** kill -9: nothing more is sent or delivered; no promise of this client settles any more. */
  kill(): void {
    this.#trace("killed");
    this.#context.process.kill();
  }

  /** SIGSTOP: what is sent, delivered or due is held back. */
  freeze(): void {
    this.#trace("frozen");
    this.#context.process.freeze();
  }

  /** SIGCONT: the process goes on where it was, and does not know that time has passed. */
  thaw(): void {
    this.#trace("thawed");
    this.#context.process.thaw();
  }

  groupConsumer(options: GroupOptions): GroupConsumer {
    const consumer = new MemoryGroupConsumer(options, this.#context);
    this.#consumers.push(consumer);
    return consumer;
  }

  transactionalProducer(transactionalId: string): Promise<TransactionalProducer> {
    if (this.#context.delivery === "exactly-once")
      return this.#open(() => new MemoryTransactionalProducer(transactionalId, this.#context));
    return this.#open(
      () =>
        new MemoryPlainTaskProducer(transactionalId, this.#context, (group) => {
          const consumer = this.#consumers.find((each) => each.group === group);
          if (consumer === undefined) throw new Error(`no consumer of ${group} to commit offsets with`);
          return consumer;
        }),
    );
  }

  producer(): Promise<Producer> {
    return this.#open(() => new MemoryProducer(this.#context));
  }

  timeMs(topic: string): Promise<number> {
    return this.#context.openWire().callAgain(() => this.#context.server.timeMs(topic));
  }

  async tail(options: TailOptions): Promise<Tail> {
    const tail = await MemoryTail.open(options, this.#context);
    this.#closing.push(tail);
    return tail;
  }

  /** Sends a transaction and leaves it open, as a process does that hangs just before its commit. */
  openTransaction(transactionalId: string, transaction: Transaction): Promise<HeldTransaction> {
    return new MemoryTransactionalProducer(transactionalId, this.#context).hold(transaction);
  }

  /** Crashes the client library's consumers of the group; they restart by themselves or are dead for good. */
  crashConsumers(group: string, restarting: boolean): void {
    for (const consumer of this.#consumers) {
      if (consumer.group === group) consumer.crash(new Error("the consumer was made to crash"), restarting);
    }
  }

  /** Resolves at once for a killed client, so that a simulation can end; for a frozen one when it has woken. */
  async close(): Promise<void> {
    if (this.state === "killed") return;
    await Promise.all([
      ...this.#consumers.map((consumer) => consumer.stop()),
      ...this.#closing.map((part) => part.close()),
    ]);
  }

  async #open<T extends { close(): Promise<void> }>(make: () => T): Promise<T> {
    const part = make();
    await this.#context.openWire().callAgain(() => undefined);
    this.#closing.push(part);
    return part;
  }

  #trace(event: string): void {
    this.#context.trace.add(this.name, event, "");
  }
}
