/** What the errors of kafkajs mean to the callers of the broker port. */
import { messageOf, SluiceError } from "@sluice/errors";
import { CommitFailed } from "@sluice/runtime";

/** Errors no retry cures: rights, settings, formats. Names and protocol types as kafkajs has them. */
const fatal = new Set([
  "CLUSTER_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "INCONSISTENT_GROUP_PROTOCOL",
  "INVALID_GROUP_ID",
  "INVALID_SESSION_TIMEOUT",
  "INVALID_TOPIC_EXCEPTION",
  "KafkaJSNotImplemented",
  "KafkaJSSASLAuthenticationError",
  "KafkaJSServerDoesNotSupportApiKey",
  "KafkaJSUnsupportedMagicByteInMessageSet",
  "SASL_AUTHENTICATION_FAILED",
  "SECURITY_DISABLED",
  "SluiceError",
  "TOPIC_AUTHORIZATION_FAILED",
  "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  "UNSUPPORTED_COMPRESSION_TYPE",
  "UNSUPPORTED_SASL_MECHANISM",
]);

/** Error types that say: another producer has the transactional id by now. */
const fenced = new Set([
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
  "INVALID_TXN_STATE",
  "PRODUCER_FENCED",
  "TRANSACTION_COORDINATOR_FENCED",
]);
/** PRODUCER_FENCED by its code; kafkajs 2.2.4 has no name for it. */
const producerFenced = "Unknown error code 90";

const tooLarge = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);

/** Worth another try at once: the coordinator is busy, moving or not there yet. */
const passing = new Set([
  "CONCURRENT_TRANSACTIONS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "GROUP_LOAD_IN_PROGRESS",
  "NOT_CONTROLLER",
  "NOT_COORDINATOR_FOR_GROUP",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  // Right after a broker is back: it has not heard yet that it leads.
  "NOT_LEADER_FOR_PARTITION",
  "REQUEST_TIMED_OUT",
]);

/** The error, its causes and its parts, outermost first. */
function* chain(error: unknown): Generator<Error> {
  const seen = new Set<unknown>();
  const waiting = [error];
  while (waiting.length > 0) {
    const next = waiting.shift();
    if (!(next instanceof Error) || seen.has(next)) continue;
    seen.add(next);
    yield next;
    waiting.push(next.cause, ...((next as { errors?: readonly unknown[] }).errors ?? []));
  }
}

/** kafkajs' name for a protocol error, e.g. `INVALID_PRODUCER_EPOCH`. */
export function typeOf(error: unknown): string | undefined {
  const type = (error as { type?: unknown } | null)?.type;
  return typeof type === "string" ? type : undefined;
}

function some(error: unknown, names: ReadonlySet<string>): boolean {
  for (const link of chain(error)) if (names.has(link.name) || names.has(typeOf(link) ?? "")) return true;
  return false;
}

export const isFatal = (error: unknown): boolean => some(error, fatal);
export const isTooLarge = (error: unknown): boolean => some(error, tooLarge);

export function isFenced(error: unknown): boolean {
  if (some(error, fenced)) return true;
  for (const link of chain(error)) if (link.message.includes(producerFenced)) return true;
  return false;
}

export function isPassing(error: unknown): boolean {
  // kafkajs' own, without a protocol type: the topic of the groups is being made.
  if (error instanceof Error && error.name === "KafkaJSGroupCoordinatorNotFound") return true;
  const type = typeOf(error);
  return type !== undefined && passing.has(type);
}

/** Gives an error about record size the product's own code; leaves the others as they are. */
export function sendFailure(error: unknown): unknown {
  if (!isTooLarge(error)) return error;
  return new SluiceError(
    "SLUICE_RECORD_TOO_LARGE",
    `a record is larger than its topic allows: ${messageOf(error)}`,
    {
      cause: error,
    },
  );
}

export function commitFailed(during: string, error: unknown): CommitFailed {
  if (error instanceof CommitFailed) return error;
  return new CommitFailed(`${during}: ${messageOf(error)}`, {
    cause: sendFailure(error),
    fenced: isFenced(error),
  });
}

/** How EndTxn is refused to an older owner whose transaction a newer one is about to abort. */
const refusedEnd = new Set([
  "CONCURRENT_TRANSACTIONS",
  // Kafka 4.1.2 throws where the new epoch is being written ("already a pending state PREPARE_EPOCH_FENCE").
  "UNKNOWN",
]);

/**
 * What the refusal of a transaction's last request means. All requests before it were answered, so what the
 * coordinator has under way is not ours: another producer takes the transactional id over (KIP-98,
 * "InitPidRequest"), and its epoch is not in place yet. Whoever goes on looks at what is written.
 */
export function endFailed(error: unknown): unknown {
  if (!refusedEnd.has(typeOf(error) ?? "")) return error;
  return new CommitFailed(`another producer takes the transactional id over: ${messageOf(error)}`, {
    cause: error,
    fenced: true,
  });
}

/** Why a broker will not have us: no further try changes that, other settings do. */
export interface Refusal {
  readonly kind: "certificate" | "client_certificate" | "login" | "mechanism" | "protocol" | "session";
  /** In the words of TLS, of the broker or of the client. */
  readonly message: string;
}

/** What Node.js and OpenSSL find wrong with a certificate (nodejs.org, "X509 certificate error codes"). */
const certificateCodes =
  /^(UNABLE_TO_(GET_(ISSUER_CERT|CRL)|VERIFY_LEAF|DECRYPT_C|DECODE_ISSUER)\w*|\w*SELF_SIGNED_CERT\w*|CERT_\w+|CRL_\w+|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH_EXCEEDED|ERR_TLS_CERT_ALTNAME_INVALID)$/;
/** Alerts with which a server tells what it holds of the client's certificate (RFC 8446, section 6.2). */
const clientCertificateCodes =
  /^ERR_SSL_.*ALERT_(NO_CERTIFICATE|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|ACCESS_DENIED)$/;
const protocolCodes =
  /^ERR_SSL_(WRONG_VERSION_NUMBER|UNSUPPORTED_PROTOCOL|PACKET_LENGTH_TOO_LONG|.*ALERT_(HANDSHAKE_FAILURE|PROTOCOL_VERSION|INSUFFICIENT_SECURITY))$/;

/** Null: nothing that says so; another try may succeed. */
export function refusalOf(error: unknown): Refusal | null {
  for (const link of chain(error)) {
    const kind = refusalKind(link);
    if (kind !== null) return { kind, message: link.message };
  }
  return null;
}

function refusalKind(error: Error): Refusal["kind"] | null {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (certificateCodes.test(code)) return "certificate";
  if (clientCertificateCodes.test(code)) return "client_certificate";
  if (protocolCodes.test(code)) return "protocol";
  const type = typeOf(error);
  if (type === "UNSUPPORTED_SASL_MECHANISM" || /mechanism is not supported/.test(error.message))
    return "mechanism";
  if (type === "INVALID_SESSION_TIMEOUT") return "session";
  if (type === "ILLEGAL_SASL_STATE" || type === "SECURITY_DISABLED") return "protocol";
  return error.name === "KafkaJSSASLAuthenticationError" || type === "SASL_AUTHENTICATION_FAILED"
    ? "login"
    : null;
}
