/**
 * The broker port: all that the runtime asks of Kafka, and nothing else. `@sluice/broker` has the
 * implementations (kafkajs; in memory, for simulation only); one conformance suite holds for both.
 */

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A record as it lies in the log. Offsets are numbers: 2^53 records a partition are enough. */
export interface BrokerRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestampMs: number;
  /** Why it can't be read: it stands for a whole batch then, whose bytes as they came are its value. */
  readonly fault?: string;
}

/**
 * What one fetch brought for one partition. It may be empty: transaction markers, aborted records and
 * compaction leave holes, and only `nextOffset` tells how far the reader has come.
 */
export interface Batch extends TopicPartition {
  readonly records: readonly BrokerRecord[];
  /** The position the fetch was made at; differs from the reader's own where a seek overtook the fetch. */
  readonly fromOffset: number;
  readonly nextOffset: number;
  readonly highWatermark: number;
}

export interface OutRecord extends TopicPartition {
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The highest offset that a send or a transaction wrote to a partition. */
export interface Written extends TopicPartition {
  readonly lastOffset: number;
}

export interface CommittedOffset extends TopicPartition {
  /** Next offset to read, as Kafka has it. */
  readonly offset: number;
  readonly metadata: string;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Omit for the broker's default. */
  readonly replicationFactor?: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** One difference between a topic as it is and as the table of topics has it. */
export interface TopicDrift {
  readonly topic: string;
  readonly setting: string;
  readonly expected: string;
  readonly actual: string;
}

export interface BrokerAdmin {
  /** The cluster's own id: another cluster has another one, whatever its address. */
  clusterId(): Promise<string>;
  /** Creates what is missing; never changes what is there. Returns the names created. */
  createTopics(specs: readonly TopicSpec[]): Promise<readonly string[]>;
  /** Compares topics with their specs: existence, partitions, and the configs named in the spec. */
  topicDrift(specs: readonly TopicSpec[]): Promise<readonly TopicDrift[]>;
  /** The group's committed offsets, -1 omitted. NOT stable offsets: fence first (see the design, §3). */
  committedOffsets(group: string, topics: readonly string[]): Promise<readonly CommittedOffset[]>;
  /** First and next offset of each partition, by partition number. */
  watermarks(topic: string): Promise<readonly { readonly low: number; readonly high: number }[]>;
  /** Removes a consumer group that has no members; no error where it does not exist. */
  deleteGroup(group: string): Promise<void>;
}

/** What a member owns after a join. */
export interface Join {
  readonly memberId: string;
  readonly generation: number;
  /** Task numbers; task p is partition p of all inputs and of the changelog. */
  readonly tasks: readonly number[];
}

export interface GroupHandlers {
  /**
   * Called synchronously inside the join, before anything is fetched. Every assigned partition is paused
   * by then, whatever its state was before; the runtime seeks and resumes when it is ready.
   */
  readonly onJoined: (join: Join) => void;
  /** Called synchronously for each fetched partition; must only enqueue. Batches may arrive after a pause. */
  readonly onBatch: (batch: Batch) => void;
  /** A heartbeat was answered without error. */
  readonly onHeartbeat: () => void;
  /** The group rebalances: what we own is uncertain until `onJoined`. */
  readonly onRebalancing: () => void;
  /** The consumer failed. `restarting`: it tries again by itself; otherwise it is dead for good. */
  readonly onFailed: (error: Error, restarting: boolean) => void;
}

/** Which tasks a member had, for sticky assignment. Travels in the join's user data. */
export interface MemberClaim {
  /** Stable name of the instance, kept over restarts. */
  readonly instance: string;
  /** Tasks owned now. */
  readonly owned: readonly number[];
  /** Tasks whose state lies on this instance's disk. */
  readonly onDisk: readonly number[];
  /** When the owner last heard from the group, epoch milliseconds. */
  readonly heardAtMs: number;
}

/** Gives each task to one member. Pure and deterministic; see `assignment.ts`. */
export type AssignTasks = (
  members: readonly { readonly memberId: string; readonly claim: MemberClaim | null }[],
  tasks: number,
) => ReadonlyMap<string, readonly number[]>;

export interface GroupOptions {
  readonly group: string;
  /** Co-partitioned topics: partition p of each goes to the owner of task p. */
  readonly inputs: readonly string[];
  /** The changelog: assigned like an input, never committed. */
  readonly changelog: string | null;
  /** Every member gets every partition of these; their offsets are never committed. */
  readonly tables: readonly string[];
  readonly tasks: number;
  readonly claim: () => MemberClaim;
  readonly assign: AssignTasks;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Most bytes fetched at once for one partition. */
  readonly partitionBytesMax: number;
}

export interface GroupConsumer {
  /** Joins the group; resolves when polling has begun (not necessarily joined). */
  start(handlers: GroupHandlers): Promise<void>;
  /** Next batch of the partition starts at `offset`. Allowed only for assigned partitions. */
  seek(at: TopicPartition, offset: number): void;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** Leaves the group. No handler is called after it resolves. */
  stop(): Promise<void>;
}

/** Where a commit can be made to fail, or the process to die, in tests. */
export const failpoints = [
  "after_send",
  "after_send_offsets",
  "after_commit_sent",
  "after_commit_before_store",
  "after_assignment_before_fence",
] as const;
export type Failpoint = (typeof failpoints)[number];
export type OnFailpoint = (name: Failpoint) => void;

/** A commit that did not certainly succeed. `fenced`: another owner took the transactional id over. */
export class CommitFailed extends Error {
  override readonly name = "CommitFailed";
  readonly fenced: boolean;
  constructor(message: string, options: { readonly cause?: unknown; readonly fenced: boolean }) {
    super(message, { cause: options.cause });
    this.fenced = options.fenced;
  }
}

export interface Transaction {
  readonly group: string;
  readonly records: readonly OutRecord[];
  readonly offsets: readonly CommittedOffset[];
}

/** Writes for one task under one transactional id. At most one commit at a time. */
export interface TransactionalProducer {
  /** Opens and aborts a transaction on the id, so that any older holder of it can never commit again. */
  fence(): Promise<void>;
  /**
   * One transaction, milliseconds long: records, then offsets, then the commit.
   * Resolves when it is committed, with the highest offset written by topic and partition.
   * Rejects with CommitFailed: the outcome is unknown and this producer is spent; close it, make another.
   */
  commit(transaction: Transaction): Promise<readonly Written[]>;
  close(): Promise<void>;
}

/** Writes outside transactions: seeds, job records. acks=all, idempotent. */
export interface Producer {
  /** Resolves when all are acknowledged, with the highest offset written by topic and partition. */
  send(records: readonly OutRecord[]): Promise<readonly Written[]>;
  close(): Promise<void>;
}

export interface TailOptions {
  /** Partitions to read, all with their first position; "end" skips what is there now. */
  readonly from: readonly (TopicPartition & { readonly offset: number | "start" | "end" })[];
  readonly onBatch: (batch: Batch) => void;
  readonly onFailed: (error: Error, restarting: boolean) => void;
}

/** A reader without group progress: nothing is committed. */
export interface Tail {
  close(): Promise<void>;
}

export interface Broker {
  readonly admin: BrokerAdmin;
  groupConsumer(options: GroupOptions): GroupConsumer;
  transactionalProducer(transactionalId: string): Promise<TransactionalProducer>;
  producer(): Promise<Producer>;
  /**
   * The broker's time of day, epoch milliseconds: that of a record without contents that it has just appended to
   * the topic, whose records it dates itself (`message.timestamp.type`).
   */
  timeMs(topic: string): Promise<number>;
  /** Reads with read_committed. */
  tail(options: TailOptions): Promise<Tail>;
  close(): Promise<void>;
}
