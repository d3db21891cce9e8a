/** The two producers: in transactions under one transactional id, and plainly idempotent. */
import {
  CommitFailed,
  type OutRecord,
  type Producer,
  type Transaction,
  type TransactionalProducer,
  type Written,
} from "@sluice/runtime";
import { BrokerError, isBrokerError } from "./broker-error.ts";
import type { ClientContext } from "./client-context.ts";
import type { CommitFault } from "./faults.ts";
import { sendFailure } from "./too-large.ts";
import type { ProducerHandle } from "./transactions.ts";
import { once, type Wire } from "./wire.ts";

export class MemoryTransactionalProducer implements TransactionalProducer {
  readonly #id: string;
  readonly #context: ClientContext;
  readonly #wire: Wire;
  #handle: ProducerHandle | null = null;
  #state: "ready" | "busy" | "spent" | "closed" = "ready";

  constructor(transactionalId: string, context: ClientContext) {
    this.#id = transactionalId;
    this.#context = context;
    this.#wire = context.openWire();
  }

  async fence(): Promise<void> {
    if (this.#state !== "ready") throw new Error(`fence on a producer that is ${this.#state}`);
    const { server } = this.#context;
    try {
      this.#handle = await this.#wire.callAgain(() => server.transactions.init(this.#id));
    } catch (error) {
      throw this.#failed(error);
    }
  }

  async commit(transaction: Transaction): Promise<readonly Written[]> {
    this.#begin();
    const fault = this.#context.faults.commitFault(this.#id);
    try {
      const written = await this.#open(transaction, fault);
      if (transaction.records.length + transaction.offsets.length > 0) await this.#end(fault);
      this.#finish();
      return written;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** The first half of a commit; the transaction stays open until `commit` is called. For tests. */
  async hold(transaction: Transaction): Promise<{ commit(): Promise<void> }> {
    this.#begin();
    try {
      await this.#open(transaction, null);
    } catch (error) {
      throw this.#failed(error);
    }
    const commit = async () => {
      try {
        await this.#end(null);
        this.#finish();
      } catch (error) {
        throw this.#failed(error);
      }
    };
    return { commit };
  }

  /** Leaves an open transaction as it is: only the next fence or its timeout aborts it. */
  close(): Promise<void> {
    this.#state = "closed";
    return Promise.resolve();
  }

  #begin(): void {
    if (this.#state !== "ready") throw new Error(`commit on a producer that is ${this.#state}`);
    this.#state = "busy";
  }

  #finish(): void {
    if (this.#state === "busy") this.#state = "ready";
  }

  async #open(
    { group, records, offsets }: Transaction,
    fault: CommitFault | null,
  ): Promise<readonly Written[]> {
    const { server, process, onFailpoint } = this.#context;
    const handle = (this.#handle ??= await this.#wire.callAgain(() => server.transactions.init(this.#id)));
    let written: readonly Written[] = [];
    if (records.length > 0) {
      const sentAtMs = process.nowMs();
      const produce = once(() => {
        if (fault === "refused") throw new BrokerError("NOT_ENOUGH_REPLICAS", this.#id);
        return server.produce(records, sentAtMs, handle);
      });
      written = await this.#wire.callAgain(produce);
    }
    onFailpoint("after_send");
    if (offsets.length > 0) {
      const commitOffsets = once(() =>
        server.transactions.commitOffsets(handle, server.group(group), offsets),
      );
      await this.#wire.callAgain(commitOffsets);
    }
    onFailpoint("after_send_offsets");
    return written;
  }

  async #end(fault: CommitFault | null): Promise<void> {
    const { server, faults, onFailpoint } = this.#context;
    const handle = this.#handle;
    if (handle === null) throw new Error("ended before it began");
    const end = once(() => server.transactions.end(handle, "committed"));
    const lost = (event: string) => new BrokerError("NETWORK_EXCEPTION", `the connection broke ${event}`);
    if (fault === "unknown_lost") {
      onFailpoint("after_commit_sent");
      await this.#wire.call(() => undefined);
      throw lost("before the commit arrived");
    }
    if (fault === "unknown_delayed") {
      this.#wire.call(end, { requestDelayMs: faults.delayedCommitMs() }).catch(() => undefined);
      onFailpoint("after_commit_sent");
      await this.#wire.wait(1);
      throw lost("with the commit on its way");
    }
    const ended = this.#wire.callAgain(end);
    onFailpoint("after_commit_sent");
    await ended;
    if (fault === "unknown_landed") throw lost("before the answer to the commit");
  }

  #failed(error: unknown): CommitFailed {
    if (this.#state === "busy") this.#state = "spent";
    const fenced = isBrokerError(error, "INVALID_PRODUCER_EPOCH");
    const reason = error instanceof Error ? error.message : String(error);
    return new CommitFailed(`transaction of ${this.#id}: ${reason}`, { cause: sendFailure(error), fenced });
  }
}

export class MemoryProducer implements Producer {
  readonly #context: ClientContext;
  readonly #wire: Wire;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(context: ClientContext) {
    this.#context = context;
    this.#wire = context.openWire();
  }

  /** One send after the other, or a retry could put a later one first. */
  send(records: readonly OutRecord[]): Promise<readonly Written[]> {
    if (this.#isClosed) return Promise.reject(new Error("the producer is closed"));
    const sent = this.#last.then(() => this.#send(records));
    this.#last = sent.catch(() => undefined);
    return sent;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
  }

  async #send(records: readonly OutRecord[]): Promise<readonly Written[]> {
    const { server, process } = this.#context;
    const sentAtMs = process.nowMs();
    try {
      return await this.#wire.callAgain(once(() => server.produce(records, sentAtMs, null)));
    } catch (error) {
      throw sendFailure(error);
    }
  }
}
