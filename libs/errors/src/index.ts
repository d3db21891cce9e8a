/** Every error code of the product, in one table. A code is never reused for another meaning. */
export const errorCodes = {
  SLUICE_CONFIG_INVALID: "A setting is missing or has a value that is not allowed; the message names it.",
  SLUICE_USAGE: "A command line option or argument is not allowed; the message names it.",
  SLUICE_KAFKA_UNAVAILABLE: "No Kafka could be reached or started; the message has the remedies.",
  SLUICE_TOPIC_DRIFT: "A topic differs from the table of topics; the message names topic and setting.",
  SLUICE_RECORD_INVALID: "A record does not match the schema of its topic.",
  SLUICE_RECORD_TOO_LARGE: "A record is larger than the broker or the topic allows.",
  SLUICE_STEP_BROKEN: "A step broke its contract, e.g. finished a record twice: a bug, the service stops.",
  SLUICE_COMMIT_FAILED: "A transaction did not certainly commit; the task starts again from its offsets.",
  SLUICE_CONSUMER_DEAD: "The consumer ended for good; the process exits so that it is started anew.",
  SLUICE_STATE_UNREADABLE:
    "A record of a changelog can't be read, or is a newer version's: the state would have a hole, so the service stops.",
  SLUICE_STATE_FAILED:
    "The state of a task could not be read or written on this machine's disk; the message names the file.",
  SLUICE_SERVICE_DEAD: "A service died again and again; the launcher gives up and names the last cause.",
  SLUICE_JOB_CONFLICT: "A job of this name exists with other options and is not finished.",
  SLUICE_SINK_FAILED: "Results could not be written where they belong.",
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error with a code from the table; `field` names the setting, option or record field at fault. */
export class SluiceError extends Error {
  override readonly name = "SluiceError";
  readonly code: ErrorCode;
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; field?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field;
  }
}

/** What any thrown value says of itself, on one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What was thrown, as an error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
