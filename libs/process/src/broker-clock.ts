/** One time of day for all processes: that of the broker, as the timestamps of its own log have it. */
import { topics, type TopicLayout } from "@sluice/records";
import type { Broker, Clock } from "@sluice/runtime";

/** Up to here a process keeps the time that it has: the way there and back is no better known. */
const toleranceMs = 250;
/** The broker's time is asked for so often at the start; the answer that took least counts. */
const looks = 3;
const retryMs = 500;
/** So long a process waits for a broker that does not tell its time; then it goes on with its own. */
const waitMsMax = 30_000;
/** How often the two are compared while the process runs. */
const everyMs = 60_000;
/** Beyond this they are told to be apart: a twentieth of a lease. */
const apartMs = 30_000;

export interface BrokerClockOptions {
  readonly broker: Pick<Broker, "timeMs">;
  readonly layout: TopicLayout;
  /** The process's own. */
  readonly clock: Clock;
  readonly onEvent: (name: string, fields: Readonly<Record<string, unknown>>) => void;
}

export interface BrokerClock extends Clock {
  /** What the broker's time is ahead of ours, as of the last comparison; null where there was none. */
  readonly differenceMs: number | null;
  /** Compares from time to time; returns what ends that. */
  watch(): () => void;
}

/**
 * Leases, due times and waits pass from process to process as instants, so all have to mean the same by them.
 * Asked once, when the process starts: from then on its time never jumps, whatever is done to either clock.
 */
export async function openBrokerClock(options: BrokerClockOptions): Promise<BrokerClock> {
  const { clock, onEvent } = options;
  const topic = options.layout.prefix + topics.clock.name;
  const look = async (now: () => number): Promise<{ readonly aheadMs: number; readonly tookMs: number }> => {
    const beforeMs = now();
    const brokerMs = await options.broker.timeMs(topic);
    const afterMs = now();
    return { aheadMs: Math.round(brokerMs - (beforeMs + afterMs) / 2), tookMs: afterMs - beforeMs };
  };
  const measured = await best(options, () => look(clock.nowMs));
  const byMs = measured !== null && Math.abs(measured) > toleranceMs ? measured : 0;
  if (byMs !== 0) onEvent("clock_corrected", { byMs });
  let differenceMs = measured === null ? null : measured - byMs;
  const nowMs = (): number => clock.nowMs() + byMs;
  const compare = async (): Promise<void> => {
    try {
      const { aheadMs, tookMs } = await look(nowMs);
      differenceMs = aheadMs;
      if (Math.abs(aheadMs) - tookMs > apartMs) onEvent("clock_apart", { aheadMs });
    } catch (error) {
      onEvent("clock_unknown", { message: String(error) });
    }
  };
  return {
    ...clock,
    nowMs,
    get differenceMs() {
      return differenceMs;
    },
    watch: () => {
      let isOver = false;
      let cancel = (): void => undefined;
      const again = async (): Promise<void> => {
        await compare();
        if (!isOver) wait();
      };
      const wait = (): void => {
        cancel = clock.after(everyMs, () => void again());
      };
      wait();
      return () => {
        isOver = true;
        cancel();
      };
    },
  };
}

async function best(
  { clock, onEvent }: BrokerClockOptions,
  look: () => Promise<{ readonly aheadMs: number; readonly tookMs: number }>,
): Promise<number | null> {
  const untilMs = clock.monotonicMs() + waitMsMax;
  let found: { readonly aheadMs: number; readonly tookMs: number } | null = null;
  for (let left = looks; left > 0;) {
    try {
      const next = await look();
      if (found === null || next.tookMs < found.tookMs) found = next;
      left -= 1;
    } catch (error) {
      if (clock.monotonicMs() >= untilMs) {
        onEvent("clock_unknown", { message: String(error) });
        break;
      }
      await new Promise<void>((resolve) => {
        clock.after(retryMs, resolve);
      });
    }
  }
  return found?.aheadMs ?? null;
}
