/** Every place of the product that can open a connection or start another program, and why it may. */
import { importsOf } from "./source-imports.ts";
import { tokensOf } from "./source-tokens.ts";

/**
 * Whom a place can reach. `web`: what a URL of a crawl says, through the guard. `named`: what the operator names in a
 * setting. `self`: this machine. `page`: the origin that the operator's page came from. `none`: it only listens.
 */
export type Reach = "web" | "named" | "self" | "page" | "none";

export interface OutboundSite {
  /** Path, module (or global) and the names taken from it. */
  readonly site: string;
  readonly reach: Reach;
  readonly why: string;
}

export const outboundSites: readonly OutboundSite[] = [
  {
    site: "libs/broker/src/kafkajs/admin.ts kafkajs kafkajs",
    reach: "named",
    why: "constants of the client",
  },
  { site: "libs/broker/src/kafkajs/client.ts kafkajs kafkajs", reach: "named", why: "Kafka's brokers" },
  { site: "libs/broker/src/kafkajs/client.ts node:net connect", reach: "named", why: "Kafka's brokers" },
  { site: "libs/broker/src/kafkajs/client.ts node:tls connect", reach: "named", why: "Kafka's brokers" },
  {
    site: "libs/broker/src/kafkajs/codecs.ts kafkajs kafkajs",
    reach: "named",
    why: "codecs of the client",
  },
  {
    site: "libs/broker/src/kafkajs/group-protocol.ts kafkajs kafkajs",
    reach: "named",
    why: "the client's encoding of assignments",
  },
  {
    site: "libs/broker/src/kafkajs/internals.ts createRequire",
    reach: "none",
    why: "files of kafkajs that it does not export",
  },
  { site: "libs/broker/src/kafkajs/patches.ts fetch", reach: "none", why: "the client's method, replaced" },
  { site: "libs/cli/src/crawl-options.ts fetch", reach: "none", why: "a field of jobs" },
  { site: "libs/cli/src/job-plan.ts fetch", reach: "none", why: "a field of jobs" },
  {
    site: "libs/cli/src/service-process.ts node:child_process spawn",
    reach: "self",
    why: "services of one machine",
  },
  { site: "libs/cli/src/up-session.ts fetch", reach: "self", why: "asks its own services on 127.0.0.1" },
  {
    site: "libs/http/src/guarded-connect.ts node:net connect",
    reach: "web",
    why: "connects to addresses that were vetted",
  },
  {
    site: "libs/http/src/guarded-connect.ts node:tls connect",
    reach: "web",
    why: "TLS on a socket that stands",
  },
  {
    site: "libs/http/src/guarded-dispatcher.ts undici Client",
    reach: "web",
    why: "HTTP on sockets that the guard gives it",
  },
  {
    site: "libs/http/src/host-resolver.ts node:dns promises",
    reach: "named",
    why: "asks the machine's name servers; what they say is vetted",
  },
  {
    site: "libs/local-kafka/src/command.ts node:child_process execFile",
    reach: "self",
    why: "Java, Maven and Docker, to have a Kafka on this machine",
  },
  { site: "libs/local-kafka/src/free-port.ts node:net createServer", reach: "none", why: "finds a port" },
  {
    site: "libs/local-kafka/src/jvm-broker.ts node:child_process spawn",
    reach: "self",
    why: "the Kafka of this machine",
  },
  {
    site: "libs/local-kafka/src/kafka-probe.ts createRequire",
    reach: "none",
    why: "a file of kafkajs that it does not export",
  },
  {
    site: "libs/local-kafka/src/kafka-probe.ts kafkajs Kafka,logLevel",
    reach: "named",
    why: "does Kafka answer",
  },
  {
    site: "libs/local-kafka/src/process-identity.ts node:child_process execFileSync",
    reach: "self",
    why: "ps, where there is no /proc",
  },
  {
    site: "libs/telemetry/src/admin-server.ts node:http createServer",
    reach: "none",
    why: "health and metrics",
  },
  { site: "services/api/page/api-client.ts fetch", reach: "page", why: "the API that served the page" },
  { site: "services/api/page/main.ts fetch", reach: "page", why: "given to the page's client" },
  { site: "services/api/src/api.ts fastify Fastify", reach: "none", why: "the API" },
  { site: "services/api/src/submission.ts fetch", reach: "none", why: "a field of jobs" },
  {
    site: "services/fetcher/src/reading/reader-thread.ts node:worker_threads parentPort",
    reach: "self",
    why: "a thread that reads bodies",
  },
  {
    site: "services/fetcher/src/reading/reader-threads.ts node:worker_threads Worker",
    reach: "self",
    why: "threads that read bodies",
  },
];

const modules: ReadonlySet<string> = new Set([
  "fastify",
  "kafkajs",
  "undici",
  "node:child_process",
  "node:cluster",
  "node:dgram",
  "node:dns",
  "node:dns/promises",
  "node:http",
  "node:http2",
  "node:https",
  "node:inspector",
  "node:net",
  "node:tls",
  "node:worker_threads",
]);

/** Names of those modules that open nothing. */
const harmless: ReadonlySet<string> = new Set([
  "node:http STATUS_CODES",
  "node:net isIP",
  "node:tls createSecureContext",
  "undici errors",
]);

/** Globals that open connections, whatever is imported. */
const globals: ReadonlySet<string> = new Set([
  "fetch",
  "WebSocket",
  "WebSocketStream",
  "EventSource",
  "XMLHttpRequest",
  "sendBeacon",
  "getBuiltinModule",
  "createRequire",
]);

/** The places of one source that can open connections, as {@link outboundSites} writes them. */
export function sitesOf(path: string, text: string): readonly string[] {
  const found = importsOf(text)
    .filter(({ specifier, typeOnly }) => modules.has(specifier) && !typeOnly)
    .map(({ specifier, names }) => ({
      specifier,
      names: names.filter((name) => !harmless.has(`${specifier} ${name}`)).toSorted(),
    }))
    .filter(({ names }) => names.length > 0)
    .map(({ specifier, names }) => `${path} ${specifier} ${names.join(",")}`);
  const tokens = tokensOf(text);
  const used = tokens.flatMap((token, index) => {
    if (token.kind !== "word" || !globals.has(token.text)) return [];
    const [before, next] = [tokens[index - 1]?.text, tokens[index + 1]?.text];
    const owner = tokens[index - 2]?.text;
    // A member of something else, a member of our own classes and types, or a parameter's name is no global.
    const isMember =
      before === "." && !["globalThis", "window", "self", "navigator", "process"].includes(owner ?? "");
    const isDeclared = next === ":" || (next === "(" && declares(tokens, index));
    return isMember || isDeclared ? [] : [`${path} ${token.text}`];
  });
  return [...found, ...new Set(used)];
}

/** `fetch(…) {` and `fetch(…): Type` are members of a class, an object or an interface. */
function declares(tokens: ReturnType<typeof tokensOf>, index: number): boolean {
  let depth = 0;
  for (let at = index + 1; at < tokens.length; at += 1) {
    const { kind, text } = tokens[at] ?? { kind: "word", text: "" };
    if (kind !== "punctuation") continue;
    depth += text === "(" ? 1 : text === ")" ? -1 : 0;
    if (depth > 0) continue;
    const after = tokens[at + 1]?.text;
    return after === "{" || (after === ":" && tokens[index - 1]?.text !== "?");
  }
  return false;
}
