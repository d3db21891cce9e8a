/** A reader without a group. */
import type { Tail, TailOptions, TopicPartition } from "@sluice/runtime";
import type { ClientContext } from "./client-context.ts";
import { isPassing, type Position, Reader } from "./reader.ts";

/** As much for one partition as kafkajs asks for by default. */
const partitionBytesMax = 1_048_576;

export class MemoryTail implements Tail {
  readonly #options: TailOptions;
  readonly #context: ClientContext;
  readonly #positions: readonly Position[];
  #reader: Reader | null = null;
  #isClosed = false;

  static async open(options: TailOptions, context: ClientContext): Promise<MemoryTail> {
    const { server } = context;
    const positions = await context.openWire().callAgain(() =>
      options.from.map(({ topic, partition, offset }) => {
        const log = server.topics.log({ topic, partition });
        const next = offset === "start" ? log.low : offset === "end" ? log.highWatermark : offset;
        return { topic, partition, next, paused: false, seeks: 0, jumpedFrom: null };
      }),
    );
    return new MemoryTail(options, context, positions);
  }

  private constructor(options: TailOptions, context: ClientContext, positions: readonly Position[]) {
    this.#options = options;
    this.#context = context;
    this.#positions = positions;
    this.#read();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#reader?.end();
    return Promise.resolve();
  }

  /** The first partition's topic, to tell tails apart in a trace. */
  get #first(): TopicPartition | undefined {
    return this.#options.from[0];
  }

  #read(): void {
    const { name, fetchWaitMsMax } = this.#context;
    this.#reader = new Reader({
      ...this.#context,
      who: `${name} tail ${this.#first?.topic ?? ""}`,
      limits: { group: null, partitionBytesMax, waitMsMax: fetchWaitMsMax },
      positions: this.#positions,
      onBatch: this.#options.onBatch,
      onError: (error) => this.#fail(error),
    });
    this.#reader.start();
  }

  #fail(error: unknown): void {
    this.#reader?.end();
    if (this.#isClosed) return;
    const reason = error instanceof Error ? error : new Error(String(error));
    const restarting = isPassing(error);
    this.#options.onFailed(reason, restarting);
    if (!restarting) return;
    const { process, restartDelayMs } = this.#context;
    process.setTimer(process.nowMs() + restartDelayMs, () => {
      if (!this.#isClosed) this.#read();
    });
  }
}
