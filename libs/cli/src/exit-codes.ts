/** What the exit code of `sluice` tells a script, in one table that `--help` prints. */
import type { ErrorCode } from "@sluice/errors";
import type { FinishReason } from "@sluice/records";

export const exitCodes = {
  done: { code: 0, about: "the crawl ended: completed, max_pages or timeout, also when pages failed" },
  usage: { code: 2, about: "an option or URL is not allowed, or the job exists with other options" },
  kafka: { code: 3, about: "no Kafka could be reached or started" },
  jobEnded: { code: 4, about: "the job was cancelled, or failed as a whole" },
  interrupted: { code: 11, about: "interrupted and drained; the same command goes on" },
  stopped: { code: 13, about: "stopped at once by a second signal; the same command goes on" },
  fatal: { code: 17, about: "a service died again and again, or an error that ends the command" },
} as const;

export type Exit = keyof typeof exitCodes;

export function exitOfReason(reason: FinishReason): Exit {
  switch (reason) {
    case "completed":
    case "max_pages":
    case "timeout":
      return "done";
    case "cancelled":
    case "failed":
      return "jobEnded";
    case "interrupted":
      return "interrupted";
    default:
      return reason satisfies never;
  }
}

export function exitOfError(code: ErrorCode): Exit {
  switch (code) {
    case "SLUICE_USAGE":
    case "SLUICE_CONFIG_INVALID":
    case "SLUICE_JOB_CONFLICT":
    case "SLUICE_TOPIC_DRIFT":
      return "usage";
    case "SLUICE_KAFKA_UNAVAILABLE":
      return "kafka";
    case "SLUICE_RECORD_INVALID":
    case "SLUICE_RECORD_TOO_LARGE":
    case "SLUICE_STEP_BROKEN":
    case "SLUICE_COMMIT_FAILED":
    case "SLUICE_CONSUMER_DEAD":
    case "SLUICE_STATE_FAILED":
    case "SLUICE_STATE_UNREADABLE":
    case "SLUICE_SERVICE_DEAD":
    case "SLUICE_SINK_FAILED":
      return "fatal";
    default:
      return code satisfies never;
  }
}

/** The table as `--help` shows it. */
export function exitCodesText(): string {
  const lines = Object.values(exitCodes).map(({ code, about }) => `  ${String(code).padStart(2)}  ${about}`);
  return `\nExit codes:\n${lines.join("\n")}`;
}
