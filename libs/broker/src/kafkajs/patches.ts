/**
 * What kafkajs 2.2.4 does otherwise than this package needs, put right at its prototypes, once for the
 * process. Each patch has a test of its own against a real Kafka in `tests/kafka/kafkajs-*.test.ts`.
 */
import {
  BatchClass,
  BrokerClass,
  ConnectionClass,
  ConsumerGroupClass,
  installedKafkajsVersion,
  kafkajsVersion,
  OffsetManagerClass,
  replaceDecodeMessages,
  RequestQueueClass,
} from "./internals.ts";
import type { InternalBatch, InternalGroup, TopicPartitions } from "./internals.ts";
import { decodeRecordBatches, visibleMessages } from "./record-batches.ts";

/** What a reader is told of, and decides, inside kafkajs' consumer group. */
export interface ReaderHooks {
  /** Partitions to read without any group; null joins the group as usual. */
  readonly assignment: readonly TopicPartitions[] | null;
  /** A consumer group object was made and is connected, nothing is joined yet. */
  onGroup(group: InternalGroup): void;
  /** A join begins; `done` settles with it. */
  onJoining(done: Promise<void>): void;
  /** Called in place of the GROUP_JOIN event where `assignment` is given. */
  onAssigned(group: InternalGroup): void;
  /** The position was below or above the log; reading goes on at `newOffset`, the log's first. */
  onOutOfRange(topic: string, partition: number, oldOffset: number, newOffset: number): void;
}

const hooksByCluster = new WeakMap<object, ReaderHooks>();

/** Ties hooks to the cluster object that a consumer, its group and its offset manager share. */
export function hookReader(cluster: object, hooks: ReaderHooks): void {
  hooksByCluster.set(cluster, hooks);
}

/** Where the fetch ended, which lies behind its last visible record where markers or holes follow. */
export function nextOffsetOf(batch: InternalBatch): number {
  return Math.max(batch.rawMessages.nextOffset ?? 0, Number(batch.fetchedOffset));
}

let patched = false;

export function patchKafkajs(): void {
  if (patched) return;
  const installed = installedKafkajsVersion();
  if (installed !== kafkajsVersion) {
    throw new Error(`kafkajs ${installed} is installed; its internals are known for ${kafkajsVersion} only`);
  }
  patched = true;
  stopIdleTimers();
  forgetHalfAnswers();
  keepHoles();
  stayInRange();
  askForHighWatermarks();
  hookGroups();
}

/** An empty queue re-arms a timer with a negative delay for ever: 6 % of a core for each connection. */
function stopIdleTimers(): void {
  const queue = RequestQueueClass.prototype;
  const schedule = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0) schedule.call(this);
  };
}

/** The length that each answer begins with. */
const lengthBytes = 4;

/**
 * A connection that was cut in the middle of an answer keeps the half of it, and takes the first bytes of the
 * next socket for the rest: lengths are then read from anywhere, and the process dies of it.
 */
function forgetHalfAnswers(): void {
  const connection = ConnectionClass.prototype;
  const connect = connection.connect;
  connection.connect = function () {
    if (!this.isConnected()) {
      this.socket?.removeAllListeners("data");
      this.chunks = [];
      this.bytesBuffered = 0;
      this.bytesNeeded = lengthBytes;
    }
    return connect.call(this);
  };
}

/**
 * A fetch that brought only markers, aborted records or batches emptied by compaction never reaches
 * `eachBatch`, and the position is taken from the last record, so that an emptied batch is fetched for
 * ever. With these, `lastOffset` follows the record batches' own headers.
 */
function keepHoles(): void {
  replaceDecodeMessages(decodeRecordBatches);
  const broker = BrokerClass.prototype;
  const fetch = broker.fetch;
  broker.fetch = async function (request) {
    const answer = await fetch.call(this, request);
    for (const { partitions } of answer.responses) {
      for (const data of partitions) {
        data.messages = visibleMessages(data.messages, data.abortedTransactions ?? []);
        data.abortedTransactions = [];
      }
    }
    return answer;
  };
  const batch = BatchClass.prototype;
  batch.isEmpty = function () {
    return nextOffsetOf(this) === Number(this.fetchedOffset);
  };
  batch.isEmptyDueToFiltering = () => false;
  batch.lastOffset = function () {
    return String(nextOffsetOf(this) - 1);
  };
}

/** kafkajs commits the default offset on OFFSET_OUT_OF_RANGE; here nothing is committed. */
function stayInRange(): void {
  const manager = OffsetManagerClass.prototype;
  manager.setDefaultOffset = async function ({ topic, partition }) {
    const oldOffset = Number(this.nextOffset(topic, partition).toString());
    const [found] = await this.cluster.fetchTopicsOffset([
      { topic, partitions: [{ partition }], fromBeginning: true },
    ]);
    const low = found?.partitions.find((entry) => entry.partition === partition)?.offset;
    if (low === undefined) throw new Error(`no first offset was found for ${topic}-${partition}`);
    this.resolveOffset({ topic, partition, offset: String(Number(low) - 1) });
    hooksByCluster.get(this.cluster)?.onOutOfRange(topic, partition, oldOffset, Number(low));
  };
}

/**
 * Admin clients name no isolation level, and kafkajs then asks for the last stable offset: the end of a
 * partition would lie before the records of a transaction that is open.
 */
function askForHighWatermarks(): void {
  const readUncommitted = 0;
  const broker = BrokerClass.prototype;
  const listOffsets = broker.listOffsets;
  broker.listOffsets = function (request) {
    return listOffsets.call(this, { ...request, isolationLevel: request.isolationLevel ?? readUncommitted });
  };
}

function hookGroups(): void {
  const group = ConsumerGroupClass.prototype;
  const { connect, joinAndSync } = group;
  group.connect = async function () {
    await connect.call(this);
    hooksByCluster.get(this.cluster)?.onGroup(this);
  };
  group.joinAndSync = function () {
    const hooks = hooksByCluster.get(this.cluster);
    if (hooks === undefined) return joinAndSync.call(this);
    const done =
      hooks.assignment === null ? joinAndSync.call(this) : assignWithoutGroup(this, hooks, hooks.assignment);
    hooks.onJoining(done);
    return done;
  };
}

/** The `assign()` that kafkajs lacks: no group, no heartbeats, no committed offsets. */
async function assignWithoutGroup(
  group: InternalGroup,
  hooks: ReaderHooks,
  assignment: readonly TopicPartitions[],
): Promise<void> {
  group.topics = assignment.map(({ topic }) => topic);
  group.partitionsPerSubscribedTopic = null;
  group.subscriptionState.assign([...assignment]);
  group.offsetManager = new OffsetManagerClass({
    cluster: group.cluster,
    topicConfigurations: group.topicConfigurations,
    instrumentationEmitter: group.instrumentationEmitter,
    memberAssignment: Object.fromEntries(assignment.map(({ topic, partitions }) => [topic, partitions])),
    autoCommit: false,
    autoCommitInterval: null,
    autoCommitThreshold: null,
    coordinator: null,
    groupId: group.groupId,
    generationId: null,
    memberId: null,
  });
  hooks.onAssigned(group);
}
