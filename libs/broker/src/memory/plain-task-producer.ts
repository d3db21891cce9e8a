/** Writes for one task without transactions, with what may go wrong there: half a commit stays, a zombie's too. */
import {
  CommitFailed,
  type CommittedOffset,
  type OutRecord,
  type Transaction,
  type TransactionalProducer,
  type Written,
} from "@sluice/runtime";
import { BrokerError } from "./broker-error.ts";
import type { ClientContext } from "./client-context.ts";
import type { CommitFault } from "./faults.ts";
import { sendFailure } from "./too-large.ts";
import { taskOf, type Tenures } from "../tenures.ts";
import { once, type Wire } from "./wire.ts";

/** The client's member of the group. */
export interface Membership {
  readonly tenures: Pick<Tenures, "of">;
  /** One request over the wire that is given. */
  commitOffsets(
    wire: Wire,
    offsets: readonly CommittedOffset[],
    options: { readonly id: string; readonly fault: CommitFault | null },
  ): Promise<void>;
}

export class MemoryPlainTaskProducer implements TransactionalProducer {
  readonly #id: string;
  readonly #context: ClientContext;
  readonly #wire: Wire;
  readonly #memberOf: (group: string) => Membership;
  #tenure: number | null = null;
  #state: "ready" | "busy" | "spent" | "closed" = "ready";

  /** @param id as a transactional one: faults name it, and those who watch. */
  constructor(id: string, context: ClientContext, memberOf: (group: string) => Membership) {
    this.#id = id;
    this.#context = context;
    this.#wire = context.openWire();
    this.#memberOf = memberOf;
  }

  /** Fences nobody: what an older holder wrote stays. It writes no more as soon as it knows that it is one. */
  async fence(): Promise<void> {
    this.#tenure = this.#tenureNow();
    await this.#wire.callAgain(() => undefined);
  }

  async commit({ group, records, offsets }: Transaction): Promise<readonly Written[]> {
    if (this.#state !== "ready") throw new Error(`commit on a producer that is ${this.#state}`);
    this.#state = "busy";
    const { faults, onFailpoint } = this.#context;
    const fault = faults.commitFault(this.#id);
    try {
      this.#check();
      const written = await this.#write(records, fault);
      onFailpoint("after_send");
      if (offsets.length > 0) {
        this.#check();
        const committed = this.#memberOf(group).commitOffsets(this.#wire, offsets, { id: this.#id, fault });
        onFailpoint("after_commit_sent");
        await committed;
      }
      onFailpoint("after_send_offsets");
      this.#finish("ready");
      return written;
    } catch (error) {
      this.#finish("spent");
      const reason = error instanceof Error ? error.message : String(error);
      throw new CommitFailed(`a commit of ${this.#id} without a transaction: ${reason}`, {
        cause: sendFailure(error),
        fenced: false,
      });
    }
  }

  close(): Promise<void> {
    this.#state = "closed";
    return Promise.resolve();
  }

  #tenureNow(): number | null {
    const { group, task } = taskOf(this.#id);
    return this.#memberOf(group).tenures.of(task);
  }

  #check(): void {
    const tenure = this.#tenureNow();
    if (tenure === null || tenure !== this.#tenure) throw new Error("the task was another's meanwhile");
  }

  #finish(state: "ready" | "spent"): void {
    if (this.#state === "busy") this.#state = state;
  }

  /** One request to each node, so that a death or an outage leaves some partitions with records and others without. */
  async #write(records: readonly OutRecord[], fault: CommitFault | null): Promise<readonly Written[]> {
    const { server, process, nodes } = this.#context;
    const written: Written[] = [];
    const byNode = Map.groupBy(records, ({ partition }) => partition % nodes);
    for (const [index, [, group]] of [...byNode].entries()) {
      const sentAtMs = process.nowMs();
      const produce = once(() => {
        if (fault === "refused" && index === byNode.size - 1)
          throw new BrokerError("NOT_ENOUGH_REPLICAS", this.#id);
        return server.produce(group, sentAtMs, null);
      });
      written.push(...(await this.#wire.callAgain(produce)));
    }
    return written;
  }
}
