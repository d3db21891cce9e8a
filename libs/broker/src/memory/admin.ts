/** The administrative requests, answered by the simulated broker. */
import type { BrokerAdmin, CommittedOffset, TopicDrift, TopicSpec } from "@sluice/runtime";
import type { Server } from "./server.ts";
import { once, type Wire } from "./wire.ts";

export class MemoryAdmin implements BrokerAdmin {
  readonly #server: Server;
  readonly #wire: Wire;

  constructor(server: Server, wire: Wire) {
    this.#server = server;
    this.#wire = wire;
  }

  clusterId(): Promise<string> {
    return this.#wire.callAgain(() => "memory");
  }

  createTopics(specs: readonly TopicSpec[]): Promise<readonly string[]> {
    return this.#wire.callAgain(once(() => this.#server.topics.create(specs)));
  }

  topicDrift(specs: readonly TopicSpec[]): Promise<readonly TopicDrift[]> {
    return this.#wire.callAgain(() => this.#server.topics.drift(specs));
  }

  committedOffsets(group: string, topics: readonly string[]): Promise<readonly CommittedOffset[]> {
    return this.#wire.callAgain(() =>
      this.#server
        .group(group)
        .committed()
        .filter(({ topic }) => topics.includes(topic)),
    );
  }

  watermarks(topic: string): Promise<readonly { readonly low: number; readonly high: number }[]> {
    return this.#wire.callAgain(() =>
      this.#server.topics.logs(topic).map((log) => ({ low: log.low, high: log.highWatermark })),
    );
  }

  deleteGroup(group: string): Promise<void> {
    return this.#wire.callAgain(() => this.#server.deleteGroup(group));
  }
}
