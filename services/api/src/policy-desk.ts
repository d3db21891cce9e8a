/** Takes what the operator says of hosts and writes it into `crawl.policies`. */
import { topics, type Policy, type TopicLayout } from "@sluice/records";
import type { Broker, Clock } from "@sluice/runtime";
import type { Follower } from "./follower.ts";
import type { PolicyBook } from "./policy-book.ts";
import { Problem } from "./problem.ts";
import { RecordWriter, unavailable } from "./record-writer.ts";

export interface PolicyDeskOptions {
  readonly book: PolicyBook;
  /** Of `crawl.policies`. */
  readonly follower: Follower;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly layout: TopicLayout;
}

const freshMs = 5000;

export class PolicyDesk {
  readonly #options: PolicyDeskOptions;
  readonly #writer: RecordWriter;

  constructor(options: PolicyDeskOptions) {
    this.#options = options;
    this.#writer = new RecordWriter({
      ...options,
      topic: topics.policies.name,
      idPrefix: "api-policies",
      partitionOf: () => 0,
    });
  }

  /** Resolves when all that was written when it was called is in the book. @throws Problem 503 */
  async refresh(): Promise<void> {
    const { follower, layout } = this.#options;
    const caughtUp = await follower
      .caughtUp(layout.prefix + topics.policies.name, freshMs)
      .catch((error: unknown) => Promise.reject(unavailable(error)));
    if (caughtUp) return;
    throw new Problem(503, "The topic of policies could not be read to its end in time.", [], {
      "retry-after": "5",
    });
  }

  /** @throws Problem 404 */
  async find(pattern: string): Promise<Policy> {
    await this.refresh();
    const policy = this.#options.book.all.get(pattern);
    if (policy !== undefined) return policy;
    throw new Problem(404, `There is no policy for ${pattern}.`);
  }

  /** Sets the policy of a pattern, whole. `isNew`: there was none. */
  set(pattern: string, policy: Policy): Promise<{ readonly isNew: boolean; readonly policy: Policy }> {
    return this.#writer.order(pattern, async () => {
      await this.refresh();
      const isNew = !this.#options.book.all.has(pattern);
      return { write: { value: policy }, answer: { isNew, policy } };
    });
  }

  /** Sets some fields of the policy of a pattern and keeps the others. */
  change(pattern: string, fields: Partial<Policy>, updatedAtMs: number): Promise<void> {
    return this.#writer.order(pattern, async () => {
      await this.refresh();
      const value = { ...this.#options.book.all.get(pattern), ...fields, updatedAtMs };
      return { write: { value }, answer: undefined };
    });
  }

  /** @throws Problem 404 */
  remove(pattern: string): Promise<void> {
    return this.#writer.order(pattern, async () => {
      await this.find(pattern);
      return { write: { value: null }, answer: undefined };
    });
  }
}
