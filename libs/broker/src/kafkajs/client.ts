/**
 * Makes `Kafka` objects of kafkajs. Every reader, producer and admin client gets one of its own: all
 * clients of one object share a cache of committed offsets, which `sendOffsets` fills before the commit.
 */
import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import kafkajs from "kafkajs";
import type { ISocketFactory, Kafka, LogEntry, RetryOptions, SASLOptions } from "kafkajs";
import { registerCodecs } from "./codecs.ts";
import { refusalOf } from "./failures.ts";
import { patchKafkajs } from "./patches.ts";

export type Log = (event: string, fields: object) => void;

export interface ConnectionSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: ConnectionOptions | boolean | undefined;
  readonly sasl: SASLOptions | undefined;
  readonly log: Log;
  readonly connectionTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/** kafkajs' own defaults differ under NODE_ENV=test, and its waits grow to 30 s: all five are given. */
export type Retry = Required<
  Pick<RetryOptions, "initialRetryTime" | "retries" | "factor" | "multiplier" | "maxRetryTime">
>;

/** For clients that something above restarts: give up after a few seconds. */
export const briefRetry: Retry = {
  initialRetryTime: 100,
  retries: 5,
  factor: 0.2,
  multiplier: 1.5,
  maxRetryTime: 1_000,
};
/** For sends and administration that must live through an outage of two minutes. */
export const patientRetry: Retry = { ...briefRetry, retries: 150 };

export interface Client {
  readonly kafka: Kafka;
  /** Rejects when TLS shows that a broker will never have us; kafkajs would go on trying. */
  readonly refused: Promise<never>;
  /** Closes all connections now and lets no new one be opened. */
  destroy(): void;
}

/** `onWrite` sees each request frame as it is handed to the socket. */
export function openClient(
  settings: ConnectionSettings,
  retry: Retry,
  onWrite: ((frame: Buffer) => void) | null = null,
): Client {
  patchKafkajs();
  registerCodecs();
  const sockets = new Set<Socket>();
  let destroyed = false;
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => undefined);
  const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (destroyed) throw new Error("the client is closed");
    const socket = ssl
      ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect)
      : connectTcp({ host, port }, onConnect);
    socket.setKeepAlive(true, 60_000);
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.once("error", (error) => {
      if (refusalOf(error) !== null) refused.reject(error);
    });
    if (onWrite !== null) watchWrites(socket, onWrite);
    return socket;
  };
  const kafka = new kafkajs.Kafka({
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    ...(settings.ssl === undefined ? {} : { ssl: settings.ssl }),
    ...(settings.sasl === undefined ? {} : { sasl: settings.sasl }),
    connectionTimeout: settings.connectionTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    retry,
    socketFactory,
    logLevel: kafkajs.logLevel.ERROR,
    logCreator: () => sparingly(settings.log),
  });
  return {
    kafka,
    refused: refused.promise,
    destroy() {
      destroyed = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** kafkajs says the same thing twenty times a second while a broker is away. */
const sameEveryMs = 10_000;
const messagesMax = 100;

function sparingly(log: Log): (entry: LogEntry) => void {
  const said = new Map<string, { atMs: number; repeated: number }>();
  return ({ namespace, log: { message, error } }) => {
    const nowMs = performance.now();
    const last = said.get(message);
    if (last !== undefined && nowMs - last.atMs < sameEveryMs) {
      last.repeated += 1;
      return;
    }
    if (said.size >= messagesMax) said.clear();
    said.set(message, { atMs: nowMs, repeated: 0 });
    log("kafka_client_error", { namespace, message, error, repeated: last?.repeated ?? 0 });
  };
}

function watchWrites(socket: Socket, onWrite: (frame: Buffer) => void): void {
  const write = socket.write.bind(socket) as (...given: unknown[]) => boolean;
  socket.write = ((...given: unknown[]) => {
    const written = write(...given);
    if (Buffer.isBuffer(given[0])) onWrite(given[0]);
    return written;
  }) as Socket["write"];
}
