import type { z } from "zod";
import { countersSchema, grantsSchema } from "./counters.ts";
import { dueSchema, permitSchema } from "./due.ts";
import { eventSchema } from "./event.ts";
import { hostSchema } from "./host.ts";
import { jobSchema } from "./job.ts";
import { linkSchema } from "./link.ts";
import { outcomeSchema } from "./outcome.ts";
import { policySchema } from "./policy.ts";
import type { PolitenessKey } from "./politeness-key.ts";
import { resultSchema } from "./result.ts";
import { seedSchema } from "./seed.ts";

/** One topic, as it is created, checked and documented. */
export interface Topic {
  /** Name without the configured prefix. */
  readonly name: string;
  readonly keyedBy: string;
  /** Schema of the value; null for a service's own durable state and for dead letters. */
  readonly schema: z.ZodType | null;
  /** `tasks`: as many partitions as every co-partitioned topic (12 unless configured). */
  readonly partitions: "tasks" | 1;
  readonly cleanup: "delete" | "compact";
  /** How long records stay, for `delete`; null: as long as the key is current. */
  readonly retentionMs: number | null;
  /** It is there only where domains are keyed so; always where omitted. */
  readonly onlyWith?: PolitenessKey;
  /** Whose clock dates the records: the writer's where omitted. */
  readonly datedBy?: "broker";
  readonly writers: readonly string[];
  readonly readers: readonly string[];
  /** Public topics are a contract with users; the others may change with any version. */
  readonly public: boolean;
  readonly about: string;
}

const hour = 3_600_000;
const day = 24 * hour;

const topic = (definition: Topic): Topic => definition;

/** Dead letters of a topic: original bytes and key, with the reason in headers. */
const deadLetters = (name: string, writer: string): Topic => ({
  name: `${name}.dlq`,
  keyedBy: "as the original",
  schema: null,
  partitions: 1,
  cleanup: "delete",
  retentionMs: 14 * day,
  writers: [writer],
  readers: ["users"],
  public: true,
  about: `Records of ${name} that could not be read, with original bytes, key and reason.`,
});

const state = (service: string): Topic => ({
  name: `crawl.${service}-state`,
  keyedBy: "entry of the state",
  schema: null,
  partitions: "tasks",
  cleanup: "compact",
  retentionMs: null,
  writers: [service],
  readers: [service],
  public: false,
  about: `Changelog of the durable state of ${service}.`,
});

/** Every topic of the product. All names take the configured prefix. */
export const topics = {
  seeds: topic({
    name: "crawl.seeds",
    keyedBy: "anything",
    schema: seedSchema,
    partitions: "tasks",
    cleanup: "delete",
    retentionMs: 7 * day,
    writers: ["users"],
    readers: ["frontier"],
    public: true,
    about: "Start URLs: bare URL text or JSON, any key, any partition, any client.",
  }),
  jobs: topic({
    name: "crawl.jobs",
    keyedBy: "job id",
    schema: jobSchema,
    partitions: "tasks",
    cleanup: "compact",
    retentionMs: null,
    writers: ["users", "api", "cli"],
    readers: ["frontier", "rate-limit", "fetcher", "api"],
    public: true,
    about: "Jobs: seeds, scope, limits, politeness, and whether they run, pause or are cancelled.",
  }),
  policies: topic({
    name: "crawl.policies",
    keyedBy: "pattern of hosts",
    schema: policySchema,
    // Whatever partitioner a client has, all records of a pattern lie in one order.
    partitions: 1,
    cleanup: "compact",
    retentionMs: null,
    writers: ["users", "api"],
    readers: ["frontier", "rate-limit", "fetcher", "api"],
    public: true,
    about: "What the operator has said of hosts: blocked, delay, connections, caps, and how they are asked.",
  }),
  links: topic({
    name: "crawl.links",
    keyedBy: "domain the links lead to",
    schema: linkSchema,
    partitions: "tasks",
    cleanup: "delete",
    retentionMs: 7 * day,
    writers: ["frontier", "fetcher"],
    readers: ["frontier"],
    public: false,
    about: "Links found, grouped by the domain they lead to.",
  }),
  due: topic({
    name: "crawl.due",
    keyedBy: "domain",
    schema: dueSchema,
    partitions: "tasks",
    cleanup: "delete",
    retentionMs: 7 * day,
    writers: ["frontier", "fetcher"],
    readers: ["rate-limit"],
    public: false,
    about:
      "URLs released by the frontier, never more than were asked for; and what robots.txt of other domains redirects to.",
  }),
  permits: topic({
    name: "crawl.permits",
    keyedBy: "domain",
    schema: permitSchema,
    partitions: "tasks",
    cleanup: "delete",
    retentionMs: 7 * day,
    writers: ["rate-limit", "fetcher"],
    readers: ["fetcher"],
    public: false,
    about:
      "URLs that may be fetched, each with the earliest instant; those back from another domain's robots.txt.",
  }),
  outcomes: topic({
    name: "crawl.outcomes",
    keyedBy: "domain",
    schema: outcomeSchema,
    partitions: "tasks",
    cleanup: "delete",
    retentionMs: 7 * day,
    writers: ["fetcher", "rate-limit"],
    readers: ["frontier", "rate-limit"],
    public: false,
    about: "What became of each release; outcomes are the credits of the frontier.",
  }),
  results: topic({
    name: "crawl.results",
    keyedBy: "url id (partition: that of the domain)",
    schema: resultSchema,
    partitions: "tasks",
    cleanup: "delete",
    retentionMs: 7 * day,
    writers: ["fetcher"],
    readers: ["users", "result-sink"],
    public: true,
    about: "One record a settled fetch of a page, failures included. Read with read_committed.",
  }),
  events: topic({
    name: "crawl.events",
    keyedBy: "job id",
    schema: eventSchema,
    partitions: "tasks",
    cleanup: "delete",
    retentionMs: day,
    writers: ["frontier", "rate-limit", "fetcher"],
    readers: ["users", "api", "cli"],
    public: true,
    about: "What happens in a job, in order; the last event of a job comes after all its results.",
  }),
  hosts: topic({
    name: "crawl.hosts",
    keyedBy: "domain",
    schema: hostSchema,
    partitions: "tasks",
    cleanup: "compact",
    retentionMs: null,
    writers: ["rate-limit"],
    readers: ["api", "cli"],
    public: true,
    about: "Domains: how long they wait and why, their breaker, what is known of their robots.txt.",
  }),
  grants: topic({
    name: "crawl.grants",
    keyedBy: "job id/task, or job id/task/unit/domain (partition: the task)",
    schema: grantsSchema,
    partitions: "tasks",
    cleanup: "compact",
    retentionMs: null,
    writers: ["frontier"],
    readers: ["frontier"],
    public: false,
    about:
      "Page grants, probes and halts, from the owner of a job to each frontier task; units of a domain's budgets, from the task of the domain.",
  }),
  counters: topic({
    name: "crawl.counters",
    keyedBy:
      "job id/task, or job id (partition: that of the job id); job id/task/unit/domain (that of the domain)",
    schema: countersSchema,
    partitions: "tasks",
    cleanup: "compact",
    retentionMs: null,
    writers: ["frontier"],
    readers: ["frontier", "api", "cli"],
    public: true,
    about: "Counters of a job by frontier task, and under the job id its status as a whole.",
  }),
  clock: topic({
    name: "crawl.clock",
    keyedBy: "nothing",
    schema: null,
    partitions: 1,
    cleanup: "delete",
    retentionMs: hour,
    datedBy: "broker",
    writers: ["frontier", "rate-limit", "fetcher", "result-sink", "api"],
    readers: ["frontier", "rate-limit", "fetcher", "result-sink", "api"],
    public: false,
    about: "Empty records, dated by the broker: a process that writes one learns the broker's time.",
  }),
  registrableDomains: topic({
    name: "crawl.registrable-domains",
    keyedBy: "nothing",
    schema: null,
    partitions: 1,
    cleanup: "compact",
    retentionMs: null,
    onlyWith: "registrable-domain",
    writers: ["cli"],
    readers: ["frontier", "rate-limit", "fetcher", "result-sink", "api", "cli"],
    public: false,
    about:
      "Empty. That it is there says that the domains of all others are registrable domains: who is set otherwise refuses to start.",
  }),
  frontierState: state("frontier"),
  rateLimitState: state("rate-limit"),
  seedsDlq: deadLetters("crawl.seeds", "frontier"),
  jobsDlq: deadLetters("crawl.jobs", "frontier"),
  policiesDlq: deadLetters("crawl.policies", "frontier"),
  linksDlq: deadLetters("crawl.links", "frontier"),
  dueDlq: deadLetters("crawl.due", "rate-limit"),
  permitsDlq: deadLetters("crawl.permits", "fetcher"),
  outcomesDlq: deadLetters("crawl.outcomes", "frontier"),
  resultsDlq: deadLetters("crawl.results", "result-sink"),
  grantsDlq: deadLetters("crawl.grants", "frontier"),
  countersDlq: deadLetters("crawl.counters", "frontier"),
} as const;

export const topicList: readonly Topic[] = Object.values(topics);

const byName: ReadonlyMap<string, Topic> = new Map(topicList.map((each) => [each.name, each]));

export function topicOf(name: string): Topic | undefined {
  return byName.get(name);
}

/** False where records may have any key, or none. */
export const isKeyed = (name: string): boolean => topicOf(name)?.keyedBy !== topics.seeds.keyedBy;

/** How topics are laid out on a cluster: the options that an operator may set. */
export interface TopicLayout {
  /** Put before every topic name, group and transactional id, e.g. `team-a.`. */
  readonly prefix: string;
  /** Partitions of every co-partitioned topic; permanent, since a change moves keys. */
  readonly partitions: number;
  /** What the domain of records is; permanent, since a change moves keys. */
  readonly politenessKey: PolitenessKey;
  /** Overrides the retention of `delete` topics; null keeps the table's. */
  readonly retentionMs: number | null;
  /** Null: the broker's default. */
  readonly replicationFactor: number | null;
}

export const defaultLayout: TopicLayout = {
  prefix: "",
  partitions: 12,
  politenessKey: "host",
  retentionMs: null,
  replicationFactor: null,
};

/** The topics of a cluster of that layout. */
export const topicsOf = ({ politenessKey }: TopicLayout): readonly Topic[] =>
  topicList.filter(({ onlyWith = politenessKey }) => onlyWith === politenessKey);

export function partitionsOf(each: Topic, layout: TopicLayout): number {
  return each.partitions === "tasks" ? layout.partitions : each.partitions;
}

/** Kafka's topic settings for a topic of the table. */
export function configsOf(each: Topic, layout: TopicLayout): Record<string, string> {
  if (each.cleanup === "compact") {
    return {
      "cleanup.policy": "compact",
      "min.cleanable.dirty.ratio": "0.2",
      "segment.ms": String(hour),
      "max.message.bytes": "8388608",
    };
  }
  return {
    "cleanup.policy": "delete",
    "retention.ms": String(layout.retentionMs ?? each.retentionMs ?? -1),
    "max.message.bytes": "8388608",
    ...(each.datedBy === "broker" ? { "message.timestamp.type": "LogAppendTime" } : {}),
  };
}
