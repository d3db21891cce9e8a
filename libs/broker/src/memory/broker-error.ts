/** Errors that the broker answers, by the protocol's own names and numbers. */

/** Kafka protocol guide, "Error Codes"; NETWORK_EXCEPTION is the client's own for a broken connection. */
const codes = {
  NETWORK_EXCEPTION: 13,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  MESSAGE_TOO_LARGE: 10,
  NOT_ENOUGH_REPLICAS: 19,
  ILLEGAL_GENERATION: 22,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  INVALID_PARTITIONS: 37,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  CONCURRENT_TRANSACTIONS: 51,
  NON_EMPTY_GROUP: 68,
  INVALID_RECORD: 87,
} as const;

export type BrokerErrorType = keyof typeof codes;

const retriable: ReadonlySet<BrokerErrorType> = new Set(["NETWORK_EXCEPTION", "CONCURRENT_TRANSACTIONS"]);

/** Has `type` and `code` as kafkajs' protocol errors have them, so that both are recognised alike. */
export class BrokerError extends Error {
  override readonly name = "BrokerError";
  readonly type: BrokerErrorType;
  readonly code: number;
  readonly retriable: boolean;

  constructor(type: BrokerErrorType, detail: string) {
    super(`${type}: ${detail}`);
    this.type = type;
    this.code = codes[type];
    this.retriable = retriable.has(type);
  }
}

export function isBrokerError(error: unknown, type: BrokerErrorType): boolean {
  return error instanceof BrokerError && error.type === type;
}
