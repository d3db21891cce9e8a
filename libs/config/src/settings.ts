import { isIP } from "node:net";
import { z } from "zod";
import { needsCertificateKey, needsSasl, needsSsl, sparesKeyPassword } from "./security-rules.ts";

/** One setting: where it comes from, what it means, what it is by default. */
export interface Setting<Schema extends z.ZodType = z.ZodType> {
  readonly env: string;
  readonly schema: Schema;
  readonly about: string;
  /** Other names that are understood; the first one set counts. */
  readonly aliases?: readonly string[];
  /** Never printed; may also be the content of the file that `<NAME>_FILE` names. */
  readonly secret?: boolean;
  /**
   * What is wrong with an allowed value beside the other settings; null: nothing. Of the others only those with
   * an allowed value are there.
   */
  readonly rule?: (value: z.output<Schema>, others: Readonly<Record<string, unknown>>) => string | null;
}

const integer = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const list = z.string().transform((text) =>
  text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== ""),
);
/** A list of which every entry is well formed. */
const listOf = (isEntry: (entry: string) => boolean, what: string) =>
  list.refine((entries) => entries.every(isEntry), { error: ({ input }) => misfits(input, isEntry, what) });
const misfits = (entries: unknown, isEntry: (entry: string) => boolean, what: string): string =>
  (Array.isArray(entries) ? entries.map(String) : [])
    .filter((entry) => !isEntry(entry))
    .map((entry) => `${JSON.stringify(entry)} is not ${what}`)
    .join("; ");

function isAddressBlock(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const bitsMax = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return (
    bitsMax > 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax))
  );
}

/** The address may be IPv6, so only the first two colons part. */
function isFixedAddress(text: string): boolean {
  const [, port, address = ""] = /^[^:]+:(\d{1,5}):\[?([^\]]+)\]?$/.exec(text) ?? [];
  return Number(port) <= 65_535 && isIP(address) !== 0;
}

/** A user and a password may be in it; nothing but the origin besides. */
function isProxy(text: string): boolean {
  const url = URL.parse(text);
  return (
    text === "" ||
    (url !== null && /^https?:$/.test(url.protocol) && url.pathname + url.search + url.hash === "/")
  );
}

const flag = z.enum(["true", "false", "1", "0"]).transform((text) => text === "true" || text === "1");
const setting = <Schema extends z.ZodType>(definition: Setting<Schema>): Setting<Schema> => definition;

/** Settings of every service. */
export const commonSettings = {
  brokers: setting({
    env: "KAFKA_BROKERS",
    aliases: ["KAFKA_BOOTSTRAP_SERVERS"],
    schema: list.refine((brokers) => brokers.length > 0, "at least one host:port"),
    about: "Kafka brokers, `host:port`, separated by commas.",
  }),
  securityProtocol: setting({
    env: "KAFKA_SECURITY_PROTOCOL",
    schema: z.enum(["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]).default("PLAINTEXT"),
    about: "How brokers are spoken to.",
  }),
  saslMechanism: setting({
    env: "KAFKA_SASL_MECHANISM",
    schema: z.enum(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]).default("PLAIN"),
    about: "With SASL: the mechanism.",
  }),
  saslUsername: setting({
    env: "KAFKA_SASL_USERNAME",
    schema: z.string().default(""),
    about: "With SASL: the user.",
    rule: needsSasl,
  }),
  saslPassword: setting({
    env: "KAFKA_SASL_PASSWORD",
    schema: z.string().default(""),
    about: "With SASL: the password.",
    secret: true,
    rule: needsSasl,
  }),
  sslCaFile: setting({
    env: "KAFKA_SSL_CA_LOCATION",
    schema: z.string().default(""),
    about:
      "With SSL: PEM file of the certificate authorities that are trusted; unset: those that Node.js ships.",
    rule: needsSsl,
  }),
  sslCertificateFile: setting({
    env: "KAFKA_SSL_CERTIFICATE_LOCATION",
    schema: z.string().default(""),
    about: "With SSL: PEM file of the client's certificate and its chain, for brokers that ask for one.",
    rule: (file, others) => needsSsl(file, others) ?? needsCertificateKey(file, others["sslKeyFile"]),
  }),
  sslKeyFile: setting({
    env: "KAFKA_SSL_KEY_LOCATION",
    schema: z.string().default(""),
    about: "With SSL: PEM file of the key of that certificate.",
    rule: (file, others) => needsSsl(file, others) ?? needsCertificateKey(file, others["sslCertificateFile"]),
  }),
  sslKeyPassword: setting({
    env: "KAFKA_SSL_KEY_PASSWORD",
    schema: z.string().default(""),
    about: "With SSL: what decrypts that key, where it is encrypted.",
    secret: true,
    rule: (password, others) =>
      needsSsl(password, others) ?? sparesKeyPassword(password, others["sslKeyFile"]),
  }),
  prefix: setting({
    env: "SLUICE_PREFIX",
    schema: z
      .string()
      .regex(
        /^([a-z0-9][a-z0-9.-]{0,80}[.-])?$/,
        "lower-case letters, digits, '.' and '-', ending in '.' or '-'",
      )
      .default(""),
    about: "Put before the name of every topic, group and transactional id.",
  }),
  partitions: setting({
    env: "SLUICE_PARTITIONS",
    schema: integer(1, 1000).default(12),
    about: "Partitions of every co-partitioned topic. Permanent: a change moves keys.",
  }),
  politenessKey: setting({
    env: "SLUICE_POLITENESS_KEY",
    schema: z.enum(["host", "registrable-domain"]).default("host"),
    about:
      "What shares a clock, connections and caps: each host name by itself, or all of a registrable domain. Permanent, and the same for all: a process that is set otherwise than the topics were made refuses to start.",
  }),
  retentionMs: setting({
    env: "SLUICE_RETENTION_MS",
    schema: integer(60_000, Number.MAX_SAFE_INTEGER).optional(),
    about: "Retention of topics that are not compacted; unset: as in the table of topics.",
  }),
  replicationFactor: setting({
    env: "SLUICE_REPLICATION_FACTOR",
    schema: integer(1, 9).optional(),
    about: "Replicas of topics that are created; unset: the broker's default.",
  }),
  createTopics: setting({
    env: "SLUICE_CREATE_TOPICS",
    schema: flag.default(false),
    about: "Create missing topics at the start instead of refusing to start.",
  }),
  instance: setting({
    env: "SLUICE_INSTANCE",
    schema: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,100}$/)
      .optional(),
    about: "Stable name of this instance: its tasks come back to it. Unset: the host's name.",
  }),
  adminPort: setting({
    env: "SLUICE_ADMIN_PORT",
    schema: integer(0, 65_535).default(0),
    about: "Port of /livez, /readyz and /metrics; 0: none.",
  }),
  adminHost: setting({
    env: "SLUICE_ADMIN_HOST",
    schema: z.string().default("127.0.0.1"),
    about: "Address that port is bound to.",
  }),
  logLevel: setting({
    env: "SLUICE_LOG_LEVEL",
    schema: z.enum(["debug", "info", "warn", "error"]).default("info"),
    about: "Least level that is logged, as JSON lines on stderr.",
  }),
  sessionTimeoutMs: setting({
    env: "SLUICE_SESSION_TIMEOUT_MS",
    schema: integer(1000, 300_000).default(6000),
    about: "A member not heard of for this long is taken for dead.",
  }),
  delivery: setting({
    env: "SLUICE_DELIVERY",
    schema: z.enum(["exactly-once", "at-least-once"]).default("exactly-once"),
    about:
      "In transactions, or without them: at-least-once may repeat results after a crash, under the same result_id, and page limits and the end of a job are only nearly exact.",
  }),
  commitIntervalMs: setting({
    env: "SLUICE_COMMIT_INTERVAL_MS",
    schema: integer(1, 1000).default(1000),
    about: "Longest time between two commits of a busy task.",
  }),
  stateDir: setting({
    env: "SLUICE_STATE_DIR",
    schema: z.string().min(1).default(".sluice/state"),
    about:
      "Folder of this machine's disk for the state of services, so that a restart reads only the end of their changelogs; each process has a part of it for itself. `memory`: none.",
  }),
  checkpointMs: setting({
    env: "SLUICE_CHECKPOINT_MS",
    schema: integer(100, 30_000).default(30_000),
    about: "Longest time after which committed state outlives the process in that folder.",
  }),
  drainMs: setting({
    env: "SLUICE_DRAIN_MS",
    schema: integer(0, 600_000).default(35_000),
    about: "On SIGTERM, how long calls in flight may go on.",
  }),
  failpoint: setting({
    env: "SLUICE_FAILPOINT",
    schema: z
      .string()
      .regex(/^([a-z_]+:[1-9][0-9]*)?$/, "name:count")
      .default(""),
    about:
      "For tests: the process kills itself when it passes this point for the n-th time, e.g. `after_send:3`.",
  }),
} as const;

export const frontierSettings = {
  windowMax: setting({
    env: "SLUICE_FRONTIER_WINDOW_MAX",
    schema: integer(2, 10_000).default(100),
    about: "Most URLs of one domain released and unanswered; asked for again at half of it.",
  }),
  releasedMax: setting({
    env: "SLUICE_FRONTIER_RELEASED_MAX",
    schema: integer(1, 1_000_000).default(1000),
    about: "Most URLs of one task released and unanswered.",
  }),
  leaseMs: setting({
    env: "SLUICE_FRONTIER_LEASE_MS",
    schema: integer(1000, 86_400_000).default(600_000),
    about: "A release that is not started by then is answered `expired` and released again.",
  }),
  lagMax: setting({
    env: "SLUICE_FRONTIER_LAG_MAX",
    schema: integer(1, 100_000_000).default(20_000),
    about: "Nothing is released while a group of SLUICE_BACKPRESSURE_GROUPS lags by more records.",
  }),
  backpressureGroups: setting({
    env: "SLUICE_BACKPRESSURE_GROUPS",
    schema: list.default(["result-sink"]),
    about: "Groups reading crawl.results whose lag holds the crawl. Others may lag and lose to retention.",
  }),
} as const;

export const fetcherSettings = {
  concurrency: setting({
    env: "SLUICE_FETCHER_CONCURRENCY",
    schema: integer(1, 10_000).default(64),
    about: "Most requests at once in this process, those to slow hosts beside it.",
  }),
  slowMax: setting({
    env: "SLUICE_FETCHER_SLOW_MAX",
    schema: integer(0, 100_000).default(2000),
    about:
      "Requests to hosts that are slow, or have not answered for long enough, and so need no slot of SLUICE_FETCHER_CONCURRENCY; beyond so many they wait, or keep their slots, of which half are left to hosts that answer soon.",
  }),
  userAgent: setting({
    env: "SLUICE_FETCHER_USER_AGENT",
    schema: z
      .string()
      .regex(/^[\x21-\x7e][\x20-\x7e]{0,255}$/, "printable ASCII")
      .optional(),
    about: "User-Agent header; unset: `Sluice/<version> (+contact)`.",
  }),
  contact: setting({
    env: "SLUICE_FETCHER_CONTACT",
    schema: z
      .string()
      .regex(/^[\x21-\x7e][\x20-\x7e]{0,199}$/, "printable ASCII")
      .optional(),
    about: "URL or mail address in the default User-Agent, for site owners.",
  }),
  allowPrivate: setting({
    env: "SLUICE_FETCHER_ALLOW_PRIVATE",
    schema: listOf(isAddressBlock, "an address block").default([]),
    about: "Address blocks that may be fetched although they are not public, e.g. `127.0.0.0/8`.",
  }),
  resolve: setting({
    env: "SLUICE_FETCHER_RESOLVE",
    schema: listOf(isFixedAddress, "host:port:address").default([]),
    about: "Fixed addresses, `host:port:address`, separated by commas.",
  }),
  audit: setting({
    env: "SLUICE_FETCHER_AUDIT",
    schema: flag.default(false),
    about:
      "Log a line for each request as it begins: host, URL, the wait applied and its source, requests in the last minute. docs/politeness.md has the check of it.",
  }),
  localAddress: setting({
    env: "SLUICE_FETCHER_LOCAL_ADDRESS",
    schema: z
      .string()
      .refine((text) => text === "" || isIP(text) !== 0, "an IP address")
      .default(""),
    about: "Address of this machine that requests leave from; unset: the system chooses.",
  }),
  proxy: setting({
    env: "SLUICE_FETCHER_PROXY",
    schema: z
      .string()
      .refine(isProxy, "`http://host:port` or `https://host:port`, without a path")
      .default(""),
    about:
      "Proxy that requests leave through, `http://user:password@host:port`; it may have a private address. Names are resolved there. Unset: none.",
    secret: true,
  }),
  trustedProxies: setting({
    env: "SLUICE_FETCHER_TRUSTED_PROXIES",
    schema: listOf(
      (text) => URL.parse(text)?.origin === text && /^https?:/.test(text),
      "scheme://host:port",
    ).default([]),
    about:
      "Proxies that policies may name although their addresses are private, `http://host:port`, separated by commas.",
  }),
  secretsDir: setting({
    env: "SLUICE_FETCHER_SECRETS_DIR",
    schema: z.string().default(""),
    about:
      "Folder with a file for each secret that jobs and policies may name, beside the variables SLUICE_SECRET_<NAME>. Unset: none.",
  }),
  robotsRetryMs: setting({
    env: "SLUICE_FETCHER_ROBOTS_RETRY_MS",
    schema: integer(1, 3_600_000).default(5000),
    about: "First wait before a robots.txt that could not be had is asked for again.",
  }),
} as const;

export const sinkSettings = {
  dir: setting({
    env: "SLUICE_SINK_DIR",
    schema: z.string().min(1).default("crawl-results"),
    about: "Folder of results.jsonl.",
  }),
  batchMax: setting({
    env: "SLUICE_SINK_BATCH_MAX",
    schema: integer(1, 10_000).default(100),
    about: "Results in one write.",
  }),
  lingerMs: setting({
    env: "SLUICE_SINK_LINGER_MS",
    schema: integer(0, 60_000).default(100),
    about: "How long a batch that is not full waits for more.",
  }),
  idsMax: setting({
    env: "SLUICE_SINK_IDS_MAX",
    schema: integer(1, 10_000_000).default(100_000),
    about:
      "Results whose `result_id` is remembered, about 100 bytes each, twice as many at times: one that comes again after at most so many others is not written again. After a start those of the file's last 256 MiB, at most.",
  }),
} as const;

export const apiSettings = {
  port: setting({
    env: "SLUICE_API_PORT",
    schema: integer(0, 65_535).default(7400),
    about: "Port of the API; 0: any that is free.",
  }),
  host: setting({
    env: "SLUICE_API_HOST",
    schema: z.string().min(1).default("127.0.0.1"),
    about: "Address the API is bound to. One beyond loopback needs SLUICE_API_TOKEN.",
  }),
  token: setting({
    env: "SLUICE_API_TOKEN",
    schema: z
      .string()
      .regex(/^[A-Za-z0-9._~+/=-]{16,512}$/, "16 to 512 characters of a bearer token (RFC 6750)")
      .optional(),
    about: "Bearer token that every route but /livez asks for; unset: none is asked for.",
    secret: true,
  }),
  streamsMax: setting({
    env: "SLUICE_API_STREAMS_MAX",
    schema: integer(1, 100_000).default(256),
    about: "Most event and result streams open at once; one more is answered 429.",
  }),
  jobsKeptMs: setting({
    env: "SLUICE_API_JOBS_KEPT_MS",
    schema: integer(0, Number.MAX_SAFE_INTEGER).default(604_800_000),
    about:
      "How long a job is kept after its end; then its record, its figures and what services keep of it are removed, but no results. 0: for ever.",
  }),
  direct: setting({
    env: "SLUICE_API_DIRECT",
    schema: flag.default(true),
    about:
      "Jobs with `distributed: false` are taken: as long as one has not ended, this process runs every service itself, by their settings; the result-sink only where SLUICE_SINK_DIR is set.",
  }),
} as const;
