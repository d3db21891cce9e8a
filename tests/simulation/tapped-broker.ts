/** The broker port of one process, with every exchange told to the checks and counted as an effect. */
import type { Broker, GroupConsumer, GroupOptions, TransactionalProducer } from "@sluice/runtime";
import type { LifeName, Observer } from "./observer.ts";

export interface Tap {
  readonly life: LifeName;
  readonly observers: readonly Observer[];
  /** Something happens at which the process may die. */
  readonly onEffect: (kind: string) => void;
}

export function tappedBroker(broker: Broker, tap: Tap): Broker {
  return {
    admin: broker.admin,
    groupConsumer: (options) => tappedConsumer(broker, options, tap),
    transactionalProducer: async (id) => {
      tap.onEffect("fence");
      return tappedProducer(await broker.transactionalProducer(id), id, tap);
    },
    producer: () => broker.producer(),
    timeMs: (topic) => broker.timeMs(topic),
    tail: (options) => broker.tail(options),
    close: () => broker.close(),
  };
}

function tappedConsumer(
  broker: Broker,
  options: GroupOptions,
  { life, observers, onEffect }: Tap,
): GroupConsumer {
  const consumer = broker.groupConsumer(options);
  return {
    start: (handlers) =>
      consumer.start({
        ...handlers,
        onJoined: (join) => {
          onEffect("join");
          for (const observer of observers) observer.joined?.(life, join);
          handlers.onJoined(join);
        },
        onBatch: (batch) => {
          for (const observer of observers) observer.batch?.(life, batch);
          handlers.onBatch(batch);
        },
      }),
    seek: (at, offset) => {
      for (const observer of observers) observer.sought?.(life, at, offset);
      consumer.seek(at, offset);
    },
    pause: (partitions) => consumer.pause(partitions),
    resume: (partitions) => consumer.resume(partitions),
    stop: () => consumer.stop(),
  };
}

function tappedProducer(
  producer: TransactionalProducer,
  id: string,
  { life, observers, onEffect }: Tap,
): TransactionalProducer {
  const task = Number(id.slice(id.lastIndexOf("-") + 1));
  return {
    fence: () => producer.fence(),
    close: () => producer.close(),
    commit: async (transaction) => {
      onEffect("commit");
      for (const observer of observers) observer.committing?.(life, task, transaction);
      const written = await producer.commit(transaction);
      for (const observer of observers) observer.committed?.(life, task, transaction);
      return written;
    },
  };
}
