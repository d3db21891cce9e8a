/** The text of one event stream, as server-sent events. */
import type { Broker, BrokerRecord, Clock } from "@sluice/runtime";
import type { EventHub } from "./event-hub.ts";
import { formatPosition } from "./event-position.ts";
import { LogReader } from "./log-reader.ts";
import { frame, isTerminal, type Gap, type StreamEvent } from "./stream-events.ts";
import { eventOf, type StreamPlan } from "./stream-plan.ts";
import type { StreamEnd } from "./stream-slots.ts";

export interface FeedOptions {
  readonly broker: Broker;
  readonly hub: EventHub;
  readonly clock: Clock;
  readonly job: string;
  readonly partition: number;
  readonly plan: Extract<StreamPlan, { kind: "stream" }>;
  /** Called once, however the stream ends. */
  readonly onClosed: (end: StreamEnd) => void;
  /** Called for each event of the job that is sent. */
  readonly onEvent?: () => void;
}

/** A client that lets this much wait has its stream ended; it may come back and go on where it was. */
export const feedBytesMax = 1024 * 1024;
export const heartbeatMs = 15_000;
/** While this much waits, nothing more is replayed. */
const replayBytesMax = 64 * 1024;
const reconnectMs = 3000;

/**
 * First what is in the topic, read at the client's pace; then what comes, from the hub. The change from one to
 * the other happens at one offset, in one go, so nothing is left out and nothing comes twice.
 */
export function eventFeed(options: FeedOptions): ReadableStream<string> {
  const feed = new Feed(options);
  return new ReadableStream<string>(
    {
      start: (controller) => feed.start(controller),
      pull: () => feed.pull(),
      cancel: () => feed.end("client"),
    },
    { highWaterMark: feedBytesMax, size: (text = "") => Buffer.byteLength(text) },
  );
}

class Feed {
  readonly #options: FeedOptions;
  readonly #reader: LogReader;
  #controller: ReadableStreamDefaultController<string> | null = null;
  #next: number;
  #unsubscribe: (() => void) | null = null;
  #stopHeartbeat: () => void = () => undefined;
  #ended = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { broker, hub, partition, plan } = options;
    this.#next = plan.start;
    this.#reader = new LogReader(broker, [{ topic: hub.topic, partition, from: plan.start, end: plan.end }]);
  }

  start(controller: ReadableStreamDefaultController<string>): void {
    this.#controller = controller;
    const { job, plan, clock } = this.#options;
    controller.enqueue(`retry: ${reconnectMs}\n\n`);
    this.#send({ type: "stream_connected", job, run: plan.run, atMs: clock.nowMs() }, null);
    if (plan.gap !== null) this.#sendGap(plan.gap);
    this.#beat();
  }

  /** Called while there is room, and again whenever something was taken. */
  async pull(): Promise<void> {
    try {
      while (!this.#ended && this.#unsubscribe === null && this.#waitingBytes() <= replayBytesMax) {
        if (await this.#replay()) return;
      }
    } catch (error) {
      this.#controller?.error(error);
      this.end("failed");
    }
  }

  /** Nothing is sent any more. */
  end(end: StreamEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unsubscribe?.();
    this.#stopHeartbeat();
    void this.#reader.close();
    this.#options.onClosed(end);
  }

  /** One step of the replay; true where nothing is to be pulled for now. */
  async #replay(): Promise<boolean> {
    const { hub, partition, job, plan } = this.#options;
    if (plan.end === null && this.#next >= hub.next(partition)) {
      this.#unsubscribe = hub.subscribe(job, partition, {
        record: (record) => this.#live(record),
        gap: (from, to) => this.#sendGap({ reason: "retention", from, to }),
      });
      void this.#reader.close();
      return true;
    }
    const batch = this.#next >= (plan.end ?? Infinity) ? null : await this.#reader.read();
    if (this.#ended) return true;
    if (batch === null) {
      // The run has ended and its last event is gone.
      this.#finish({ reason: "retention", from: plan.start, to: this.#next - 1 });
      return true;
    }
    for (const record of batch.records) this.#take(record);
    this.#next = Math.max(this.#next, batch.nextOffset);
    return this.#ended;
  }

  #live(record: BrokerRecord): void {
    this.#take(record);
    if (this.#ended || this.#waitingBytes() <= feedBytesMax) return;
    this.#controller?.error(new Error(`the client lets more than ${feedBytesMax} bytes wait`));
    this.end("slow");
  }

  /** Sends the record's event, if it is one of the run; ends with the last one. */
  #take(record: BrokerRecord): void {
    if (this.#ended || record.offset < this.#next) return;
    const { job, partition, plan } = this.#options;
    this.#next = record.offset + 1;
    const event = eventOf(record, job);
    if (event === null || event.run < plan.run) return;
    if (event.run > plan.run) {
      return this.#finish({ reason: "superseded", from: record.offset, to: record.offset });
    }
    this.#send(event, formatPosition({ partition, offset: record.offset }));
    if (isTerminal(event)) this.#finish(null);
  }

  #finish(gap: Pick<Gap, "reason" | "from" | "to"> | null): void {
    if (gap !== null) this.#sendGap(gap);
    this.#controller?.close();
    this.end("complete");
  }

  #sendGap(gap: Pick<Gap, "reason" | "from" | "to">): void {
    const { job, plan, clock } = this.#options;
    this.#send({ type: "gap", job, run: plan.run, atMs: clock.nowMs(), ...gap }, null);
  }

  #send(event: StreamEvent, id: string | null): void {
    this.#controller?.enqueue(frame(event, id));
    if (id !== null) this.#options.onEvent?.();
  }

  #waitingBytes(): number {
    return feedBytesMax - (this.#controller?.desiredSize ?? feedBytesMax);
  }

  /** A comment, so that the way between does not take the stream for dead. */
  #beat(): void {
    this.#stopHeartbeat = this.#options.clock.after(heartbeatMs, () => {
      if (this.#waitingBytes() <= replayBytesMax) this.#controller?.enqueue(": still here\n\n");
      this.#beat();
    });
  }
}
