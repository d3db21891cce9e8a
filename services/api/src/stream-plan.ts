/** What a request for a job's events means: from where, of which run, and whether there is an end already. */
import { decodeRecord, topics, type CrawlEvent } from "@sluice/records";
import type { Broker, BrokerRecord } from "@sluice/runtime";
import type { EventPosition } from "./event-position.ts";
import { LogReader } from "./log-reader.ts";
import { isTerminal, type Gap } from "./stream-events.ts";

export interface StreamRequest {
  readonly job: string;
  /** With the prefix. */
  readonly topic: string;
  readonly partition: number;
  /** Of the job, as its record and its owner have it. */
  readonly run: number;
  readonly ended: boolean;
  /** Of the last event that the client got; null for a new client. */
  readonly after: EventPosition | null;
}

export type StreamPlan =
  /** The client has everything there will ever be. */
  | { readonly kind: "finished" }
  | {
      readonly kind: "stream";
      readonly run: number;
      readonly start: number;
      /** The run has ended, and its last event lies before this offset; null while it goes on. */
      readonly end: number | null;
      readonly gap: Pick<Gap, "reason" | "from" | "to"> | null;
    };

/**
 * A new client gets the present run from its first event that is still there. One that comes back goes on with
 * the run whose event it got last, even where another run has begun since. @throws where the broker can't be read
 */
export async function planStream(broker: Broker, request: StreamRequest): Promise<StreamPlan> {
  const { topic, partition, run, ended, after } = request;
  const { low, high } = (await broker.admin.watermarks(topic))[partition] ?? { low: 0, high: 0 };
  const endOf = (followed: number): number | null => (ended || followed < run ? high : null);
  if (after === null) return { kind: "stream", run, start: low, end: endOf(run), gap: null };
  if (after.offset >= high) {
    const gap = { reason: "unknown_position", from: low, to: after.offset } as const;
    return { kind: "stream", run, start: low, end: endOf(run), gap };
  }
  const wanted = after.offset + 1;
  const last = after.offset < low ? null : await eventAt(broker, request, after.offset);
  if (last !== null && isTerminal(last)) return { kind: "finished" };
  const followed = last?.run ?? run;
  const end = endOf(followed);
  const start = Math.max(low, wanted);
  if (end !== null && !(await anyEvent(broker, request, followed, start, end))) return { kind: "finished" };
  return {
    kind: "stream",
    run: followed,
    start,
    end,
    gap: wanted < low ? { reason: "retention", from: wanted, to: low - 1 } : null,
  };
}

/** The event of a record, if it is one of the job. */
export function eventOf(record: BrokerRecord, job: string): CrawlEvent | null {
  if (record.key?.toString("utf8") !== job) return null;
  const decoded = decodeRecord(topics.events.name, record.value);
  if (decoded.kind !== "value") return null;
  const event = decoded.value as CrawlEvent;
  return event.job === job ? event : null;
}

async function eventAt(broker: Broker, request: StreamRequest, offset: number): Promise<CrawlEvent | null> {
  let found: CrawlEvent | null = null;
  await scan(broker, request, offset, offset + 1, (event) => {
    found = event;
    return true;
  });
  return found;
}

function anyEvent(
  broker: Broker,
  request: StreamRequest,
  run: number,
  from: number,
  end: number,
): Promise<boolean> {
  return scan(broker, request, from, end, (event) => event.run === run);
}

/** Reads until `isFound` says yes; false where it never does. */
async function scan(
  broker: Broker,
  { job, topic, partition }: StreamRequest,
  from: number,
  end: number,
  isFound: (event: CrawlEvent) => boolean,
): Promise<boolean> {
  const reader = new LogReader(broker, [{ topic, partition, from, end }]);
  try {
    for (;;) {
      const batch = await reader.read();
      if (batch === null) return false;
      for (const record of batch.records) {
        const event = eventOf(record, job);
        if (event !== null && isFound(event)) return true;
      }
    }
  } finally {
    await reader.close();
  }
}
