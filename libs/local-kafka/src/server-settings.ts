/** Settings of a single-node Kafka that starts quickly and takes little memory, for the JVM and the container. */

export interface ServerPlace {
  /** Address the clients' listener binds to; clients always reach it at 127.0.0.1. */
  readonly bindHost: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly logDir: string;
  /** Beside the one without TLS and passwords. */
  readonly listeners?: readonly Listener[];
  /** Settings by their Kafka name, beside or in place of the others. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Listener {
  /** In capitals. */
  readonly name: string;
  readonly protocol: "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  readonly port: number;
  /** Where its clients are sent, e.g. to a proxy in front of it; `port` where omitted. */
  readonly advertisedPort?: number;
}

/** Settings by their Kafka name (kafka.apache.org/documentation, "Broker Configs"). */
export function serverSettings(place: ServerPlace): Readonly<Record<string, string>> {
  const { bindHost, port, controllerPort, listeners = [], settings = {} } = place;
  const more = (line: (listener: Listener) => string): string =>
    listeners.map((each) => `,${line(each)}`).join("");
  return {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://${bindHost}:${port},CONTROLLER://127.0.0.1:${controllerPort}${more((each) => `${each.name}://${bindHost}:${each.port}`)}`,
    // The broker writes transaction markers to itself through this address, so it is the same on both sides.
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}${more((each) => `${each.name}://127.0.0.1:${each.advertisedPort ?? each.port}`)}`,
    "listener.security.protocol.map": `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${more((each) => `${each.name}:${each.protocol}`)}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": place.logDir,
    "auto.create.topics.enable": "false",

    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",

    // Few partitions to create and, after a crash, to load.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "offsets.topic.segment.bytes": "10485760",
    "transaction.state.log.segment.bytes": "10485760",

    // A killed member is missed after its own session timeout, and its open transaction is aborted soon after its.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",

    // A broker that was killed may register again only when its old session is over.
    "broker.heartbeat.interval.ms": "200",
    "broker.session.timeout.ms": "2000",

    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    // The default of 128 MiB is a quarter of the heap.
    "log.cleaner.dedupe.buffer.size": "16777216",
    // Changelogs are cleaned soon after they may be, so that a restart has little to read.
    "log.cleaner.backoff.ms": "1000",
    ...settings,
  };
}

/** The settings as a server.properties file. A backslash is the only character of a path it needs escaped. */
export function toProperties(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll("\\", "\\\\")}\n`)
    .join("");
}

/** The settings as environment of the image apache/kafka: dots become underscores, after KAFKA_. */
export function toImageEnvironment(
  settings: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      `KAFKA_${name.replaceAll(".", "_").toUpperCase()}`,
      value,
    ]),
  );
}

/** Logging of the JVM: warnings only, into a file that never grows beyond two times 5 MB. */
export function loggingProperties(file: string): string {
  const path = file.replaceAll("\\", "\\\\");
  return `status=error
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=${path}
appender.file.filePattern=${path}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{ISO8601} %p %c %m%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=5MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=1
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
`;
}
